// The steps that `up` and `node start` share: the cluster's network, its nodes, the routes to its pods.
import { rmSync } from 'node:fs';
import { sleep } from '../../base/index.ts';
import { CommandFailure } from '../../cli/index.ts';
import { ConnectionError } from '../../http/index.ts';
import {
  allowIpv6,
  applyLinks,
  ensureForwarding,
  hasIpv6,
  type IpVersion,
  isForwarding,
  planBridge,
  planFurtherAddress,
  readLinks,
  readRoutes,
  removeLink,
  setForwarding,
  versionsOf,
} from '../../os/index.ts';
import { type ControlApi, connectControlApi } from './control-api.ts';
import { ensureFirewall, removeFirewall } from './firewall.ts';
import type { Machine } from './machine.ts';
import { ensureNode, isNodeAlive, ownPlaces, planAddresses, stopNode } from './node-machine.ts';
import { nodeDir, nodeLog, nodeRuns, serverLog } from './places.ts';
import type { Step } from './progress.ts';
import { endOfLog, isServerAlive } from './server-process.ts';
import { type ClusterState, makeDirectories, type NodeState, type StateHolder } from './state.ts';
import { readRuns } from './supervisor.ts';

const nodesReadyTimeoutMs = 120_000;

/** The bridge and the way out; what a restart of the machine takes away. */
export function networkSteps(machine: Machine, holder: StateHolder): Step[] {
  const { exec, searchPath } = machine;
  const { now: state } = holder;
  return [
    {
      title: `network ${state.bridge}, ${state.nodeCidr} for nodes, ${state.podCidr} for pods`,
      async ensure() {
        if ((await readLinks(exec)).some((link) => link.name === state.bridge && link.up)) return 'there';
        await removeLink(exec, state.bridge);
        const [address, other] = planAddresses(state, state.gateway);
        const [add, ...lines] = [
          ...planBridge({ name: state.bridge, address: address!, mtu: state.mtu }),
          ...(other === undefined ? [] : planFurtherAddress({ link: state.bridge, address: other })),
        ];
        if (!state.nodeCidr.includes(':')) lines.unshift(add!);
        else {
          needIpv6();
          await applyLinks(exec, [add!]);
          allowIpv6(state.bridge);
        }
        await applyLinks(exec, lines);
        return 'made';
      },
      undo: () => removeLink(exec, state.bridge),
    },
    {
      title: 'forwarding and masquerading (nftables)',
      async ensure() {
        const directories = [...holder.now.made.directories];
        for (const [place] of ownPlaces) makeDirectories(place, directories);
        const { made } = holder.now;
        const versions = versionsOf(state.nodeCidr.split(','));
        const isOff = (version: IpVersion) => versions.includes(version) && !isForwarding(version);
        const [wasOff, wasOff6] = [isOff(4), isOff(6)];
        if (wasOff || wasOff6 || directories.length > made.directories.length)
          holder.change({
            made: {
              ...made,
              directories,
              forwardingWasOff: made.forwardingWasOff || wasOff,
              ...(wasOff6 && { forwarding6: made.forwarding6 ?? { links: [] } }),
            },
          });
        if (wasOff) setForwarding(4, '1');
        if (wasOff6) {
          const links = [...(made.forwarding6?.links ?? []), ...(await ensureForwarding(exec, 6))];
          holder.change({ made: { ...holder.now.made, forwarding6: { links } } });
        }
        return ensureFirewall(exec, holder.now, searchPath);
      },
      undo: () => removeFirewall(exec, holder.now, searchPath),
    },
  ];
}

function needIpv6(): void {
  if (!hasIpv6())
    throw new CommandFailure('the ranges of this cluster name IPv6 addresses, and this kernel has no IPv6');
}

/** Nodes that this run added to the record, and the last number before them. */
export interface AddedNodes {
  readonly names: readonly string[];
  readonly lastNumberBefore: number;
}

/** Starts nodes side by side and waits until the server calls all of them ready. Undone, those that were added are forgotten. */
export function nodesStep(
  machine: Machine,
  holder: StateHolder,
  { names, added }: { names: readonly string[]; added: AddedNodes | undefined },
): Step {
  const started = new Set<string>();
  return {
    title: names.length === 1 ? `node ${names[0]}` : `nodes ${names[0]} … ${names.at(-1)}`,
    async ensure(signal) {
      const sinceMs = machine.clock.nowMs();
      const outcomes = await Promise.allSettled(
        names.map(async (name) => {
          if (!isNodeAlive(holder.node(name))) started.add(name);
          await ensureNode(machine, holder, name);
        }),
      );
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
      await waitUntilNodesReady(machine, holder, { names, started, sinceMs }, signal);
      return started.size === 0 ? 'there' : 'made';
    },
    async undo() {
      for (const name of started)
        if (added?.names.includes(name) === true) await forgetNode(machine, holder, name);
        else await stopNode(machine, holder.now, holder.node(name));
      if (added !== undefined) holder.change({ lastNodeNumber: added.lastNumberBefore });
    },
  };
}

