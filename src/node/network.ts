// The node's part of the pod network: a route to every other node's pods, by way of that node (host-gw) or through a tunnel to it
// (network-vxlan.ts), masquerade for what leaves the cluster, and the CNI configuration once the node's subnet is known. Plans are pure;
// acting is `ip`, `bridge` and `nft`.
import type { Node } from '../api/index.ts';
import type { Log } from '../base/index.ts';
import { parseCidr } from '../machinery/index.ts';
import {
  applyLinks,
  applyRuleset,
  type Exec,
  ensureForwarding,
  type IpVersion,
  planTable,
  type Route,
  readLinks,
  readRoutes,
  versionsOf,
  writeCniConfig,
} from '../os/index.ts';
import {
  insideOf,
  type Peer,
  peerOf,
  planAnnotations,
  planDevice,
  planTables,
  readDevice,
  readTables,
  tunnelDevice,
  tunnelMac,
  tunnelOverhead,
} from './network-vxlan.ts';

/** How pods reach other nodes: by routes, where nodes share a link, or through tunnels over whatever is in between. */
export type PodNetworkBackend = 'host-gw' | 'vxlan';

export interface NodeRoute {
  readonly destination: string;
  readonly gateway: string;
  /** Where no address of this node tells the way to the gateway. */
  readonly device?: string;
}

export interface RouteChoice {
  /** Default host-gw. */
  readonly backend?: PodNetworkBackend | undefined;
  /** Address families in which this node has an address itself. Default both. */
  readonly versions?: readonly IpVersion[] | undefined;
}

const subnetsOf = ({ spec }: Node): readonly string[] =>
  spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : []);

const isOf = (address: string, versions: readonly IpVersion[]): boolean =>
  versions.includes(address.includes(':') ? 6 : 4);

/** IPv4 by IPv4, IPv6 by IPv6. */
const gatewayTo = (destination: string, { status }: Node): string | undefined =>
  status?.addresses?.find(
    ({ type, address }) => type === 'InternalIP' && address.includes(':') === destination.includes(':'),
  )?.address;

/** As the kernel shows it. */
const canonical = (range: string): string => parseCidr(range)?.network ?? range;

/**
 * The routes this node should have: one for each pod subnet of each other node. Through a tunnel where both ends have one, so that nodes
 * can be moved from one backend to the other one by one, as long as they share a link.
 */
export function planRoutes(
  nodes: readonly Node[],
  self: string,
  { backend = 'host-gw', versions = [4, 6] }: RouteChoice = {},
): NodeRoute[] {
  const routes: NodeRoute[] = [];
  for (const node of nodes) {
    if (node.metadata.name === self) continue;
    const peer = backend === 'vxlan' ? peerOf(node) : undefined;
    if (peer !== undefined) {
      for (const { podCidr, inside } of peer.ranges)
        if (isOf(podCidr, versions))
          routes.push({ destination: canonical(podCidr), gateway: inside, device: tunnelDevice });
      continue;
    }
    if (node.metadata.deletionTimestamp !== undefined) continue;
    for (const destination of subnetsOf(node)) {
      const gateway = gatewayTo(destination, node);
      if (gateway !== undefined && isOf(destination, versions))
        routes.push({ destination: canonical(destination), gateway });
    }
  }
  return routes.sort((a, b) => (a.destination < b.destination ? -1 : 1));
}

/**
 * The lines for `ip -batch` from what is to what should be. Routes inside the cluster's ranges that go through a gateway are ours;
 * anything else is left alone.
 */
