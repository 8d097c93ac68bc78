// A DaemonSet as its plan sees it: node by node, each with what belongs there and what is there. Pure.
import {
  type DaemonSet,
  isAvailable,
  isTerminal,
  isTerminating,
  type Node,
  type Pod,
} from '../../api/index.ts';
import { compilePlacement, type Placement } from './placement.ts';
import { hashLabel, nodeOf } from './pod.ts';

export interface DaemonSetView {
  readonly set: DaemonSet;
  readonly nodes: readonly Node[];
  /** Those that it owns. */
  readonly pods: readonly Pod[];
  /** Of the present template: the first is given to new pods. More than one only when revisions are doubled. */
  readonly hashes: readonly [string, ...string[]];
  readonly collisionCount: number;
  /** How long a failed pod of the node has to stay, lest it fails again at once; 0 = it may go. */
  readonly failedForMs: (nodeName: string) => number;
  readonly nowMs: number;
}

/** A node with the set's pods on it, or meant for it. */
export interface NodeState extends Placement {
  readonly name: string;
  /** The oldest that has a node first. */
  readonly pods: readonly Pod[];
}

/** The view with pods sorted out by node. */
export interface DaemonSetState extends DaemonSetView {
  readonly states: readonly NodeState[];
  /** Pods that wait for a node that is gone. */
  readonly strays: readonly Pod[];
  isNew(pod: Pod): boolean;
  isAvailable(pod: Pod): boolean;
}

/** Sorts pods out by node. */
export function sorted(view: DaemonSetView): DaemonSetState {
  const { set, nodes, pods, hashes, nowMs } = view;
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) {
    // The set has nothing more to do with it: it waits for a finalizer.
    if (isTerminal(pod) && isTerminating(pod)) continue;
    const nodeName = nodeOf(pod);
    if (nodeName === undefined) continue;
    const known = byNode.get(nodeName);
    if (known === undefined) byNode.set(nodeName, [pod]);
    else known.push(pod);
  }
  const placementOf = compilePlacement(set);
  const states = nodes.map((node): NodeState => {
    const { name } = node.metadata;
    const there = byNode.get(name) ?? [];
    byNode.delete(name);
    return { ...placementOf(node), name, pods: there.length > 1 ? there.sort(bySeniority) : there };
  });
  // Nobody else deletes a pod that waits for a node that is gone.
  const strays = [...byNode.values()].flat().filter((pod) => !pod.spec.nodeName && !isTerminating(pod));
  const news = new Set(hashes);
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  return {
    ...view,
    states,
    strays,
    isNew: (pod) => news.has(pod.metadata.labels?.[hashLabel] ?? ''),
    isAvailable: (pod) => isAvailable(pod, minReadySeconds, nowMs),
  };
}

function bySeniority(a: Pod, b: Pod): number {
  const waits = Number(!a.spec.nodeName) - Number(!b.spec.nodeName);
  if (waits !== 0) return waits;
  const [x, y] = [a.metadata, b.metadata];
  if (x.creationTimestamp !== y.creationTimestamp) return x.creationTimestamp < y.creationTimestamp ? -1 : 1;
  return x.name < y.name ? -1 : 1;
}
