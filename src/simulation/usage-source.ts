// What a metrics API asks of the simulated nodes, answered from memory.
import type { Pod } from '../api/index.ts';
import type { Clock } from '../base/index.ts';
import type { Informer } from '../client/index.ts';
import type { NodeRun } from './node-run.ts';
import { type NodeUsage, nodeUsage, type PodUsage, podUsage } from './usage.ts';

/** What a metrics API serves of simulated nodes; asked in memory, as a kubelet's summary is asked over the network. */
export interface UsageSource {
  /** undefined = no such node here, or it cannot be heard. */
  node(name: string): NodeUsage | undefined;
  /** undefined = it does not run here. */
  pod(namespace: string, name: string): PodUsage | undefined;
  /** The pods that run on a node that can be heard. */
  podsOf(node: string): readonly PodUsage[];
  /** Names of the nodes that can be heard. */
  nodes(): readonly string[];
}

/** Reads `nodes` and `pods` whenever it is asked. A node that cannot be heard tells nothing. */
export function usageSource(of: {
  readonly nodes: ReadonlyMap<string, NodeRun>;
  readonly pods: Pick<Informer<Pod>, 'get'>;
  readonly clock: Clock;
}): UsageSource {
  const { nodes, pods, clock } = of;
  const heard = (name: string): NodeRun | undefined => {
    const run = nodes.get(name);
    return run?.connected === true ? run : undefined;
  };
  const podsOf = (name: string): PodUsage[] =>
    [...(heard(name)?.pods.values() ?? [])].flatMap(({ run }) => podUsage(run, clock.nowMs()) ?? []);
  return {
    nodes: () => [...nodes.values()].filter((run) => run.connected).map(({ name }) => name),
    node: (name) => (heard(name) === undefined ? undefined : nodeUsage(name, podsOf(name), clock.nowMs())),
    podsOf,
    pod: (namespace, name) => {
      const pod = pods.get(`${namespace}/${name}`);
      const slot = heard(pod?.spec.nodeName ?? '')?.pods.get(pod?.metadata.uid ?? '');
      return slot === undefined ? undefined : podUsage(slot.run, clock.nowMs());
    },
  };
}
