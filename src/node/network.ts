// The node's part of the pod network: a route to every other node's pods by way of that node (host-gw), masquerade for what
// leaves the cluster, and the CNI configuration once the node's subnet is known. Plans are pure; acting is `ip` and `nft`.
import * as fs from 'node:fs';
import type { Node } from '../api/index.ts';
import type { Log } from '../base/index.ts';
import { applyRuleset, type Exec, planTable, type Route, readRoutes, writeCniConfig } from '../os/index.ts';

export interface NodeRoute {
  readonly destination: string;
  readonly gateway: string;
}

const addressOf = (node: Node): string | undefined =>
  node.status?.addresses?.find((a) => a.type === 'InternalIP')?.address;

/** The routes this node should have: one for each other node's pod subnet. */
export function planRoutes(nodes: readonly Node[], self: string): NodeRoute[] {
  const routes: NodeRoute[] = [];
  for (const node of nodes) {
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
  const wanted = new Map(want.map((r) => [r.destination, r.gateway]));
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
  for (const [destination, gateway] of wanted)
    if (!have.some((r) => r.destination === destination && r.gateway === gateway))
      lines.push(`route replace ${destination} via ${gateway}`);
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
  readonly log: Log;
}

export function createNodeNetwork(options: NodeNetworkOptions): NodeNetwork {
  const { exec, log, clusterCidr } = options;
  return {
    async configure(podCidrs) {
      const v4 = podCidrs.find((cidr) => !cidr.includes(':'));
      // Without it the kernel forwards nothing between pods and the rest.
      fs.writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
      if (v4 !== undefined) await applyRuleset(exec, planMasquerade(v4, clusterCidr));
      writeCniConfig(options.cniConfDir, { podCidrs, dataDir: options.cniDataDir, mtu: options.mtu });
    },
    async setNodes(nodes) {
      const lines = planRouteChanges(
        planRoutes(nodes, options.nodeName),
        await readRoutes(exec),
        clusterCidr,
      );
      if (lines.length === 0) return;
      // One by one where one fails: a node that cannot be reached must not keep the others from theirs.
      const { code, stderr } = await exec.run(['ip', '-force', '-batch', '-'], {
        input: `${lines.join('\n')}\n`,
        timeoutMs: 20_000,
        mayFail: true,
      });
      if (code !== 0) log.warn('some routes to other nodes could not be set', { stderr: stderr.trim() });
    },
  };
}