export function planRouteChanges(
  want: readonly NodeRoute[],
  have: readonly Route[],
  clusterCidr: string,
): string[] {
  const wanted = new Map(want.map((r) => [r.destination, r]));
  const ranges = clusterCidr.split(',');
  const lines: string[] = [];
  for (const route of have) {
    if (
      route.gateway === undefined ||
      wanted.has(route.destination) ||
      !ranges.some((range) => isInside(route.destination, range))
    )
      continue;
    lines.push(`route del ${route.destination} via ${route.gateway}`);
  }
  for (const { destination, gateway, device } of wanted.values()) {
    const there = have.filter((r) => r.destination === destination && r.gateway !== undefined);
    const isIt = (r: Route): boolean =>
      r.gateway === gateway && (device === undefined ? r.device !== tunnelDevice : r.device === device);
    if (there.some(isIt)) continue;
    // IPv6 refuses a gateway on the link to which another route leads elsewhere, be it the one that is replaced.
    if (device !== undefined && destination.includes(':'))
      for (const { gateway: old } of there) lines.push(`route del ${destination} via ${old}`);
    const through = device === undefined ? '' : ` dev ${device} onlink`;
    lines.push(`route replace ${destination} via ${gateway}${through}`);
  }
  return lines;
}

/** Is a range inside another of its family? A single address needs no length. */
export function isInside(range: string, outer: string): boolean {
  const length = range.includes(':') ? 128 : 32;
  const inner = parseCidr(range.includes('/') ? range : `${range}/${length}`);
  const whole = parseCidr(outer);
  if (inner === undefined || whole === undefined || inner.family !== whole.family) return false;
  if (inner.prefixLength < whole.prefixLength) return false;
  return parseCidr(`${inner.text}/${whole.prefixLength}`)?.network === whole.network;
}

const tableName = 'jotasu-node';
const multicast: Readonly<Record<IpVersion, string>> = { 4: '224.0.0.0/4', 6: 'ff00::/8' };

/** What pods send out of the cluster carries the node's address. `clusterCidr`: one range, or one of each family. */
export function planMasquerade(podCidr: string, clusterCidr: string): string {
  const version = podCidr.includes(':') ? 6 : 4;
  const family = version === 6 ? 'ip6' : 'ip';
  const cluster = clusterCidr.split(',').find((range) => isOf(range, [version])) ?? podCidr;
  return planTable(family, tableName, [
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    `    ${family} saddr ${podCidr} ${family} daddr != ${cluster} ${family} daddr != ${multicast[version]} masquerade`,
    '  }',
  ]);
}

export interface NodeNetwork {
  /** The node has its subnet. Idempotent. */
  configure(podCidrs: readonly string[]): Promise<void>;
  /** The nodes of the cluster have changed. Idempotent. */
  setNodes(nodes: readonly Node[]): Promise<void>;
}

export interface NodeNetworkOptions {
  readonly exec: Exec;
  readonly nodeName: string;
  /** One range, or one of each family with a comma between. */
  readonly clusterCidr: string;
  readonly cniConfDir: string;
  readonly cniDataDir: string;
  readonly mtu?: number | undefined;
  /** Default host-gw. */
  readonly backend?: PodNetworkBackend | undefined;
  /** The addresses under which other nodes reach this one; pods get no address of a family that is missing. undefined = of both. */
  readonly nodeIps?: readonly string[] | undefined;
  /** Writes annotations of this node's own Node; null takes one away. */
  readonly annotate?: ((annotations: Readonly<Record<string, string | null>>) => Promise<void>) | undefined;
  readonly log: Log;
}

