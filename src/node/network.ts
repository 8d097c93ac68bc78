// The node's part of the pod network: a route to every other node's pods, by way of that node (host-gw) or through a tunnel to it
// (network-vxlan.ts), masquerade for what leaves the cluster, and the CNI configuration once the node's subnet is known. Plans are pure;
// acting is `ip`, `bridge` and `nft`.
import * as fs from 'node:fs';
import type { Node } from '../api/index.ts';
import type { Log } from '../base/index.ts';
import {
  applyLinks,
  applyRuleset,
  type Exec,
  planTable,
  type Route,
  readLinks,
  readRoutes,
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

const addressOf = (node: Node): string | undefined =>
  node.status?.addresses?.find((a) => a.type === 'InternalIP')?.address;

/**
 * The routes this node should have: one for each other node's pod subnet. Through a tunnel where both ends have one, so that nodes can be
 * moved from one backend to the other one by one, as long as they share a link.
 */
export function planRoutes(
  nodes: readonly Node[],
  self: string,
  backend: PodNetworkBackend = 'host-gw',
): NodeRoute[] {
  const routes: NodeRoute[] = [];
  for (const node of nodes) {
    const peer = backend === 'vxlan' && node.metadata.name !== self ? peerOf(node) : undefined;
    if (peer !== undefined) {
      routes.push({ destination: peer.podCidr, gateway: peer.inside, device: tunnelDevice });
      continue;
    }
    const gateway = addressOf(node);
    if (node.metadata.name === self || gateway === undefined || node.metadata.deletionTimestamp !== undefined)
      continue;
    // IPv4 by IPv4, IPv6 by IPv6.
    for (const destination of node.spec?.podCIDRs ?? (node.spec?.podCIDR ? [node.spec.podCIDR] : []))
      if (destination.includes(':') === gateway.includes(':')) routes.push({ destination, gateway });
  }
  return routes.sort((a, b) => (a.destination < b.destination ? -1 : 1));
}

/**
 * The lines for `ip -batch` from what is to what should be. Routes inside the cluster's range that go through a gateway are ours;
 * anything else is left alone.
 */
export function planRouteChanges(
  want: readonly NodeRoute[],
  have: readonly Route[],
  clusterCidr: string,
): string[] {
  const wanted = new Map(want.map((r) => [r.destination, r]));
  const lines: string[] = [];
  for (const route of have) {
    if (
      route.gateway === undefined ||
      wanted.has(route.destination) ||
      !isInside(route.destination, clusterCidr)
    )
      continue;
    lines.push(`route del ${route.destination} via ${route.gateway}`);
  }
  for (const { destination, gateway, device } of wanted.values()) {
    const isThere = have.some(
      (r) =>
        r.destination === destination &&
        r.gateway === gateway &&
        (device === undefined ? r.device !== tunnelDevice : r.device === device),
    );
    if (isThere) continue;
    const through = device === undefined ? '' : ` dev ${device} onlink`;
    lines.push(`route replace ${destination} via ${gateway}${through}`);
  }
  return lines;
}

const bits = (address: string): number =>
  address.split('.').reduce((value, part) => value * 256 + Number(part), 0);

/** Is an IPv4 range inside another? */
export function isInside(range: string, outer: string): boolean {
  if (range === 'default' || range.includes(':') || outer.includes(':')) return false;
  const [a = '', aLength = '32'] = range.split('/');
  const [b = '', bLength = '0'] = outer.split('/');
  if (Number(aLength) < Number(bLength)) return false;
  const size = 2 ** (32 - Number(bLength));
  return Math.floor(bits(a) / size) === Math.floor(bits(b) / size);
}

const tableName = 'jotasu-node';

/** What pods send out of the cluster carries the node's address. */
export function planMasquerade(podCidr: string, clusterCidr: string): string {
  return planTable('ip', tableName, [
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    `    ip saddr ${podCidr} ip daddr != ${clusterCidr} ip daddr != 224.0.0.0/4 masquerade`,
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
  readonly clusterCidr: string;
  readonly cniConfDir: string;
  readonly cniDataDir: string;
  readonly mtu?: number | undefined;
  /** Default host-gw. */
  readonly backend?: PodNetworkBackend | undefined;
  /** The address under which other nodes reach this one. IPv4. */
  readonly nodeIp?: string | undefined;
  /** Writes annotations of this node's own Node; null takes one away. */
  readonly annotate?: ((annotations: Readonly<Record<string, string | null>>) => Promise<void>) | undefined;
  readonly log: Log;
}

export function createNodeNetwork(options: NodeNetworkOptions): NodeNetwork {
  const { exec, log, clusterCidr, backend = 'host-gw', nodeName } = options;
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
    async configure(podCidrs) {
      const v4 = podCidrs.find((cidr) => !cidr.includes(':'));
      // Without it the kernel forwards nothing between pods and the rest.
      fs.writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
      if (v4 !== undefined) await applyRuleset(exec, planMasquerade(v4, clusterCidr));
      const mtu = tunnels === undefined ? options.mtu : await tunnels.mtu();
      // Without it there is no way to other nodes: a failure is told as the node's.
      await applyLinks(exec, planDevice(await tunnels?.end(v4), await readDevice(exec)));
      writeCniConfig(options.cniConfDir, { podCidrs, dataDir: options.cniDataDir, mtu });
    },
    async setNodes(nodes) {
      const self = nodes.find(({ metadata }) => metadata.name === nodeName);
      if (self !== undefined) await announce(self, options);
      const routes = planRoutes(nodes, nodeName, backend);
      if (tunnels !== undefined) {
        const { neighbours, forwarding } = planTables(peersOf(nodes, nodeName), await readTables(exec));
        await batch('ip', neighbours, 'neighbours of other nodes');
        await batch('bridge', forwarding, 'forwarding entries to other nodes');
      }
      await batch(
        'ip',
        planRouteChanges(routes, await readRoutes(exec), clusterCidr),
        'routes to other nodes',
      );
    },
  };
}

const peersOf = (nodes: readonly Node[], self: string): Peer[] =>
  nodes.flatMap((node) => (node.metadata.name === self ? [] : (peerOf(node) ?? [])));

/** Tells the other nodes of this end, or that there is none. */
async function announce(
  { metadata }: Node,
  { annotate, backend, nodeName, nodeIp }: NodeNetworkOptions,
): Promise<void> {
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
    const { exec, nodeIp, mtu } = this.#options;
    const below = (await readLinks(exec)).find(({ addresses }) =>
      addresses.some((address) => address.split('/')[0] === nodeIp),
    );
    return Math.min(mtu ?? Number.POSITIVE_INFINITY, (below?.mtu ?? 1500) - tunnelOverhead);
  }

  async end(podCidr: string | undefined) {
    const { nodeIp, nodeName } = this.#options;
    if (podCidr === undefined || nodeIp === undefined) return undefined;
    return {
      mac: tunnelMac(nodeName),
      outside: nodeIp,
      inside: insideOf(podCidr),
      mtu: await this.mtu(),
    };
  }
}
