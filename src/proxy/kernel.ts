// What this kernel can do for the proxy, asked once at the start.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Log } from '../base/index.ts';
import { acceptsRuleset, type Exec } from '../os/index.ts';
import type { Family } from './contribution.ts';
import { type Protocol, planFrame, protocols, tableName } from './frame.ts';
import { RuleTable } from './rule-table.ts';

/** The protocols for which the kernel takes rules. Says once what is left out. */
export async function probeProtocols(exec: Exec, family: Family, log: Log): Promise<readonly Protocol[]> {
  const accepts = (tried: readonly Protocol[]): Promise<boolean> => {
    const options = {
      podCidrs: [],
      serviceCidrs: [],
      maskedPodCidrs: [],
      everyNodeAddress: false,
      protocols: tried,
    };
    return acceptsRuleset(
      exec,
      new RuleTable(family, `${tableName}-probe`, planFrame(family, options)).takeReplacement(),
    );
  };
  if (await accepts(protocols)) return protocols;
  const without = protocols.filter((protocol) => protocol !== 'sctp');
  if (!(await accepts(without))) return protocols;
  log.warn('this kernel has no SCTP in nftables: ports of services with that protocol are left out');
  return without;
}

const settings: Readonly<Record<Family, string>> = {
  ip: '/proc/sys/net/bridge/bridge-nf-call-iptables',
  ip6: '/proc/sys/net/bridge/bridge-nf-call-ip6tables',
};

/**
 * Makes packets between two pods of this node, which only pass the bridge, visible to the rules: an answer that is not seen would come
 * from the endpoint instead of the service. False where the kernel cannot.
 */
export async function ensureBridgeSeen(exec: Exec, families: readonly Family[]): Promise<boolean> {
  if (!existsSync(settings.ip))
    await exec.run(['modprobe', 'br_netfilter'], { mayFail: true }).catch(() => {});
  try {
    for (const family of families)
      if (readFileSync(settings[family], 'utf8').trim() !== '1') writeFileSync(settings[family], '1');
    return true;
  } catch {
    return false;
  }
}
