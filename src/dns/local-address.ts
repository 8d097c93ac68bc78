// The addresses of the cluster's DNS on this node: on the loopback link, which every kernel has, and nftables that keep silent while
// nobody listens. The plans are text; both outlive the agent, so that a question asked while it restarts is lost instead of refused.
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { applyLinks, applyRuleset, type Exec, planTable } from '../os/index.ts';

const link = 'lo';
const table = 'jotasu-dns';

/**
 * `present`: the addresses that are there. Those of another time stay: nobody can tell them from an administrator's. Scope host, so
 * that the kernel never speaks to others from them by itself.
 */
export function planAddresses(addresses: readonly string[], present: readonly string[]): string[] {
  return addresses
    .map((address) => (isIPv6(address) ? `${address}/128` : `${address}/32`))
    .filter((address) => !present.includes(address))
    .map((address) => `address add ${address} dev ${link} ${address.includes(':') ? 'nodad' : 'scope host'}`);
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

/** Rejects with a CommandError. Runs no program when everything is there: after a restart of the agent time is short. */
export async function ensureAddresses(exec: Exec, addresses: readonly string[]): Promise<void> {
  const wanted = planAddresses(addresses, ownAddresses());
  if (wanted.length > 0) await applyLinks(exec, wanted);
}

/** Needed when the agent ends: not awaited by who answers. */
export async function ensureSilence(exec: Exec, addresses: readonly string[]): Promise<void> {
  await applyRuleset(exec, planSilence(addresses));
}

const ownAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ cidr }) => cidr ?? ''));
