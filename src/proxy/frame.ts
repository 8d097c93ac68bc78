// What is always there in the proxy's table: hooks, the maps that the hooks look into, and the few chains they share. Which service a
// packet is for is one lookup in a hash, whatever the number of services (docs/design/0014).
import type { Family } from './contribution.ts';
import type { FrameLine } from './rule-table.ts';

export const tableName = 'jotasu-proxy';

export const protocols = ['tcp', 'udp', 'sctp'] as const;
export type Protocol = (typeof protocols)[number];

export interface FrameOptions {
  /** Addresses of pods in the whole cluster; who is not among them is masqueraded on the way to a cluster address. */
  readonly podCidrs: readonly string[];
  /** From which services get their addresses: what is sent to one that no service has goes nowhere. */
  readonly serviceCidrs: readonly string[];
  /** Pods on this node whose replies to each other would pass the bridge unseen: they are masqueraded. */
  readonly maskedPodCidrs: readonly string[];
  /** Whether node ports answer on each address of the node, or on those in the set alone. */
  readonly everyNodeAddress: boolean;
  /** Whether this kernel calls what is outside a connection's window invalid, and so passes it on with its addresses as they are. */
  readonly dropInvalid: boolean;
  readonly protocols: readonly Protocol[];
}

/** As kube-proxy's: other programs know it. */
const masqueradeMark = '0x00004000';

export const addressType = (family: Family): string => (family === 'ip' ? 'ipv4_addr' : 'ipv6_addr');

const ofFamily = (cidrs: readonly string[], family: Family): string[] =>
  cidrs.filter((cidr) => cidr.includes(':') === (family === 'ip6'));

/** The map in which endpoints are found by the address they are behind, the port, and a number. */
export const endpointsMap = (protocol: Protocol): string => `endpoints-${protocol}`;
/** The same for node ports, which are the same on each address. */
export const nodePortEndpointsMap = (protocol: Protocol): string => `nodeport-endpoints-${protocol}`;

