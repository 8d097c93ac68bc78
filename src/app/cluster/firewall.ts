// What lets a cluster's packets through this machine: a table of its own that hides pods and nodes behind the machine's address,
// and, where a firewall drops what it does not know, rules in that firewall that let the cluster's bridge pass. The plans are pure.
import { readFileSync } from 'node:fs';
import {
  applyRuleset,
  type Exec,
  findProgram,
  type IpVersion,
  planTable,
  readBaseChains,
  removeTable,
  tableExists,
  versionsOf,
} from '../../os/index.ts';
import { nftTable } from './places.ts';
import type { ClusterState } from './state.ts';

type Network = Pick<ClusterState, 'name' | 'bridge' | 'nodeCidr' | 'podCidr'>;

/** The families of its nodes; both of a cluster that nothing is known of. */
const versionsOfNetwork = ({ nodeCidr }: Network): readonly IpVersion[] =>
  nodeCidr === '' ? [4, 6] : versionsOf(nodeCidr.split(','));

const familyOf = (version: IpVersion): 'ip' | 'ip6' => (version === 4 ? 'ip' : 'ip6');

/** One table for each family. */
export const planMasquerade = (cluster: Network): string =>
  versionsOfNetwork(cluster)
    .map((version) => {
      const family = familyOf(version);
      const ranges = `${cluster.nodeCidr},${cluster.podCidr}`
        .split(',')
        .filter((range) => range.includes(':') === (version === 6));
      const ours = `{ ${ranges.join(', ')} }`;
      return planTable(family, `jotasu-${cluster.name}`, [
        '  chain postrouting {',
        '    type nat hook postrouting priority srcnat; policy accept;',
        `    ${family} saddr ${ours} ${family} daddr != ${ours} oifname != "${cluster.bridge}" masquerade`,
        '  }',
      ]);
    })
    .join('');

/** What a firewall of this machine does with strangers. */
export interface HostFirewall {
  /** Chains of iptables whose policy is to drop, of INPUT and FORWARD. */
  readonly dropping: readonly string[];
  /** The same of ip6tables; undefined = nobody asked. */
  readonly dropping6?: readonly string[] | undefined;
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
  const rules: FirewallRule[] = [];
  const open = (program: string, dropping: readonly string[]): void => {
    const rule = (chain: string, direction: '-i' | '-o'): FirewallRule => ({
      check: [program, '-w', '-C', chain, ...match(direction)],
      add: [program, '-w', '-I', chain, '1', ...match(direction)],
      remove: [program, '-w', '-D', chain, ...match(direction)],
    });
    if (dropping.includes('INPUT')) rules.push(rule('INPUT', '-i'));
    if (dropping.includes('FORWARD')) rules.push(rule('FORWARD', '-i'), rule('FORWARD', '-o'));
  };
  open('iptables', firewall.dropping);
  open('ip6tables', firewall.dropping6 ?? []);
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

async function readHostFirewall(
  exec: Exec,
  versions: readonly IpVersion[],
  searchPath: string,
): Promise<HostFirewall> {
  const chains = await readBaseChains(exec);
  const firewalld =
    findProgram('firewall-cmd', searchPath) !== undefined &&
    (await exec.run(['firewall-cmd', '--quiet', '--state'], { mayFail: true })).code === 0;
  const dropping = async (version: IpVersion): Promise<readonly string[]> => {
    const program = version === 4 ? 'iptables' : 'ip6tables';
    if (!versions.includes(version) || findProgram(program, searchPath) === undefined) return [];
    const found = new Set(
      chains
        .filter(
          ({ family, table, policy }) =>
            family === familyOf(version) && table === 'filter' && policy === 'drop',
        )
        .map(({ name }) => name),
    );
    // The older kernel interface of iptables is not seen by nft. Asking iptables itself would set up tables that nobody uses.
    if (legacyTables(version).includes('filter'))
      for (const chain of ['INPUT', 'FORWARD'])
        if (
          (await exec.run([program, '-w', '-S', chain], { mayFail: true })).stdout.startsWith(
            `-P ${chain} DROP`,
          )
        )
          found.add(chain);
    return [...found];
  };
  return { dropping: await dropping(4), dropping6: await dropping(6), firewalld };
}

function legacyTables(version: IpVersion): string[] {
  try {
    return readFileSync(`/proc/net/${version === 4 ? 'ip' : 'ip6'}_tables_names`, 'utf8').split('\n');
  } catch {
    return [];
  }
}

export async function ensureFirewall(
  exec: Exec,
  cluster: ClusterState,
  searchPath: string,
): Promise<'made' | 'there'> {
  const versions = versionsOfNetwork(cluster);
  let there = true;
  for (const version of versions) there &&= await tableExists(exec, familyOf(version), nftTable(cluster));
  // Written in any case: one transaction costs less than comparing.
  await applyRuleset(exec, planMasquerade(cluster));
  let added = false;
  for (const rule of planOpening(await readHostFirewall(exec, versions, searchPath), cluster))
    if ((await exec.run(rule.check, { mayFail: true })).code !== 0) {
      await exec.run(rule.add);
      added = true;
    }
  return there && !added ? 'there' : 'made';
}

export async function removeFirewall(exec: Exec, cluster: Network, searchPath: string): Promise<void> {
  const versions = versionsOfNetwork(cluster);
  // The kernel may lack what nobody asked it for.
  for (const version of versions)
    if (version === 4 || (await tableExists(exec, 'ip6', nftTable(cluster))))
      await removeTable(exec, familyOf(version), nftTable(cluster));
  for (const rule of planOpening(await readHostFirewall(exec, versions, searchPath), cluster))
    if ((await exec.run(rule.check, { mayFail: true })).code === 0)
      await exec.run(rule.remove, { mayFail: true });
}
