// The addresses of the cluster's DNS on this node: a dummy link that holds them, and nftables that keep silent while nobody listens. The
// plans are text; both outlive the agent, so that a question asked while it restarts is lost instead of refused.
import { isIPv6 } from 'node:net';
import {
  applyLinks,
  applyRuleset,
  type Exec,
  planTable,
  readLinks,
  removeLink,
  removeTable,
} from '../os/index.ts';

export const dnsLink = 'jotasu-dns';
const table = 'jotasu-dns';

const host = (address: string): string => `${address}/${isIPv6(address) ? 128 : 32}`;

/** `present`: the addresses of the link as it is, undefined when there is none. */
export function planAddresses(
  addresses: readonly string[],
  present: readonly string[] | undefined,
): string[] {
  const wanted = addresses.map(host);
  // The kernel gives each link an address of its own in IPv6.
  const extra = (present ?? []).filter((one) => !wanted.includes(one) && !one.startsWith('fe80:'));
  return [
    ...(present === undefined ? [`link add name ${dnsLink} type dummy`] : []),
    `link set ${dnsLink} up`,
    ...extra.map((one) => `address delete ${one} dev ${dnsLink}`),
    ...wanted
      .filter((one) => present?.includes(one) !== true)
      .map((one) => `address add ${one} dev ${dnsLink}${one.includes(':') ? ' nodad' : ''}`),
  ];
}

/** glibc takes "port unreachable" for the last word, and nothing for a reason to ask again. */
export function planSilence(addresses: readonly string[]): string {
  return planTable('inet', table, [
    '  chain output {',
    '    type filter hook output priority filter; policy accept;',
    ...addresses.map((address) =>
      isIPv6(address)
        ? `    ip6 saddr ${address} icmpv6 type destination-unreachable drop`
        : `    ip saddr ${address} icmp type destination-unreachable drop`,
    ),
    '  }',
  ]);
}

export async function ensureAddresses(exec: Exec, addresses: readonly string[]): Promise<void> {
  const link = (await readLinks(exec)).find(({ name }) => name === dnsLink);
  await applyLinks(exec, planAddresses(addresses, link?.addresses));
  await applyRuleset(exec, planSilence(addresses));
}

/** For a node that serves no DNS any more. */
export async function removeAddresses(exec: Exec): Promise<void> {
  await removeLink(exec, dnsLink);
  await removeTable(exec, 'inet', table);
}
