// The status of a DaemonSet: counts of nodes. Pure.
import { type DaemonSet, isReady } from '../../api/index.ts';
import { nonZero } from '../status-counts.ts';
import type { DaemonSetState } from './state.ts';

/** On a node with several pods the oldest counts. */
export function planStatus(state: DaemonSetState): NonNullable<DaemonSet['status']> {
  const { set, collisionCount } = state;
  let currentNumberScheduled = 0;
  let numberMisscheduled = 0;
  let desiredNumberScheduled = 0;
  let numberReady = 0;
  let updatedNumberScheduled = 0;
  let numberAvailable = 0;
  for (const { shouldRun, pods } of state.states) {
    const [pod] = pods;
    if (shouldRun) desiredNumberScheduled++;
    if (pod === undefined) continue;
    if (!shouldRun) {
      numberMisscheduled++;
      continue;
    }
    currentNumberScheduled++;
    if (state.isNew(pod)) updatedNumberScheduled++;
    if (!isReady(pod)) continue;
    numberReady++;
    if (state.isAvailable(pod)) numberAvailable++;
  }
  return {
    currentNumberScheduled,
    numberMisscheduled,
    desiredNumberScheduled,
    numberReady,
    ...(set.metadata.generation !== undefined && { observedGeneration: set.metadata.generation }),
    ...nonZero({
      updatedNumberScheduled,
      numberAvailable,
      numberUnavailable: desiredNumberScheduled - numberAvailable,
      collisionCount,
    }),
    ...(set.status?.conditions !== undefined && { conditions: set.status.conditions }),
  };
}
