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
      dropInvalid: true,
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

/** What the kernel keeps of connections, under /proc/sys/net/netfilter: each network namespace has its own. */
export interface ConntrackSettings {
  /** Undefined where this kernel has no such setting. */
  read(name: string): string | undefined;
  /** Throws where it cannot be set. */
  write(name: string, value: string): void;
}

const conntrackFile = (name: string): string => `/proc/sys/net/netfilter/${name}`;

export const systemConntrackSettings: ConntrackSettings = {
  read(name) {
    try {
      return readFileSync(conntrackFile(name), 'latin1').trim();
    } catch {
      return undefined;
    }
  },
  write: (name, value) => writeFileSync(conntrackFile(name), value),
};

/** Seconds; kube-proxy's defaults. */
const timeouts: Readonly<Record<string, number>> = {
  nf_conntrack_tcp_timeout_established: 24 * 3600,
  // The kernel's minute forgets a connection of which one side goes on sending after the other has finished.
  nf_conntrack_tcp_timeout_close_wait: 3600,
};

/**
 * How long connections are remembered, as kube-proxy sets it. What cannot be set stays and is told: services work without.
 * Returns whether invalid packets of connections have to be dropped: not where the kernel is told to be liberal, as then there are none.
 */
export function prepareConntrack(settings: ConntrackSettings, log: Log): { readonly dropInvalid: boolean } {
  for (const [name, seconds] of Object.entries(timeouts)) {
    const now = settings.read(name);
    if (now === undefined || now === String(seconds)) continue;
    try {
      settings.write(name, String(seconds));
    } catch (error) {
      log.warn('the kernel keeps its own time for which connections are remembered', { name, now, error });
    }
  }
  return { dropInvalid: (settings.read('nf_conntrack_tcp_be_liberal') ?? '0') === '0' };
}

/**
 * Answers that the kernel gives on a link for other addresses are not held back, as they are by default; IPv6 gives them at all; and
 * programs may speak as these addresses, which is how neighbours are told.
 */
export function prepareStandIn(link: string): void {
  writeFileSync(`/proc/sys/net/ipv4/neigh/${link}/proxy_delay`, '0');
  writeFileSync('/proc/sys/net/ipv4/ip_nonlocal_bind', '1');
  // A kernel without IPv6 lacks them.
  for (const [file, value] of [
    [`/proc/sys/net/ipv6/neigh/${link}/proxy_delay`, '0'],
    [`/proc/sys/net/ipv6/conf/${link}/proxy_ndp`, '1'],
  ] as const)
    if (existsSync(file)) writeFileSync(file, value);
}
