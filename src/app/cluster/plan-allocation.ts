// Which addresses, names and port a new cluster gets, so that it collides with nothing this machine has. Pure: what is there in,
// a choice out.
import { CommandFailure } from '../../cli/index.ts';
import type { Link, Route } from '../../os/index.ts';
import type { ClusterState, NodeState } from './state.ts';

export interface Range {
  /** First and last address as whole numbers. */
  readonly first: number;
  readonly last: number;
}

export interface Surroundings {
  readonly links: readonly Link[];
  readonly routes: readonly Route[];
  readonly clusters: readonly ClusterState[];
}

export type Allocation = Pick<
  ClusterState,
  'index' | 'bridge' | 'mtu' | 'nodeCidr' | 'gateway' | 'podCidr' | 'serviceCidr'
>;

/** undefined for what is not an IPv4 range. A single address is a range of one. */
export function parseRange(text: string): Range | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const [a, b, c, d] = match.slice(1, 5).map(Number) as [number, number, number, number];
  const size = 2 ** (32 - Number(match[5] ?? 32));
  const address = ((a * 256 + b) * 256 + c) * 256 + d;
  const first = address - (address % size);
  return { first, last: first + size - 1 };
}

/** Where pods ask for names: the tenth address of the services' range, as the server has it for its service `kube-dns`. */
export function dnsAddressOf(serviceCidr: string): string {
  const address = (parseRange(serviceCidr)?.first ?? 0) + 10;
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

export const overlap = (a: Range, b: Range): boolean => a.first <= b.last && b.first <= a.last;

const bridgeOf = (index: number): string => `jts${index}`;
const maxIndex = 255;

/** Pod ranges in the order in which they are tried: the usual one first. */
const podRanges = [
  ...Array.from({ length: 12 }, (_, i) => `10.${244 + i}.0.0/16`),
  ...Array.from({ length: 44 }, (_, i) => `10.${200 + i}.0.0/16`),
];
/** Services exist only inside nodes, so clusters share their range; only the machine's own networks must not be in it. */
const serviceRanges = Array.from({ length: 16 }, (_, i) => `10.${96 + i}.0.0/16`);

/** Throws a CommandFailure when nothing is left. */
export function planAllocation(around: Surroundings): Allocation {
  const outside = [
    ...around.routes.map((route) => parseRange(route.destination)),
    ...around.links.flatMap((link) => link.addresses.map(parseRange)),
  ].filter((range) => range !== undefined);
  const ofClusters = around.clusters.flatMap((cluster) => [
    parseRange(cluster.nodeCidr)!,
    parseRange(cluster.podCidr)!,
  ]);
  const free = (cidr: string, taken: readonly Range[]) =>
    !taken.some((range) => overlap(range, parseRange(cidr)!));
  const all = [...outside, ...ofClusters];

  let index = 0;
  while (
    around.clusters.some((cluster) => cluster.index === index) ||
    around.links.some((link) => link.name === bridgeOf(index)) ||
    !free(`10.89.${index}.0/24`, all)
  )
    if (++index > maxIndex)
      throw new CommandFailure('no range of 10.89.0.0/16 is free for the nodes of a cluster');

  const podCidr = podRanges.find((cidr) => free(cidr, all));
  if (podCidr === undefined)
    throw new CommandFailure('none of the ranges 10.200.0.0/16 to 10.255.0.0/16 is free for pods');
  const serviceCidr = serviceRanges.find((cidr) => free(cidr, all));
  if (serviceCidr === undefined)
    throw new CommandFailure('none of the ranges 10.96.0.0/16 to 10.111.0.0/16 is free for services');

  return {
    index,
    bridge: bridgeOf(index),
    mtu: planMtu(around),
    nodeCidr: `10.89.${index}.0/24`,
    gateway: `10.89.${index}.1`,
    podCidr,
    serviceCidr,
  };
}

/** That of the way out, so that no packet of a node has to be cut on it. */
function planMtu(around: Surroundings): number {
  const device = around.routes.find((route) => route.destination === 'default')?.device;
  const mtu = around.links.find((link) => link.name === device)?.mtu ?? 1500;
  return Math.max(1280, Math.min(1500, mtu));
}

/** Node number 1 is at .2: the first address of the range is this machine's. */
export function planNode(cluster: Allocation, number: number, name: string): NodeState {
  if (number > 253) throw new CommandFailure('a cluster has room for 253 nodes, removed ones included');
  return {
    name,
    number,
    address: cluster.gateway.replace(/\d+$/, String(number + 1)),
    link: `${cluster.bridge}n${number}`,
    process: null,
  };
}
