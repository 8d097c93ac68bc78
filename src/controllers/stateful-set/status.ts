// The status of a StatefulSet: counts of its pods, by revision too, and when an update is complete. Pure.
import { isAvailable, isReady, isTerminating, type Pod, type StatefulSet } from '../../api/index.ts';
import { nonZero } from '../status-counts.ts';
import { revisionOf } from './identity.ts';
import type { StatefulSetView } from './view.ts';

/** `leaving`: what this run deletes. It counts as gone, since by `currentReplicas` the next run may tell which revision to make. */
export function planStatus(
  { set, pods, current, update, collisionCount, nowMs }: StatefulSetView,
  leaving: ReadonlySet<Pod>,
): NonNullable<StatefulSet['status']> {
  let readyReplicas = 0;
  let availableReplicas = 0;
  let currentReplicas = 0;
  let updatedReplicas = 0;
  for (const pod of pods) {
    if (pod.status?.phase === 'Running' && isReady(pod)) {
      readyReplicas++;
      if (isAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)) availableReplicas++;
    }
    if (isTerminating(pod) || leaving.has(pod)) continue;
    if (revisionOf(pod) === current.metadata.name) currentReplicas++;
    if (revisionOf(pod) === update.metadata.name) updatedReplicas++;
  }
  const replicas = pods.length;
  const wanted = set.spec.replicas ?? 1;
  const isComplete =
    set.spec.updateStrategy?.type !== 'OnDelete' &&
    [replicas, readyReplicas, updatedReplicas].every((count) => count === wanted);
  return {
    ...(set.metadata.generation !== undefined && { observedGeneration: set.metadata.generation }),
    replicas,
    ...nonZero({
      readyReplicas,
      currentReplicas: isComplete ? updatedReplicas : currentReplicas,
      updatedReplicas,
    }),
    availableReplicas,
    currentRevision: (isComplete ? update : current).metadata.name,
    updateRevision: update.metadata.name,
    collisionCount,
    ...(set.status?.conditions !== undefined && { conditions: set.status.conditions }),
  };
}
