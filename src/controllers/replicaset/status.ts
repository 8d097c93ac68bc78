// The status of a ReplicaSet or a ReplicationController: counts of its pods, and what went wrong. Pure.
import { isAvailable, isReady, type ReplicaSet, type ReplicationController } from '../../api/index.ts';
import { compileLabelMap, formatTime } from '../../machinery/index.ts';
import type { PodFailure } from '../pod-writes.ts';
import { nonZero } from '../status-counts.ts';
import type { ReplicaSetPlan, Replicated } from './plan.ts';

/** That of a ReplicationController knows no terminating pods. */
export type ReplicaStatus = NonNullable<ReplicaSet['status']> & NonNullable<ReplicationController['status']>;

/** `failure`: of this run; undefined = none. */
export function planStatus(
  set: Replicated,
  { active, terminating }: Pick<ReplicaSetPlan, 'active' | 'terminating'>,
  at: { readonly nowMs: number; readonly failure: PodFailure | undefined },
): ReplicaStatus {
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
    ...(set.kind === 'ReplicaSet' && { terminatingReplicas: terminating.length }),
    ...(set.metadata.generation !== undefined && { observedGeneration: set.metadata.generation }),
    ...(conditions.length > 0 && { conditions }),
  };
}

type Conditions = NonNullable<NonNullable<ReplicaSet['status']>['conditions']>;

/** The first failure stays until it is over: messages name a new pod each time, and each change would wake the set again. */
function withFailure(before: Conditions, failure: PodFailure | undefined, nowMs: number): Conditions {
  const type = 'ReplicaFailure';
  if (failure === undefined) return before.filter((c) => c.type !== type);
  if (before.some((c) => c.type === type)) return before;
  return [...before, { type, status: 'True', ...failure, lastTransitionTime: formatTime(nowMs) }];
}
