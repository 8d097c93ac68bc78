// What a ReplicaSet or a ReplicationController needs next. Pure: objects in, intended changes out.
import {
  isActive,
  isTerminal,
  type Pod,
  type ReplicaSet,
  type ReplicationController,
} from '../../api/index.ts';
import { controllerOf, type LabelMatcher } from '../../machinery/index.ts';
import { nextAvailableInMs } from '../pod-facts.ts';
import { chooseVictims } from './victims.ts';

/** The two differ in their selectors alone, and those come compiled. */
export type Replicated = ReplicaSet | ReplicationController;

export interface ReplicaSetPlan {
  /** Orphans that match and become ours. */
  readonly adopt: readonly Pod[];
  /** Ours by reference, but their labels do not match any more. */
  readonly release: readonly Pod[];
  readonly create: number;
  readonly remove: readonly Pod[];
  /** Ours and neither ended nor going: what the status counts. Without those still to be adopted. */
  readonly active: readonly Pod[];
  /** Ours and on their way out. */
  readonly terminating: readonly Pod[];
  /** When a ready pod becomes available without any further change. */
  readonly wakeInMs: number | undefined;
}

/** Never creates or deletes more than this in one go, as Kubernetes. */
export const burst = 500;

export interface ReplicaSetView {
  readonly set: Replicated;
  /** Everything of the namespace that is owned by this set or by nobody. */
  readonly pods: readonly Pod[];
  /** The compiled selector. */
  readonly matches: LabelMatcher;
  /** Pods of the sets that share this set's owner, this set's included: their crowding on nodes decides who goes first. */
  readonly related: () => readonly Pod[];
  readonly nowMs: number;
}

/** A set that is being deleted changes nothing: what becomes of its pods is the garbage collector's business. */
export function planReplicaSet({ set, pods, matches, related, nowMs }: ReplicaSetView): ReplicaSetPlan {
  const adopt: Pod[] = [];
  const release: Pod[] = [];
  const active: Pod[] = [];
  const terminating: Pod[] = [];
  for (const pod of pods) {
    const owner = controllerOf(pod);
    const fits = matches(pod.metadata.labels);
    if (owner?.uid === set.metadata.uid) {
      if (isActive(pod)) (fits ? active : release).push(pod);
      else if (fits && !isTerminal(pod)) terminating.push(pod);
    } else if (owner === undefined && fits && isActive(pod)) adopt.push(pod);
  }
  const counts = { active, terminating };
  if (set.metadata.deletionTimestamp !== undefined)
    return { ...counts, adopt: [], release: [], create: 0, remove: [], wakeInMs: undefined };

  const all = [...active, ...adopt];
  const missing = (set.spec.replicas ?? 1) - all.length;
  return {
    ...counts,
    adopt,
    release,
    create: Math.min(burst, Math.max(0, missing)),
    remove:
      missing < 0 ? chooseVictims(all, { count: Math.min(burst, -missing), related: related(), nowMs }) : [],
    wakeInMs: nextAvailableInMs(all, set.spec.minReadySeconds ?? 0, nowMs),
  };
}
