// Which addresses, names and port a new cluster gets, so that it collides with nothing this machine has. Pure: what is there in,
// a choice out.
import { CommandFailure } from '../../cli/index.ts';
import { type IpFamily, parseCidr, parseIp } from '../../machinery/index.ts';
import type { Link, Route } from '../../os/index.ts';
import type { ClusterState, NodeState } from './state.ts';

export interface Range {
  readonly family: IpFamily;
  /** First and last address as whole numbers. */
  readonly first: bigint;
  readonly last: bigint;
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

/** What flags say: one range, or one of each family with a comma between. */
export interface AskedRanges {
  readonly clusterCidr?: string | undefined;
  readonly serviceCidr?: string | undefined;
}

const numberOf = (bytes: readonly number[]): bigint =>
  bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);

/** undefined for what is no range. A single address is a range of one. */
export function parseRange(text: string): Range | undefined {
  const cidr = parseCidr(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`);
  if (cidr === undefined) return undefined;
  const bits = BigInt(cidr.bytes.length * 8 - cidr.prefixLength);
  const first = (numberOf(cidr.bytes) >> bits) << bits;
  return { family: cidr.family, first, last: first + (1n << bits) - 1n };
}

/** Where pods ask for names: the tenth address of each of the services' ranges, as the server has it for its service `kube-dns`. */
export const dnsAddressOf = (serviceCidr: string): string =>
  serviceCidr
    .split(',')
    .flatMap((text) => {
      const range = parseRange(text);
      return range === undefined ? [] : [addressText(range.first + 10n, range.family)];
    })
    .join();

function addressText(value: bigint, family: IpFamily): string {
  if (family === 'IPv4') return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
  );
  return parseIp(groups.join(':'))!.text;
}

function rangeText({ first, last, family }: Range): string {
  let bits = family === 'IPv4' ? 32 : 128;
  for (let size = last - first; size > 0n; size >>= 1n) bits--;
  return `${addressText(first, family)}/${bits}`;
}

export const overlap = (a: Range, b: Range): boolean =>
  a.family === b.family && a.first <= b.last && b.first <= a.last;

const poolFirst = 200n;
const poolLast = 250n;

/** Addresses of load balancers on the link of the nodes: fifty of its first 250 in each family; nodes are counted from the other end. */
export const planPool = (nodeCidr: string): readonly string[] =>
  nodeCidr.split(',').map((text) => {
    const { first, family } = parseRange(text)!;
    return `${addressText(first + poolFirst, family)}-${addressText(first + poolLast, family)}`;
  });

const bridgeOf = (index: number): string => `jts${index}`;
const maxIndex = 255;

interface Candidates {
  /** Of the nodes of the cluster with that number. */
  readonly nodes: (index: number) => { readonly cidr: string; readonly gateway: string };
  /** In the order in which they are tried: the usual one first. */
  readonly pods: readonly string[];
  /** Services exist only inside nodes, so clusters share their range; only the machine's own networks must not be in it. */
  readonly services: readonly string[];
  readonly inWords: Readonly<Record<'nodes' | 'pods' | 'services', string>>;
}

const counted = (first: number, count: number, text: (number: number) => string): string[] =>
  Array.from({ length: count }, (_, i) => text(first + i));

const candidates: Readonly<Record<IpFamily, Candidates>> = {
  IPv4: {
    nodes: (index) => ({ cidr: `10.89.${index}.0/24`, gateway: `10.89.${index}.1` }),
    pods: [...counted(244, 12, (n) => `10.${n}.0.0/16`), ...counted(200, 44, (n) => `10.${n}.0.0/16`)],
    services: counted(96, 16, (n) => `10.${n}.0.0/16`),
    inWords: {
      nodes: '10.89.0.0/16',
      pods: '10.200.0.0/16 to 10.255.0.0/16',
      services: '10.96.0.0/16 to 10.111.0.0/16',
    },
  },
  IPv6: {
    nodes: (index) => {
      const network = `fd00:10:89:${index.toString(16)}`;
      return { cidr: parseCidr(`${network}::/64`)!.network, gateway: parseIp(`${network}::1`)!.text };
    },
    pods: [...counted(244, 12, (n) => `fd00:10:${n}::/56`), ...counted(200, 44, (n) => `fd00:10:${n}::/56`)],
    services: counted(96, 16, (n) => `fd00:10:${n}::/112`),
    inWords: {
      nodes: 'fd00:10:89::/48',
      pods: 'fd00:10:200::/56 to fd00:10:255::/56',
      services: 'fd00:10:96::/112 to fd00:10:111::/112',
    },
  },
};

const familiesOf = (ranges: string): IpFamily[] =>
  ranges.split(',').map((range) => (range.includes(':') ? 'IPv6' : 'IPv4'));

/** IPv4 alone unless flags name ranges. Throws a CommandFailure when nothing is left, or when what was asked for cannot be. */
export function planAllocation(around: Surroundings, asked: AskedRanges = {}): Allocation {
  const families = familiesOf(asked.clusterCidr ?? asked.serviceCidr ?? '10.244.0.0/16');
  if (
    asked.serviceCidr !== undefined &&
    familiesOf(asked.serviceCidr).sort().join() !== [...families].sort().join()
  )
    throw new CommandFailure(
      `--cluster-cidr ${asked.clusterCidr} and --service-cidr ${asked.serviceCidr} must be of the same address families`,
      { exitCode: 2 },
    );
  const outside = [
    ...around.routes.map((route) => parseRange(route.destination)),
    ...around.links.flatMap((link) => link.addresses.map(parseRange)),
  ].filter((range) => range !== undefined);
  const ofClusters = around.clusters.flatMap((cluster) =>
    [cluster.nodeCidr, cluster.podCidr].flatMap((ranges) =>
      ranges.split(',').map((range) => parseRange(range)!),
    ),
  );
  const free = (cidr: string, taken: readonly Range[]) =>
    !taken.some((range) => overlap(range, parseRange(cidr)!));
  const all = [...outside, ...ofClusters];
  const given = (flag: string, ranges: string, taken: readonly Range[]): string => {
    for (const range of ranges.split(',')) {
      const other = taken.find((one) => overlap(one, parseRange(range)!));
      if (other !== undefined)
        throw new CommandFailure(
          `--${flag} ${range}: this machine uses ${rangeText(other)} already; choose another range, or give no range to get a free one`,
        );
    }
    return ranges;
  };

  let index = 0;
  while (
    around.clusters.some((cluster) => cluster.index === index) ||
    around.links.some((link) => link.name === bridgeOf(index)) ||
    !families.every((family) => free(candidates[family].nodes(index).cidr, all))
  )
    if (++index > maxIndex)
      throw new CommandFailure(
        `no range of ${families.map((family) => candidates[family].inWords.nodes).join()} is free for the nodes of a cluster`,
      );

  const choose = (what: 'pods' | 'services', taken: readonly Range[]): string =>
    families
      .map((family) => {
        const found = candidates[family][what].find((cidr) => free(cidr, taken));
        if (found !== undefined) return found;
        throw new CommandFailure(
          `none of the ranges ${candidates[family].inWords[what]} is free for ${what}`,
        );
      })
      .join();

  const nodes = families.map((family) => candidates[family].nodes(index));
  return {
    index,
    bridge: bridgeOf(index),
    mtu: planMtu(around),
    nodeCidr: nodes.map(({ cidr }) => cidr).join(),
    gateway: nodes.map(({ gateway }) => gateway).join(),
    podCidr:
      asked.clusterCidr === undefined ? choose('pods', all) : given('cluster-cidr', asked.clusterCidr, all),
    serviceCidr:
      asked.serviceCidr === undefined
        ? choose('services', outside)
        : given('service-cidr', asked.serviceCidr, outside),
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
    address: cluster.gateway
      .split(',')
      .map((gateway) => gateway.replace(/\d+$/, (number + 1).toString(gateway.includes(':') ? 16 : 10)))
      .join(),
    link: `${cluster.bridge}n${number}`,
    process: null,
  };
}