/** Of the machine, of the cluster, of the record, in that order: it can be tried again until the last is done. */
export async function forgetNode(machine: Machine, holder: StateHolder, name: string): Promise<void> {
  const node = holder.node(name);
  await stopNode(machine, holder.now, node);
  await removePodRoutes(machine, node);
  const api = connectControlApi(holder.now, machine.clock);
  try {
    await api.deleteNode(name);
  } finally {
    api.close();
  }
  rmSync(nodeDir(holder.now, node), { recursive: true, force: true });
  for (const file of [nodeLog, nodeRuns]) rmSync(file(holder.now, node), { force: true });
  holder.change({ nodes: holder.now.nodes.filter((other) => other.name !== name) });
}

async function waitUntilNodesReady(
  machine: Machine,
  holder: StateHolder,
  wanted: { names: readonly string[]; started: ReadonlySet<string>; sinceMs: number },
  signal: AbortSignal,
): Promise<void> {
  const { clock } = machine;
  const api = connectControlApi(holder.now, clock);
  try {
    const deadline = clock.monotonicMs() + nodesReadyTimeoutMs;
    const failuresOf = (name: string) => readRuns(nodeRuns(holder.now, holder.node(name))).failures;
    const before = new Map(
      wanted.names.map((name) => [name, wanted.started.has(name) ? 0 : failuresOf(name)]),
    );
    for (;;) {
      for (const name of wanted.names)
        if (!isNodeAlive(holder.node(name)) || failuresOf(name) > before.get(name)!)
          throw new CommandFailure(`node ${name} ended${endOfLog(nodeLog(holder.now, holder.node(name)))}`);
      const waiting = await listWaiting(api, wanted).catch((error: unknown) => {
        if (!(error instanceof ConnectionError)) throw error;
        if (!isServerAlive(holder.now))
          throw new CommandFailure(`the server ended${endOfLog(serverLog(holder.now))}`, { cause: error });
        // It is being started again.
        return wanted.names;
      });
      if (waiting.length === 0) return;
      if (clock.monotonicMs() > deadline) {
        const first = holder.node(waiting[0]!);
        throw new CommandFailure(
          `not ready after ${nodesReadyTimeoutMs / 1000} s: ${waiting.join(', ')}${endOfLog(nodeLog(holder.now, first))}`,
        );
      }
      await sleep(clock, 50, signal);
    }
  } finally {
    api.close();
  }
}

/** A node that was started now counts once it has been heard of since: what is stored may be from before it ended. */
async function listWaiting(
  api: ControlApi,
  wanted: { names: readonly string[]; started: ReadonlySet<string>; sinceMs: number },
): Promise<string[]> {
  const ready = new Set((await api.listNodes()).filter((node) => node.ready).map((node) => node.name));
  const heard = await api.readHeartbeats();
  return wanted.names.filter(
    (name) => !ready.has(name) || (wanted.started.has(name) && (heard.get(name) ?? 0) < wanted.sinceMs),
  );
}

/** Pods are reached from this machine too: from the server for webhooks, and by people. */
export async function ensurePodRoutes(machine: Machine, state: ClusterState): Promise<'made' | 'there'> {
  const api = connectControlApi(state, machine.clock);
  try {
    const ranges = new Map((await api.listNodes()).map((node) => [node.name, node.podCidrs]));
    const have = await readRoutes(machine.exec, versionsOf(state.nodeCidr.split(',')));
    const lines = planPodRoutes(state, ranges).filter(
      ({ destination, gateway }) =>
        !have.some((route) => route.destination === destination && route.gateway === gateway),
    );
    await applyLinks(
      machine.exec,
      lines.map(
        ({ destination, gateway }) => `route replace ${destination} via ${gateway} dev ${state.bridge}`,
      ),
    );
    return lines.length === 0 ? 'there' : 'made';
  } finally {
    api.close();
  }
}

/** Those to the pods of one node, when it goes for good. */
export async function removePodRoutes(machine: Machine, node: NodeState): Promise<void> {
  const gateways = node.address.split(',');
  const routes = await readRoutes(machine.exec, versionsOf(gateways));
  await applyLinks(
    machine.exec,
    routes.flatMap(({ destination, gateway }) =>
      gateway !== undefined && gateways.includes(gateway)
        ? [`route delete ${destination} via ${gateway}`]
        : [],
    ),
  );
}

export function planPodRoutes(
  state: Pick<ClusterState, 'nodes'>,
  ranges: ReadonlyMap<string, readonly string[]>,
): { destination: string; gateway: string }[] {
  return state.nodes.flatMap((node) =>
    (ranges.get(node.name) ?? []).flatMap((destination) => {
      const gateway = node.address
        .split(',')
        .find((address) => address.includes(':') === destination.includes(':'));
      return gateway === undefined ? [] : [{ destination, gateway }];
    }),
  );
}
