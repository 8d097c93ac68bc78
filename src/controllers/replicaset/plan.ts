// What a ReplicaSet needs next. Pure: objects in, intended changes out.
import type { Pod, ReplicaSet } from '../../api/index.ts';
import { controllerOf, formatTime, parseTime } from '../../machinery/index.ts';
import { availableInMs, isActive, isAvailable, isReady, readyCondition } from '../pod-facts.ts';

export interface ReplicaSetPlan {
  /** Orphans that match and become ours. */
  readonly adopt: readonly Pod[];
  /** Ours by reference, but their labels do not match any more. */
  readonly release: readonly Pod[];
  readonly create: number;
  readonly remove: readonly Pod[];
  /** When a ready pod becomes available without any further change. */
  readonly wakeInMs: number | undefined;
}

/** Never creates or deletes more than this in one go, as Kubernetes. */
export const burst = 500;

const costAnnotation = 'controller.kubernetes.io/pod-deletion-cost';

/**
 * `pods`: everything of the namespace that is owned by this set or by nobody. `matches` is the compiled selector. A set that is
 * being deleted only lets go.
 */
export function planReplicaSet(
  set: ReplicaSet,
  pods: readonly Pod[],
  matches: (labels: Record<string, string>) => boolean,
  nowMs: number,
): ReplicaSetPlan {
  const adopt: Pod[] = [];
  const release: Pod[] = [];
  const owned: Pod[] = [];
  const deleting = set.metadata.deletionTimestamp !== undefined;
  for (const pod of pods) {
    const owner = controllerOf(pod);
    const fits = matches(pod.metadata.labels ?? {});
    if (owner?.uid === set.metadata.uid) {
      if (fits) owned.push(pod);
      else if (pod.metadata.deletionTimestamp === undefined) release.push(pod);
    } else if (owner === undefined && fits && !deleting && isActive(pod)) adopt.push(pod);
  }
  const active = [...owned.filter(isActive), ...adopt];
  if (deleting) return { adopt: [], release, create: 0, remove: [], wakeInMs: undefined };

  const missing = (set.spec.replicas ?? 1) - active.length;
  return {
    adopt,
    release,
    create: Math.min(burst, Math.max(0, missing)),
    remove: missing < 0 ? chooseVictims(active, Math.min(burst, -missing), nowMs) : [],
    wakeInMs: nextAvailable(active, set.spec.minReadySeconds ?? 0, nowMs),
  };
}

function nextAvailable(pods: readonly Pod[], minReadySeconds: number, nowMs: number): number | undefined {
  let next: number | undefined;
  for (const pod of pods) {
    const left = availableInMs(pod, minReadySeconds, nowMs);
    if (left !== undefined && (next === undefined || left < next)) next = left;
  }
  return next;
}

/** The pods whose loss hurts least, in Kubernetes' order (controller_utils ActivePodsWithRanks). */
export function chooseVictims(pods: readonly Pod[], count: number, nowMs: number): readonly Pod[] {
  const perNode = new Map<string, number>();
  for (const { spec } of pods)
    if (spec.nodeName) perNode.set(spec.nodeName, (perNode.get(spec.nodeName) ?? 0) + 1);
  const rank = (pod: Pod) => (pod.spec.nodeName ? (perNode.get(pod.spec.nodeName) ?? 0) : 0);
  return [...pods].sort((a, b) => compareVictims(a, b, rank, nowMs)).slice(0, count);
}

const phaseOrder: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

function compareVictims(a: Pod, b: Pod, rank: (pod: Pod) => number, nowMs: number): number {
  // not assigned < assigned
  const assigned = Number(Boolean(a.spec.nodeName)) - Number(Boolean(b.spec.nodeName));
  if (assigned !== 0) return assigned;
  // pending < unknown < running
  const phase =
    (phaseOrder[a.status?.phase ?? 'Pending'] ?? 0) - (phaseOrder[b.status?.phase ?? 'Pending'] ?? 0);
  if (phase !== 0) return phase;
  // not ready < ready
  const ready = Number(isReady(a)) - Number(isReady(b));
  if (ready !== 0) return ready;
  // lower deletion cost first
  const cost = deletionCost(a) - deletionCost(b);
  if (cost !== 0) return cost;
  // more siblings on its node first
  const doubled = rank(b) - rank(a);
  if (doubled !== 0) return doubled;
  // ready for a shorter time first, by powers of ten so that small differences do not matter
  if (isReady(a)) {
    const age =
      logAge(parseTime(readyCondition(a)?.lastTransitionTime), nowMs) -
      logAge(parseTime(readyCondition(b)?.lastTransitionTime), nowMs);
    if (age !== 0) return age;
  }
  const restarts = mostRestarts(b) - mostRestarts(a);
  if (restarts !== 0) return restarts;
  const created =
    logAge(parseTime(a.metadata.creationTimestamp), nowMs) -
    logAge(parseTime(b.metadata.creationTimestamp), nowMs);
  if (created !== 0) return created;
  return a.metadata.uid < b.metadata.uid ? -1 : 1;
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[costAnnotation];
  return text !== undefined && /^(?:0|-?[1-9]\d{0,9})$/.test(text) ? Number(text) : 0;
}

const mostRestarts = (pod: Pod): number =>
  Math.max(0, ...(pod.status?.containerStatuses ?? []).map((c) => c.restartCount));

function logAge(sinceMs: number | undefined, nowMs: number): number {
  return sinceMs === undefined ? -1 : Math.floor(Math.log2(Math.max(1, nowMs - sinceMs)));
}

/** The status that follows from the pods as they are, and from what went wrong (undefined = nothing). */
export function planStatus(
  set: ReplicaSet,
  pods: readonly Pod[],
  failure: { reason: 'FailedCreate' | 'FailedDelete'; message: string } | undefined,
  nowMs: number,
): NonNullable<ReplicaSet['status']> {
  const wanted = Object.entries(set.spec.template?.metadata?.labels ?? {});
  let fullyLabeledReplicas = 0;
  let readyReplicas = 0;
  let availableReplicas = 0;
  let terminatingReplicas = 0;
  let replicas = 0;
  for (const pod of pods) {
    if (!isActive(pod)) {
      if (
        pod.metadata.deletionTimestamp !== undefined &&
        pod.status?.phase !== 'Succeeded' &&
        pod.status?.phase !== 'Failed'
      )
        terminatingReplicas++;
      continue;
    }
    replicas++;
    if (wanted.every(([key, value]) => pod.metadata.labels?.[key] === value)) fullyLabeledReplicas++;
    if (isReady(pod)) readyReplicas++;
    if (isAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)) availableReplicas++;
  }
  const status: NonNullable<ReplicaSet['status']> = {
    replicas,
    fullyLabeledReplicas,
    readyReplicas,
    availableReplicas,
    terminatingReplicas,
  };
  if (set.metadata.generation !== undefined) status.observedGeneration = set.metadata.generation;
  const others = (set.status?.conditions ?? []).filter((c) => c.type !== 'ReplicaFailure');
  const before = set.status?.conditions?.find((c) => c.type === 'ReplicaFailure');
  if (failure !== undefined) {
    const condition = {
      type: 'ReplicaFailure',
      status: 'True',
      reason: failure.reason,
      message: failure.message,
    };
    others.push({
      ...condition,
      lastTransitionTime: before?.status === 'True' ? before.lastTransitionTime : formatTime(nowMs),
    });
  }
  if (others.length > 0) status.conditions = others;
  return status;
}
