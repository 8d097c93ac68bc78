// What is always there in the table of network policies: hooks, and the maps that say which pods of this node are isolated. Two base
// chains at one hook, since what one of them accepts the next still judges (docs/design/0017).
import type { Family } from '../contribution.ts';
import { addressType } from '../frame.ts';
import type { FrameLine } from '../rule-table.ts';

export const policyTable = 'jotasu-policy';

export type Direction = 'ingress' | 'egress';

/** Addresses of isolated pods of this node, each with the chain that judges. */
export const isolatedPods = (direction: Direction): string => `${direction}-pods`;
/** Pods that reach themselves. */
export const hairpins = 'hairpins';
/** Where the node itself answers as the cluster's DNS. */
export const dnsAddresses = 'dns-addresses';

/** Pure. */
export function planPolicyFrame(family: Family): FrameLine[] {
  const address = addressType(family);
  const map = (name: string, text: string): FrameLine => ({ verb: 'map', name, text });
  const set = (name: string, text: string): FrameLine => ({ verb: 'set', name, text });
  const chain = (name: string, text: string): FrameLine => ({ verb: 'chain', name, text });
  const rule = (name: string, text: string): FrameLine => ({ verb: 'rule', name, text });
  const both = (name: string): FrameLine[] => [
    rule(name, 'ct state established,related accept'),
    // Without them, which are no connections, neighbours would not find each other.
    ...(family === 'ip6' ? [rule(name, 'icmpv6 type 130-137 accept')] : []),
    rule(name, `${family} saddr . ${family} daddr @${hairpins} accept`),
  ];
  return [
    map(isolatedPods('ingress'), `type ${address} : verdict ;`),
    map(isolatedPods('egress'), `type ${address} : verdict ;`),
    set(hairpins, `type ${address} . ${address} ;`),
    set(dnsAddresses, `type ${address} ;`),
    // Addresses of services have become those of pods before, the source becomes the node's after.
    chain('egress', 'type filter hook forward priority 0 ;'),
    chain('ingress', 'type filter hook forward priority 1 ;'),
    chain('egress-to-dns', 'type filter hook input priority 0 ;'),
    ...both('egress'),
    rule('egress', `${family} saddr vmap @${isolatedPods('egress')}`),
    ...both('ingress'),
    rule('ingress', `${family} daddr vmap @${isolatedPods('ingress')}`),
    rule('egress-to-dns', 'ct state established,related accept'),
    rule('egress-to-dns', `${family} daddr @${dnsAddresses} ${family} saddr vmap @${isolatedPods('egress')}`),
  ];
}