export function createNodeNetwork(options: NodeNetworkOptions): NodeNetwork {
  const { exec, log, clusterCidr, backend = 'host-gw', nodeName, nodeIps } = options;
  const versions: readonly IpVersion[] = nodeIps === undefined ? [4, 6] : versionsOf(nodeIps);
  const tunnels = backend === 'vxlan' ? new Tunnels(options) : undefined;
  /** One by one where one fails: a node that cannot be reached must not keep the others from theirs. */
  const batch = async (program: 'ip' | 'bridge', lines: readonly string[], what: string): Promise<void> => {
    if (lines.length === 0) return;
    const { code, stderr } = await exec.run([program, '-force', '-batch', '-'], {
      input: `${lines.join('\n')}\n`,
      timeoutMs: 20_000,
      mayFail: true,
    });
    if (code !== 0) log.warn(`some ${what} could not be set`, { stderr: stderr.trim() });
  };
  return {
    async configure(given) {
      const podCidrs = given.filter((cidr) => isOf(cidr, versions));
      if (podCidrs.length === 0)
        throw new Error(
          `pods of this node are to have addresses of ${given.join()}, and the node itself has ${nodeIps?.join()} alone; see --node-ip`,
        );
      // Without it the kernel forwards nothing between pods and the rest.
      for (const version of versionsOf(podCidrs)) await ensureForwarding(exec, version);
      for (const cidr of podCidrs) await applyRuleset(exec, planMasquerade(cidr, clusterCidr));
      const mtu = tunnels === undefined ? options.mtu : await tunnels.mtu();
      // Without it there is no way to other nodes: a failure is told as the node's.
      await applyLinks(exec, planDevice(await tunnels?.end(podCidrs), await readDevice(exec)));
      writeCniConfig(options.cniConfDir, { podCidrs, dataDir: options.cniDataDir, mtu });
    },
    async setNodes(nodes) {
      const self = nodes.find(({ metadata }) => metadata.name === nodeName);
      if (self !== undefined) await announce(self, options);
      const routes = planRoutes(nodes, nodeName, { backend, versions });
      if (tunnels !== undefined) {
        const { neighbours, forwarding } = planTables(
          peersOf(nodes, nodeName).map((peer) => ({
            ...peer,
            ranges: peer.ranges.filter(({ podCidr }) => isOf(podCidr, versions)),
          })),
          await readTables(exec),
        );
        await batch('ip', neighbours, 'neighbours of other nodes');
        await batch('bridge', forwarding, 'forwarding entries to other nodes');
      }
      await batch(
        'ip',
        planRouteChanges(routes, await readRoutes(exec, versionsOf(clusterCidr.split(','))), clusterCidr),
        'routes to other nodes',
      );
    },
  };
}

const peersOf = (nodes: readonly Node[], self: string): Peer[] =>
  nodes.flatMap((node) => (node.metadata.name === self ? [] : (peerOf(node) ?? [])));

/** Tunnels go over IPv4. */
const outsideOf = (nodeIps: readonly string[] | undefined): string | undefined =>
  nodeIps?.find((ip) => !ip.includes(':'));

/** Tells the other nodes of this end, or that there is none. */
async function announce(
  { metadata }: Node,
  { annotate, backend, nodeName, nodeIps }: NodeNetworkOptions,
): Promise<void> {
  const nodeIp = outsideOf(nodeIps);
  const wanted = planAnnotations(
    backend === 'vxlan' && nodeIp !== undefined ? { nodeName, nodeIp } : undefined,
  );
  const differs = Object.entries(wanted).some(
    ([key, value]) => (metadata.annotations?.[key] ?? null) !== value,
  );
  if (differs) await annotate?.(wanted);
}

/** This node's end, as it shall be. */
class Tunnels {
  readonly #options: NodeNetworkOptions;

  constructor(options: NodeNetworkOptions) {
    this.#options = options;
  }

  /** Of the tunnel and of the pods: what the link below has, less what a tunnel costs. */
  async mtu(): Promise<number> {
    const { exec, nodeIps, mtu } = this.#options;
    const nodeIp = outsideOf(nodeIps);
    const below = (await readLinks(exec)).find(({ addresses }) =>
      addresses.some((address) => address.split('/')[0] === nodeIp),
    );
    return Math.min(mtu ?? Number.POSITIVE_INFINITY, (below?.mtu ?? 1500) - tunnelOverhead);
  }

  async end(podCidrs: readonly string[]) {
    const { nodeIps, nodeName } = this.#options;
    const nodeIp = outsideOf(nodeIps);
    if (nodeIp === undefined) return undefined;
    return {
      mac: tunnelMac(nodeName),
      outside: nodeIp,
      insides: podCidrs.map(insideOf),
      mtu: await this.mtu(),
    };
  }
}
