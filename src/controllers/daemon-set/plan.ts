// What a DaemonSet needs next: nodes that lack a pod, pods that are too many or out of date, and its status. Pure, and linear in the
// number of nodes and pods.
import {
  type DaemonSet,
  isAvailable,
  isReady,
  isTerminal,
  isTerminating,
  type Node,
  type Pod,
} from '../../api/index.ts';
import { nextAvailableInMs } from '../pod-facts.ts';
import { compilePlacement, type Placement } from './placement.ts';
import { hashLabel, nodeOf } from './pod.ts';
import { planRollout } from './rollout.ts';
import { planStatus } from './status.ts';

/** Never creates or deletes more than this in one go, as Kubernetes. */
export const burst = 250;

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

export interface Ended {
  readonly pod: Pod;
  readonly nodeName: string;
}

export interface DaemonSetPlan {
  /** Names of the nodes that get a pod. */
  readonly create: readonly string[];
  /** With those that failed or succeeded. */
  readonly remove: readonly Pod[];
  readonly failed: readonly Ended[];
  readonly succeeded: readonly Ended[];
  readonly status: NonNullable<DaemonSet['status']>;
  /** When something is to be done without any further change. */
  readonly wakeInMs: number | undefined;
}

/** The view with pods sorted out by node. */
export interface DaemonSetState extends DaemonSetView {
  readonly states: readonly NodeState[];
  isNew(pod: Pod): boolean;
  isAvailable(pod: Pod): boolean;
}

export function planDaemonSet(view: DaemonSetView): DaemonSetPlan {
  const { set, pods, nowMs } = view;
  const state = sorted(view);
  const first = manage(state);
  // An update waits until every node has what it should have.
  const isManaged = first.create.length + first.remove.length === 0;
  const isRolling = set.spec.updateStrategy?.type !== 'OnDelete';
  const next = isManaged && isRolling ? planRollout(state) : first;
  const waits = [first.wakeInMs, nextAvailableInMs(pods, set.spec.minReadySeconds ?? 0, nowMs)];
  const soonest = Math.min(...waits.filter((ms) => ms !== undefined));
  return {
    create: next.create.slice(0, burst),
    remove: next.remove.slice(0, burst),
    failed: first.failed,
    succeeded: first.succeeded,
    status: planStatus(state),
    wakeInMs: Number.isFinite(soonest) ? soonest : undefined,
  };
}

function sorted(view: DaemonSetView): DaemonSetState & { readonly strays: readonly Pod[] } {
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

/** A pod where there should be one, none where there should not, and not two. */
function manage(state: DaemonSetState & { readonly strays: readonly Pod[] }) {
  const create: string[] = [];
  const remove: Pod[] = [...state.strays];
  const failed: Ended[] = [];
  const succeeded: Ended[] = [];
  let wakeInMs: number | undefined;
  for (const { name, pods, shouldRun, mayStay } of state.states) {
    if (shouldRun && pods.length === 0) {
      create.push(name);
      continue;
    }
    if (pods.length === 0) continue;
    const present = pods.filter((pod) => !isTerminating(pod));
    if (!mayStay) {
      remove.push(...present);
      continue;
    }
    const running: Pod[] = [];
    for (const pod of present) {
      if (!isTerminal(pod)) running.push(pod);
      else if (pod.status?.phase === 'Succeeded') succeeded.push({ pod, nodeName: name });
      else {
        const waitMs = state.failedForMs(name);
        if (waitMs <= 0) failed.push({ pod, nodeName: name });
        else wakeInMs = Math.min(wakeInMs ?? waitMs, waitMs);
      }
    }
    if (running.length > 1) remove.push(...surplus(state, running));
  }
  // A burst that left some of them out would tell of them twice.
  for (const { pod } of [...failed, ...succeeded]) remove.unshift(pod);
  return { create, remove, failed, succeeded, wakeInMs };
}

/** Of several pods on a node the oldest stays; while a surge is allowed, an old one stays until the new one serves. */
function surplus(state: DaemonSetState, running: readonly Pod[]): readonly Pod[] {
  if (!allowsSurge(state.set)) return running.slice(1);
  const newPod = running.find(state.isNew);
  const oldPod = running.find((pod) => !state.isNew(pod));
  const extra = running.filter((pod) => pod !== newPod && pod !== oldPod);
  if (newPod === undefined || oldPod === undefined) return extra;
  return !isReady(oldPod) || state.isAvailable(newPod) ? [...extra, oldPod] : extra;
}

const allowsSurge = ({ spec }: DaemonSet): boolean => {
  const { type, rollingUpdate } = spec.updateStrategy ?? {};
  const surge = rollingUpdate?.maxSurge ?? 0;
  return type === 'RollingUpdate' && surge !== 0 && surge !== '0%';
};
