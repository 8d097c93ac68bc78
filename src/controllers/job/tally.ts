// How a job stands: its pods sorted, and its counters as they are once everything that has finished is counted. Pure.
//
// Each pod is counted exactly once, whatever crashes in between, by three steps of which each can be seen in what is stored:
//   1. a finished pod that carries the finalizer is noted by its uid in status.uncountedTerminatedPods
//   2. the finalizer is taken off
//   3. a noted uid whose pod is seen without the finalizer, or not at all, is struck out and added to the counter
// The status is written only over the revision that was read, so each step happens once; and a memory of pods that lags behind only
// delays step 3. Successes of an indexed job need no notes: an index can be added to the completed ones twice without harm.
import { isActive, isReady, isTerminal, isTerminating, type Job, type Pod } from '../../api/index.ts';
import { judgeFailure, newlyFailedIndexes } from './failure-policy.ts';
import { countOf, hasIndex, type IndexSet, indexSetOf, readIndexSet, union } from './index-set.ts';
import {
  failuresBefore,
  finishedAtMs,
  hasFailed,
  hasSucceeded,
  indexOf,
  isIndexed,
  isTracked,
  isValid,
} from './job-pod.ts';

export interface Tally {
  /** All that the job owns. */
  readonly pods: readonly Pod[];
  readonly active: readonly Pod[];
  /** On their way out and not ended. */
  readonly terminating: readonly Pod[];
  readonly ready: number;
  /** Noted, still with the finalizer. */
  readonly noted: { readonly succeeded: ReadonlySet<string>; readonly failed: ReadonlySet<string> };
  /** The counters after step 3. */
  readonly settled: { readonly succeeded: number; readonly failed: number };
  /** Finished, tracked, and not noted yet. */
  readonly fresh: { readonly succeeded: readonly Pod[]; readonly failed: readonly Pod[] };
  /** Everything that has finished, counted yet or not. Failures that a policy ignores are not among them. */
  readonly succeeded: number;
  readonly failed: number;
  readonly completedIndexes: IndexSet;
  /** Undefined unless indexes have backoff limits of their own. */
  readonly failedIndexes: IndexSet | undefined;
  /** Failed pods that wait for the next of their index, which takes their number of failures over. */
  readonly awaited: ReadonlyMap<number, Pod>;
}

export function tallyOf(job: Job, pods: readonly Pod[]): Tally {
  const { spec, status = {} } = job;
  const tracked = new Set(pods.filter(isTracked).map((pod) => pod.metadata.uid));
  const { succeeded: notedSucceeded = [], failed: notedFailed = [] } = status.uncountedTerminatedPods ?? {};
  const noted = {
    succeeded: new Set(notedSucceeded.filter((uid) => tracked.has(uid))),
    failed: new Set(notedFailed.filter((uid) => tracked.has(uid))),
  };
  const settled = {
    succeeded: (status.succeeded ?? 0) + notedSucceeded.length - noted.succeeded.size,
    failed: (status.failed ?? 0) + notedFailed.length - noted.failed.size,
  };
  const open = pods.filter((pod) => isTracked(pod) && isValid(job, pod));
  // A pod that was noted as failed while it was being deleted stays failed, however it ends.
  const succeeding = open.filter((pod) => hasSucceeded(pod) && !noted.failed.has(pod.metadata.uid));
  const fresh = {
    succeeded: succeeding.filter((pod) => !noted.succeeded.has(pod.metadata.uid)),
    failed: open.filter((pod) => hasFailed(job, pod) && !noted.failed.has(pod.metadata.uid)),
  };
  const active = pods.filter(isActive);
  const completedIndexes = isIndexed(job) ? completedNow(job, succeeding) : [];
  const failedIndexes = failedNow(job, pods);
  return {
    pods,
    active,
    terminating: pods.filter((pod) => isTerminating(pod) && !isTerminal(pod)),
    ready: active.filter(isReady).length,
    noted,
    settled,
    fresh,
    succeeded: isIndexed(job)
      ? countOf(completedIndexes)
      : settled.succeeded + noted.succeeded.size + fresh.succeeded.length,
    failed:
      settled.failed + noted.failed.size + fresh.failed.filter((pod) => judgeFailure(job, pod).counts).length,
    completedIndexes,
    failedIndexes,
    awaited:
      failedIndexes === undefined
        ? new Map()
        : awaitedPods(job, open, union(union(completedIndexes, failedIndexes), activeIndexes(spec, active))),
  };
}

const activeIndexes = ({ completions = 0 }: Job['spec'], active: readonly Pod[]): IndexSet =>
  indexSetOf(active.flatMap((pod) => indexOf(pod, completions) ?? []));

function completedNow({ spec, status }: Job, succeeding: readonly Pod[]): IndexSet {
  const completions = spec.completions ?? 0;
  const now = succeeding.flatMap((pod) => indexOf(pod, completions) ?? []);
  return union(readIndexSet(status?.completedIndexes, completions), indexSetOf(now));
}

function failedNow(job: Job, pods: readonly Pod[]): IndexSet | undefined {
  const { completions = 0, backoffLimitPerIndex } = job.spec;
  if (!isIndexed(job) || backoffLimitPerIndex === undefined) return undefined;
  return union(
    readIndexSet(job.status?.failedIndexes, completions),
    indexSetOf(newlyFailedIndexes(job, pods)),
  );
}

/** Of each index that is still to be tried again the pod that failed last. */
function awaitedPods(job: Job, open: readonly Pod[], settled: IndexSet): ReadonlyMap<number, Pod> {
  const out = new Map<number, Pod>();
  for (const pod of open) {
    if (!hasFailed(job, pod)) continue;
    const index = indexOf(pod, job.spec.completions ?? 0);
    if (index === undefined || hasIndex(settled, index)) continue;
    const known = out.get(index);
    if (known === undefined || isLater(pod, known)) out.set(index, pod);
  }
  return out;
}

function isLater(pod: Pod, other: Pod): boolean {
  const [a, b] = [failuresBefore(pod), failuresBefore(other)];
  const difference = a.counted + a.ignored - (b.counted + b.ignored);
  return difference > 0 || (difference === 0 && finishedAtMs(pod) > finishedAtMs(other));
}
