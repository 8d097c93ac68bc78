// Pods reach other nodes over VXLAN, for nodes that share no link: one tunnel device a node, and for every other node a route, a neighbour
// and a forwarding entry. The choice: nothing is learnt from packets. Each node tells the address and the MAC of its end by annotations
// of its Node, and everything else follows from the Node objects; a MAC follows from the node's name, so it survives the device.
import { createHash } from 'node:crypto';
import type { Node } from '../api/index.ts';
import type { Exec } from '../os/index.ts';

export const vtepAddressAnnotation = 'network.jotasu.dev/vtep-address';
export const vtepMacAnnotation = 'network.jotasu.dev/vtep-mac';

export const tunnelDevice = 'jts-vxlan';
const networkId = 1;
/** Linux' own default, as flannel has it; the number that IANA gave out is 4789. */
export const tunnelPort = 8472;
/** What an Ethernet frame in VXLAN over IPv4 costs: 14 + 8 + 8 + 20 bytes. */
export const tunnelOverhead = 50;

/** A range of pods, and the end of the tunnel to them inside: the first address of that range, which no pod gets. */
export interface InsideRange {
  readonly podCidr: string;
  readonly inside: string;
}

/** The other end of a tunnel. */
export interface Peer {
  /** One of each family that its pods have: what goes through the tunnel may be of either. */
  readonly ranges: readonly InsideRange[];
  readonly mac: string;
  /** Its end outside: the address of the node. */
  readonly outside: string;
}

/** Locally administered, one address. Pure. */
export function tunnelMac(nodeName: string): string {
  const bytes = createHash('sha256').update(`vtep ${nodeName}`).digest().subarray(0, 6);
  bytes[0] = (bytes[0]! & 0xfc) | 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** What a node tells of its end; null takes the annotation away, where it does not use tunnels. */
export const planAnnotations = (
  end: { readonly nodeName: string; readonly nodeIp: string } | undefined,
): Record<string, string | null> => ({
  [vtepAddressAnnotation]: end?.nodeIp ?? null,
  [vtepMacAnnotation]: end === undefined ? null : tunnelMac(end.nodeName),
});

const ipv4 = /^\d{1,3}(\.\d{1,3}){3}$/;
const mac = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** The end of the tunnel to a node; undefined for one that has none, or that tells nonsense. Pure. */
export function peerOf(node: Node): Peer | undefined {
  const outside = node.metadata.annotations?.[vtepAddressAnnotation] ?? '';
  const address = node.metadata.annotations?.[vtepMacAnnotation] ?? '';
  const { podCIDRs, podCIDR } = node.spec ?? {};
  const ranges = (podCIDRs ?? (podCIDR ? [podCIDR] : [])).map((cidr) => ({
    podCidr: cidr,
    inside: insideOf(cidr),
  }));
  if (ranges.length === 0 || !ipv4.test(outside) || !mac.test(address)) return undefined;
  if (node.metadata.deletionTimestamp !== undefined) return undefined;
  return { ranges, mac: address, outside };
}

export const insideOf = (podCidr: string): string => podCidr.split('/')[0]!;

/** This node's own end, as the kernel has it or shall have it. */
export interface TunnelEnd {
  readonly mac: string;
  readonly outside: string;
  readonly insides: readonly string[];
  readonly mtu: number;
}

/** The kernel lists IPv4 first. */
const sorted = (addresses: readonly string[]): string => [...addresses].sort().join();

/** Lines for `ip -batch` that make the device what it shall be. What cannot be changed is made anew. Pure. */
export function planDevice(want: TunnelEnd | undefined, have: TunnelEnd | undefined): string[] {
  const same =
    want !== undefined &&
    have !== undefined &&
    want.mac === have.mac &&
    want.outside === have.outside &&
    sorted(want.insides) === sorted(have.insides) &&
    want.mtu === have.mtu;
  if (same) return [];
  const lines = have === undefined ? [] : [`link delete ${tunnelDevice}`];
  if (want === undefined) return lines;
  return [
    ...lines,
    `link add name ${tunnelDevice} address ${want.mac} mtu ${want.mtu} type vxlan id ${networkId} dstport ${tunnelPort} local ${want.outside} nolearning`,
    ...want.insides.map((inside) =>
      inside.includes(':')
        ? `address add ${inside}/128 dev ${tunnelDevice} nodad`
        : `address add ${inside}/32 dev ${tunnelDevice}`,
    ),
    `link set ${tunnelDevice} up`,
  ];
}

/** What the kernel knows of other ends. */
export interface TunnelTables {
  /** inside → MAC */
  readonly neighbours: ReadonlyMap<string, string>;
  /** MAC → outside */
  readonly forwarding: ReadonlyMap<string, string>;
}

/** Lines for `ip -batch` (neighbours) and for `bridge -batch` (forwarding). Pure. */
export function planTables(
  peers: readonly Peer[],
  have: TunnelTables,
): { readonly neighbours: string[]; readonly forwarding: string[] } {
  const byInside = new Map(
    peers.flatMap(({ ranges, mac }) => ranges.map(({ inside }) => [inside, mac] as const)),
  );
  const byMac = new Map(peers.map((peer) => [peer.mac, peer.outside]));
  return {
    neighbours: [
      ...[...have.neighbours.keys()]
        .filter((inside) => !byInside.has(inside))
        .map((inside) => `neigh del ${inside} dev ${tunnelDevice}`),
      ...[...byInside]
        .filter(([inside, address]) => have.neighbours.get(inside) !== address)
        .map(
          ([inside, address]) =>
            `neigh replace ${inside} lladdr ${address} dev ${tunnelDevice} nud permanent`,
        ),
    ],
    forwarding: [
      ...[...have.forwarding]
        .filter(([address, outside]) => byMac.get(address) !== outside)
        .map(([address, outside]) => `fdb del ${address} dev ${tunnelDevice} dst ${outside} self`),
      ...[...byMac]
        .filter(([address, outside]) => have.forwarding.get(address) !== outside)
        .map(
          ([address, outside]) => `fdb replace ${address} dev ${tunnelDevice} dst ${outside} self permanent`,
        ),
    ],
  };
}

interface LinkJson {
  readonly address?: string;
  readonly mtu?: number;
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: { readonly local?: string } };
  readonly addr_info?: readonly { readonly family?: string; readonly local?: string }[];
}

