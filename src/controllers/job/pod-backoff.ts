// How long a job waits after failures before it makes new pods: 10 s, doubled with each failure since the last success. Pure.
import { isTerminating, type Job, type Pod } from '../../api/index.ts';
import { backoffMs } from '../../base/index.ts';
import { failuresBefore, finishedAtMs, hasSucceeded, isTracked, isValid } from './job-pod.ts';

const initialMs = 10_000;
/** As kube-controller-manager has it; its documentation speaks of six minutes. */
const maxMs = 600_000;

/** Pods end and are removed, so it is carried on from run to run; a controller that starts anew reads it from the pods left. */
export interface PodBackoff {
  readonly failuresSinceSuccess: number;
  readonly lastFailureMs: number;
}

export const noBackoff: PodBackoff = { failuresSinceSuccess: 0, lastFailureMs: 0 };

export interface Finished {
  readonly succeeded: readonly Pod[];
  readonly failed: readonly Pod[];
}

/** With pods that have finished since. */
export function backoffAfter(before: PodBackoff, { succeeded, failed }: Finished): PodBackoff {
  if (succeeded.length === 0 && failed.length === 0) return before;
  const since = succeeded.length === 0 ? undefined : Math.max(...succeeded.map(finishedAtMs));
  const failures = failed.map(finishedAtMs).filter((atMs) => since === undefined || atMs > since);
  if (failures.length === 0) return since === undefined ? before : noBackoff;
  return {
    failuresSinceSuccess: (since === undefined ? before.failuresSinceSuccess : 0) + failures.length,
    lastFailureMs: Math.max(...failures),
  };
}

/** What the pods that were counted before tell. Those that the job itself deleted are not among them. */
export function backoffFromPods(
  job: Job,
  pods: readonly Pod[],
  isCounted: (pod: Pod) => boolean,
): PodBackoff {
  const old = pods.filter(
    (pod) => (!isTracked(pod) || isCounted(pod)) && !isTerminating(pod) && isValid(job, pod),
  );
  return backoffAfter(noBackoff, {
    succeeded: old.filter(hasSucceeded),
    failed: old.filter((pod) => pod.status?.phase === 'Failed'),
  });
}

/** 0 = new pods may be made now. */
export function backoffLeftMs({ failuresSinceSuccess, lastFailureMs }: PodBackoff, nowMs: number): number {
  if (failuresSinceSuccess === 0) return 0;
  const waitMs = backoffMs(failuresSinceSuccess - 1, { initialMs, maxMs });
  return Math.max(0, lastFailureMs + waitMs - nowMs);
}

/** Of an index whose last pod was `failed`. */
export function indexBackoffLeftMs(failed: Pod, nowMs: number): number {
  const { counted, ignored } = failuresBefore(failed);
  const failuresSinceSuccess = counted + ignored + 1;
  return backoffLeftMs({ failuresSinceSuccess, lastFailureMs: finishedAtMs(failed) }, nowMs);
}
