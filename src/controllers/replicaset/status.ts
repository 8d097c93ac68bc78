// The status of a ReplicaSet: counts of its pods, and what went wrong. Pure.
import { isAvailable, isReady, type ReplicaSet } from '../../api/index.ts';
import { compileLabelMap, formatTime } from '../../machinery/index.ts';
import { nonZero } from '../status-counts.ts';
import type { ReplicaSetPlan } from './plan.ts';

export interface ReplicaSetFailure {
  readonly reason: 'FailedCreate' | 'FailedDelete';
  readonly message: string;
}

/** `failure`: of this run; undefined = none. */
export function planStatus(
  set: ReplicaSet,
  { active, terminating }: Pick<ReplicaSetPlan, 'active' | 'terminating'>,
  at: { readonly nowMs: number; readonly failure: ReplicaSetFailure | undefined },
): NonNullable<ReplicaSet['status']> {
  const isFullyLabeled = compileLabelMap(set.spec.template?.metadata?.labels);
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  let fullyLabeledReplicas = 0;
  let readyReplicas = 0;
  let availableReplicas = 0;
  for (const pod of active) {
    if (isFullyLabeled(pod.metadata.labels)) fullyLabeledReplicas++;
    if (!isReady(pod)) continue;
    readyReplicas++;
    if (isAvailable(pod, minReadySeconds, at.nowMs)) availableReplicas++;
  }
  const conditions = withFailure(set.status?.conditions ?? [], at.failure, at.nowMs);
  return {
    replicas: active.length,
    ...nonZero({ fullyLabeledReplicas, readyReplicas, availableReplicas }),
    terminatingReplicas: terminating.length,
    ...(set.metadata.generation !== undefined && { observedGeneration: set.metadata.generation }),
    ...(conditions.length > 0 && { conditions }),
  };
}

type Conditions = NonNullable<NonNullable<ReplicaSet['status']>['conditions']>;

/** The first failure stays until it is over: messages name a new pod each time, and each change would wake the set again. */
function withFailure(before: Conditions, failure: ReplicaSetFailure | undefined, nowMs: number): Conditions {
  const type = 'ReplicaFailure';
  if (failure === undefined) return before.filter((c) => c.type !== type);
  if (before.some((c) => c.type === type)) return before;
  return [...before, { type, status: 'True', ...failure, lastTransitionTime: formatTime(nowMs) }];
}