const parse = <T>(json: string): T[] => (json.trim() === '' ? [] : (JSON.parse(json) as T[]));

/** undefined = there is no such device. */
export async function readDevice(exec: Exec): Promise<TunnelEnd | undefined> {
  const { code, stdout } = await exec.run(
    ['ip', '-json', '-details', 'address', 'show', 'dev', tunnelDevice],
    {
      mayFail: true,
    },
  );
  if (code !== 0) return undefined;
  const link = parse<LinkJson>(stdout).find(({ address }) => address !== undefined);
  if (link === undefined) return undefined;
  return {
    mac: link.address ?? '',
    mtu: link.mtu ?? 0,
    outside: link.linkinfo?.info_data?.local ?? '',
    // The kernel gives it one of its own, of the link alone.
    insides: (link.addr_info ?? []).flatMap(({ local }) =>
      local === undefined || local.startsWith('fe80:') ? [] : [local],
    ),
  };
}

export async function readTables(exec: Exec): Promise<TunnelTables> {
  const neighbours = await exec.run([
    'ip',
    '-json',
    'neigh',
    'show',
    'dev',
    tunnelDevice,
    'nud',
    'permanent',
  ]);
  const forwarding = await exec.run(['bridge', '-json', 'fdb', 'show', 'dev', tunnelDevice]);
  return {
    neighbours: new Map(
      parse<{ dst: string; lladdr?: string }>(neighbours.stdout).map(({ dst, lladdr = '' }) => [dst, lladdr]),
    ),
    forwarding: new Map(
      parse<{ mac: string; dst?: string }>(forwarding.stdout).flatMap(({ mac: address, dst }) =>
        dst === undefined ? [] : [[address, dst] as const],
      ),
    ),
  };
}