/** Pure. */
export function planFrame(family: Family, options: FrameOptions): FrameLine[] {
  const address = addressType(family);
  const loopback = family === 'ip' ? 'ip daddr != 127.0.0.0/8' : 'ip6 daddr != ::1';
  const map = (name: string, text: string): FrameLine => ({ verb: 'map', name, text });
  const set = (name: string, text: string): FrameLine => ({ verb: 'set', name, text });
  const chain = (name: string, text = ''): FrameLine => ({ verb: 'chain', name, text });
  const rule = (name: string, text: string): FrameLine => ({ verb: 'rule', name, text });
  const byAddress = `type ${address} . inet_proto . inet_service : verdict ;`;
  const byPort = 'type inet_proto . inet_service : verdict ;';
  const toNode = options.everyNodeAddress
    ? `fib daddr type local ${loopback}`
    : `${family} daddr @nodeport-ips`;
  const podCidrs = ofFamily(options.podCidrs, family);
  const strangers = podCidrs.map((cidr) => `${family} saddr != ${cidr}`).join(' ');
  return [
    map('service-ips', byAddress),
    map('service-nodeports', byPort),
    map('no-endpoint-services', byAddress),
    map('no-endpoint-nodeports', byPort),
    map('firewall-ips', byAddress),
    set('cluster-ips', `type ${address} ;`),
    set('nodeport-ips', `type ${address} ;`),
    set('hairpins', `type ${address} . ${address} ;`),
    ...options.protocols.flatMap((protocol) => {
      const endpoint = `numgen random mod 2 : ${family} daddr . ${protocol} dport ;`;
      return [
        map(endpointsMap(protocol), `typeof ${family} daddr . ${protocol} dport . ${endpoint}`),
        map(nodePortEndpointsMap(protocol), `typeof ${protocol} dport . ${endpoint}`),
      ];
    }),
    // Before the addresses are changed, where the client's destination still shows.
    chain('filter-prerouting', 'type filter hook prerouting priority -110 ;'),
    chain('filter-output-before', 'type filter hook output priority -110 ;'),
    chain('nat-prerouting', 'type nat hook prerouting priority -100 ;'),
    chain('nat-output', 'type nat hook output priority -100 ;'),
    // After: who is still on the way to a service was sent nowhere.
    chain('filter-input', 'type filter hook input priority -90 ;'),
    chain('filter-forward', 'type filter hook forward priority -90 ;'),
    chain('filter-output', 'type filter hook output priority -90 ;'),
    chain('nat-postrouting', 'type nat hook postrouting priority 100 ;'),
    ...['services', 'firewall', 'no-endpoints', 'cluster-ips-check', 'reject-all', 'mark-for-masquerade'].map(
      (name) => chain(name),
    ),
    rule('filter-prerouting', 'ct state new jump firewall'),
    rule('filter-output-before', 'ct state new jump firewall'),
    rule('nat-prerouting', 'jump services'),
    rule('nat-output', 'jump services'),
    rule('filter-input', 'ct state new jump no-endpoints'),
    // A client that saw the endpoint's own address would reset the connection.
    ...(options.dropInvalid ? [rule('filter-forward', 'ct state invalid drop')] : []),
    rule('filter-forward', 'ct state new jump no-endpoints'),
    rule('filter-forward', 'ct state new jump cluster-ips-check'),
    rule('filter-output', 'ct state new jump no-endpoints'),
    rule('filter-output', 'ct state new jump cluster-ips-check'),
    rule('firewall', `${family} daddr . meta l4proto . th dport vmap @firewall-ips`),
    ...(strangers === ''
      ? []
      : [rule('services', `${family} daddr @cluster-ips ${strangers} jump mark-for-masquerade`)]),
    rule('services', `${family} daddr . meta l4proto . th dport vmap @service-ips`),
    rule('services', `${toNode} meta l4proto . th dport vmap @service-nodeports`),
    rule('no-endpoints', `${family} daddr . meta l4proto . th dport vmap @no-endpoint-services`),
    rule('no-endpoints', `${toNode} meta l4proto . th dport vmap @no-endpoint-nodeports`),
    // The node answers at some of them itself.
    rule('cluster-ips-check', 'fib daddr type local return'),
    rule('cluster-ips-check', `${family} daddr @cluster-ips goto reject-all`),
    ...ofFamily(options.serviceCidrs, family).map((cidr) =>
      rule('cluster-ips-check', `${family} daddr ${cidr} drop`),
    ),
    // An ICMP message that comes while connect() still holds the socket is only heeded a second later.
    rule('reject-all', 'meta l4proto tcp reject with tcp reset'),
    rule('reject-all', 'reject'),
    rule('mark-for-masquerade', `meta mark set meta mark | ${masqueradeMark}`),
    // A pod that reaches itself must see an answer from where it asked.
    rule(
      'nat-postrouting',
      `ct status dnat ${family} saddr . ${family} daddr @hairpins masquerade fully-random`,
    ),
    ...ofFamily(options.maskedPodCidrs, family).map((cidr) =>
      rule(
        'nat-postrouting',
        `ct status dnat ${family} saddr ${cidr} ${family} daddr ${cidr} masquerade fully-random`,
      ),
    ),
    rule('nat-postrouting', `meta mark & ${masqueradeMark} == 0 return`),
    rule('nat-postrouting', `meta mark set meta mark ^ ${masqueradeMark}`),
    rule('nat-postrouting', 'masquerade fully-random'),
  ];
}

/** Sends a connection to one of `count` endpoints behind the address it is for. Shared by all services that have so many. */
export const spreadChain = (protocol: Protocol, count: number): string => `spread-${protocol}-${count}`;
/** The same for those that come from outside and whose answers must come back through this node. */
export const externalSpreadChain = (protocol: Protocol, count: number): string =>
  `external-spread-${protocol}-${count}`;
export const nodePortSpreadChain = (protocol: Protocol, count: number): string =>
  `nodeport-spread-${protocol}-${count}`;

export const markRule = 'jump mark-for-masquerade';

export function spreadRules(family: Family, protocol: Protocol, count: number): string[] {
  const key = `${family} daddr . ${protocol} dport . numgen random mod ${count}`;
  return [`dnat ${family} to ${key} map @${endpointsMap(protocol)}`];
}

export const externalSpreadRules = (protocol: Protocol, count: number): string[] => [
  markRule,
  `goto ${spreadChain(protocol, count)}`,
];

export function nodePortSpreadRules(family: Family, protocol: Protocol, count: number): string[] {
  const key = `${protocol} dport . numgen random mod ${count}`;
  return [markRule, `dnat ${family} to ${key} map @${nodePortEndpointsMap(protocol)}`];
}
