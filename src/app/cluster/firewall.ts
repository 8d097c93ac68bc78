// What lets a cluster's packets through this machine: a table of its own that hides pods and nodes behind the machine's address,
// and, where a firewall drops what it does not know, rules in that firewall that let the cluster's bridge pass. The plans are pure.
import { readFileSync, writeFileSync } from 'node:fs';
import {
  applyRuleset,
  type Exec,
  findProgram,
  planTable,
  readBaseChains,
  removeTable,
  tableExists,
} from '../../os/index.ts';
import { nftTable } from './places.ts';
import type { ClusterState } from './state.ts';

type Network = Pick<ClusterState, 'name' | 'bridge' | 'nodeCidr' | 'podCidr'>;

export function planMasquerade(cluster: Network): string {
  const ours = `{ ${cluster.nodeCidr}, ${cluster.podCidr} }`;
  return planTable('ip', `jotasu-${cluster.name}`, [
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    `    ip saddr ${ours} ip daddr != ${ours} oifname != "${cluster.bridge}" masquerade`,
    '  }',
  ]);
}

/** What a firewall of this machine does with strangers. */
export interface HostFirewall {
  /** Chains of iptables whose policy is to drop, of INPUT and FORWARD. */
  readonly dropping: readonly string[];
  readonly firewalld: boolean;
}

/** One entry a rule: how to ask for it, make it and take it away. */
export interface FirewallRule {
  readonly check: readonly string[];
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

export function planOpening(firewall: HostFirewall, cluster: Network): FirewallRule[] {
  const match = (direction: '-i' | '-o') => [
    direction,
    cluster.bridge,
    '-m',
    'comment',
    '--comment',
    `jotasu ${cluster.name}`,
    '-j',
    'ACCEPT',
  ];
  const rule = (chain: string, direction: '-i' | '-o'): FirewallRule => ({
    check: ['iptables', '-w', '-C', chain, ...match(direction)],
    add: ['iptables', '-w', '-I', chain, '1', ...match(direction)],
    remove: ['iptables', '-w', '-D', chain, ...match(direction)],
  });
  const rules: FirewallRule[] = [];
  if (firewall.dropping.includes('INPUT')) rules.push(rule('INPUT', '-i'));
  if (firewall.dropping.includes('FORWARD')) rules.push(rule('FORWARD', '-i'), rule('FORWARD', '-o'));
  if (firewall.firewalld) {
    const zone = ['firewall-cmd', '--quiet', '--zone=trusted'];
    rules.push({
      check: [...zone, `--query-interface=${cluster.bridge}`],
      add: [...zone, `--add-interface=${cluster.bridge}`],
      remove: [...zone, `--remove-interface=${cluster.bridge}`],
    });
  }
  return rules;
}

async function readHostFirewall(exec: Exec, searchPath: string): Promise<HostFirewall> {
  const iptables = findProgram('iptables', searchPath) !== undefined;
  const chains = await readBaseChains(exec);
  const dropping = new Set(
    chains
      .filter(({ family, table, policy }) => family === 'ip' && table === 'filter' && policy === 'drop')
      .map(({ name }) => name),
  );
  // The older kernel interface of iptables is not seen by nft. Asking iptables itself would set up tables that nobody uses.
  if (iptables && legacyTables().includes('filter'))
    for (const chain of ['INPUT', 'FORWARD'])
      if (
        (await exec.run(['iptables', '-w', '-S', chain], { mayFail: true })).stdout.startsWith(
          `-P ${chain} DROP`,
        )
      )
        dropping.add(chain);
  const firewalld =
    findProgram('firewall-cmd', searchPath) !== undefined &&
    (await exec.run(['firewall-cmd', '--quiet', '--state'], { mayFail: true })).code === 0;
  return { dropping: iptables ? [...dropping] : [], firewalld };
}

function legacyTables(): string[] {
  try {
    return readFileSync('/proc/net/ip_tables_names', 'utf8').split('\n');
  } catch {
    return [];
  }
}

export async function ensureFirewall(
  exec: Exec,
  cluster: ClusterState,
  searchPath: string,
): Promise<'made' | 'there'> {
  const there = await tableExists(exec, 'ip', nftTable(cluster));
  // Written in any case: one transaction costs less than comparing.
  await applyRuleset(exec, planMasquerade(cluster));
  let added = false;
  for (const rule of planOpening(await readHostFirewall(exec, searchPath), cluster))
    if ((await exec.run(rule.check, { mayFail: true })).code !== 0) {
      await exec.run(rule.add);
      added = true;
    }
  return there && !added ? 'there' : 'made';
}

export async function removeFirewall(exec: Exec, cluster: Network, searchPath: string): Promise<void> {
  await removeTable(exec, 'ip', nftTable(cluster));
  for (const rule of planOpening(await readHostFirewall(exec, searchPath), cluster))
    if ((await exec.run(rule.check, { mayFail: true })).code === 0)
      await exec.run(rule.remove, { mayFail: true });
}

const forwardingFile = '/proc/sys/net/ipv4/ip_forward';

export const isForwarding = (): boolean => readFileSync(forwardingFile, 'latin1').trim() === '1';

export function setForwarding(value: '0' | '1'): void {
  writeFileSync(forwardingFile, value);
}
