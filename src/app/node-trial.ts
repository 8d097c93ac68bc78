// What-ifs of the cluster autoscaler, answered by the scheduler's own filters: a picture of the cluster for each trial, in which nodes and
// pods may be put that are not there.
import type { Node, Pod } from '../api/index.ts';
import type { Clock } from '../base/index.ts';
import type { ChangeHandlers, Client, Informers } from '../client/index.ts';
import type { BeginTrial, ClusterState, Trial } from '../controllers/index.ts';
import type { KindDef, KubeObject } from '../machinery/index.ts';
import {
  ClusterCache,
  defaultProfile,
  fits,
  type NodeInfo,
  type Plugin,
  type PluginContext,
  type PodInfo,
  PodRefusal,
  podInfo,
  reasonText,
} from '../scheduler/index.ts';

export interface TrialOptions {
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
}

/** Objects other than nodes and pods are read as they are when they are asked for. */
export function trialsWith({ client, informers, clock }: TrialOptions): BeginTrial {
  /** By pod, as long as somebody holds it: a cluster's pods hardly change between two trials. */
  const infos = new WeakMap<Pod, PodInfo>();
  const infoOf = (pod: Pod): PodInfo => {
    let info = infos.get(pod);
    if (info === undefined) infos.set(pod, (info = podInfo(pod)));
    return info;
  };
  const contextOf = (cluster: ClusterCache): PluginContext => ({
    cluster,
    client,
    clock,
    // A trial asks, and does nothing.
    background: () => {},
    watch: <T extends KubeObject>(kind: KindDef<T>) => {
      const informer = informers(kind);
      return {
        get: (key: string) => informer.get(key),
        list: (namespace?: string) => informer.list(namespace),
        byIndex: (index: string, value: string) => informer.byIndex(index, value),
        // A trial ends before anything changes.
        onChange: (handlers: ChangeHandlers<T>) => {
          for (const object of informer.list()) handlers.added?.(object);
        },
      };
    },
  });
  // So that what plugins watch is there when the first trial begins.
  defaultProfile.build(contextOf(new ClusterCache()));
  return (state) => new SchedulerTrial(state, { infoOf, contextOf });
}

class SchedulerTrial implements Trial {
  readonly #cluster = new ClusterCache();
  readonly #plugins: readonly Plugin[];
  readonly #infoOf: (pod: Pod) => PodInfo;
  /** Uids of what is on each node. */
  readonly #on = new Map<string, Set<string>>();

  constructor(
    { nodes, pods }: ClusterState,
    parts: { infoOf: (pod: Pod) => PodInfo; contextOf: (cluster: ClusterCache) => PluginContext },
  ) {
    this.#infoOf = parts.infoOf;
    this.#plugins = defaultProfile
      .build(parts.contextOf(this.#cluster))
      .filter(({ filter, narrow }) => filter !== null || narrow !== null);
    for (const node of nodes) this.addNode(node);
    for (const pod of pods) this.put(pod, pod.spec.nodeName!);
  }

  addNode(node: Node): void {
    this.#cluster.setNode(node);
    this.#on.set(node.metadata.name, new Set());
  }

  removeNode(name: string): void {
    for (const uid of this.#on.get(name) ?? []) this.#cluster.remove(uid);
    this.#on.delete(name);
    this.#cluster.removeNode(name);
  }

  put(pod: Pod, node: string): void {
    const on = this.#on.get(node);
    if (on === undefined) return;
    this.#cluster.place(this.#infoOf(pod), node);
    on.add(pod.metadata.uid);
  }

  takeAway({ metadata: { uid } }: Pod): void {
    this.#cluster.remove(uid);
    for (const on of this.#on.values()) if (on.delete(uid)) return;
  }

  place(pod: Pod, names?: readonly string[]): ReturnType<Trial['place']> {
    const info = this.#infoOf(pod);
    const { nodes } = this.#cluster;
    const active: { readonly plugin: Plugin; readonly state: unknown }[] = [];
    for (const plugin of this.#plugins) {
      const state = plugin.preFilter(info, nodes);
      if (state === undefined) continue;
      if (state instanceof PodRefusal) return { refusals: [state.message] };
      if (plugin.narrow !== null) {
        const only = plugin.narrow(state);
        if (only !== null && !(names ?? [...only]).some((name) => only.has(name)))
          return { refusals: ["node(s) didn't satisfy plugin(s) [" + plugin.name + ']'] };
      }
      if (plugin.filter !== null && !(plugin.skipFilter?.(state) ?? false)) active.push({ plugin, state });
    }
    const refusals: string[] = [];
    for (const node of names === undefined
      ? nodes
      : names.flatMap((name) => this.#cluster.node(name) ?? [])) {
      const refused = refusalsOf(active, node);
      if (refused.length > 0) {
        refusals.push(...refused);
        continue;
      }
      this.put(pod, node.name);
      return { node: node.name };
    }
    return { refusals };
  }
}

/** What the first plugin that refuses the node says; [] = it fits. */
function refusalsOf(
  active: readonly { readonly plugin: Plugin; readonly state: unknown }[],
  node: NodeInfo,
): readonly string[] {
  for (const { plugin, state } of active) {
    const refusal = plugin.filter!(state, node);
    if (refusal === fits) continue;
    return plugin.explain === null
      ? [reasonText(plugin.reasons[refusal] ?? '')]
      : plugin.explain(state, node);
  }
  return [];
}
