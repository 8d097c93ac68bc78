// What a job needs next. Pure: objects in, intended changes out.
import { type batchV1, isReady, type Job, type Pod } from '../../api/index.ts';
import type { EventType } from '../../client/index.ts';
import { formatTime } from '../../machinery/index.ts';
import { nonZero } from '../status-counts.ts';
import { judgeFailure } from './failure-policy.ts';
import { formatIndexSet } from './index-set.ts';
import { hasFailed, hasSucceeded, indexOf, isIndexed, isTracked, isValid } from './job-pod.ts';
import { backoffAfter, backoffFromPods, type PodBackoff } from './pod-backoff.ts';
import { type PodOrder, planScale, type ScalePlan } from './scale.ts';
import { type Tally, tallyOf } from './tally.ts';
import { deadlineInMs, givenVerdict, judgeJob, type Verdict, withCondition } from './verdict.ts';

export type JobStatus = batchV1.JobStatus;

export interface JobEvent {
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
}

export interface JobPlan {
  readonly create: readonly PodOrder[];
  /** First their finalizer goes, then they are deleted: they count for nothing. */
  readonly giveUp: readonly Pod[];
  /** The job ends: deleted with their finalizer on, so that they can be counted. After the status. */
  readonly end: readonly Pod[];
  /** As it is before anything was created or deleted. */
  readonly status: JobStatus;
  /** Their finalizer goes when the status has been written. */
  readonly count: readonly Pod[];
  /** When the status has been written. */
  readonly events: readonly JobEvent[];
  /** To be handed to the next plan, when the status has been written. */
  readonly backoff: PodBackoff;
  readonly wakeInMs: number | undefined;
}

/** As Kubernetes: so that the notes in a status stay below 20 KB. */
export const maxNoted = 500;

export interface JobView {
  readonly job: Job;
  /** What the job owns. */
  readonly pods: readonly Pod[];
  /** Of the last plan; undefined in a controller that starts anew. */
  readonly backoff: PodBackoff | undefined;
  readonly nowMs: number;
}

/** Of a job that has not finished and that this controller manages. */
export function planJob({ job, pods, backoff: before, nowMs }: JobView): JobPlan {
  const tally = tallyOf(job, pods);
  const given = givenVerdict(job);
  const verdict = given ?? judgeJob(job, tally, nowMs);
  const isGoing = job.metadata.deletionTimestamp !== undefined;
  const counting = countPods(job, tally, verdict);
  const backoff = nextBackoff(job, tally, { before, counted: counting.count });
  const scale: ScalePlan =
    verdict === undefined && !isGoing
      ? planScale(job, tally, { backoff, nowMs })
      : { create: [], giveUp: [], wakeInMs: undefined };
  const isDone = given !== undefined && isSettled(tally);
  const { conditions, started, events } = conditionsOf(job, { verdict, isDone, isGoing, nowMs });
  const status = assembleStatus(job, tally, counting, {
    conditions,
    startTime: started ? formatTime(nowMs) : job.status?.startTime,
    ...(isDone && given.type === 'SuccessCriteriaMet' && { completionTime: formatTime(nowMs) }),
  });
  const tooMany =
    status.completionTime !== undefined &&
    (status.succeeded ?? 0) > (job.spec.completions ?? Number.POSITIVE_INFINITY);
  return {
    create: scale.create,
    giveUp: scale.giveUp,
    end: verdict === undefined || isGoing ? [] : tally.active,
    status,
    count: counting.count,
    events: tooMany ? [tooManySucceeded, ...events] : events,
    backoff,
    wakeInMs: earlier(
      scale.wakeInMs,
      verdict === undefined ? deadlineInMs({ ...job, status }, nowMs) : undefined,
    ),
  };
}

const tooManySucceeded: JobEvent = {
  type: 'Warning',
  reason: 'TooManySucceededPods',
  message: 'Too many succeeded pods running after completion count reached',
};

/** Nothing runs, nothing is on its way out, and everything is counted. */
const isSettled = ({ pods, active, terminating, noted }: Tally): boolean =>
  active.length + terminating.length + noted.succeeded.size + noted.failed.size === 0 &&
  !pods.some(isTracked);

function nextBackoff(
  job: Job,
  { pods, noted, fresh }: Tally,
  { before, counted }: { readonly before: PodBackoff | undefined; readonly counted: readonly Pod[] },
): PodBackoff {
  const wasNoted = ({ metadata: { uid } }: Pod): boolean => noted.failed.has(uid) || noted.succeeded.has(uid);
  const now = new Set(counted);
  return backoffAfter(before ?? backoffFromPods(job, pods, wasNoted), {
    succeeded: fresh.succeeded.filter((pod) => now.has(pod)),
    failed: fresh.failed.filter((pod) => now.has(pod)),
  });
}

interface Counting {
  readonly count: readonly Pod[];
  readonly succeeded: readonly string[];
  readonly failed: readonly string[];
}

/** Which pods are noted now, and which lose their finalizer after that. */
function countPods(job: Job, tally: Tally, verdict: Verdict | undefined): Counting {
  const count: Pod[] = [];
  const succeeded = [...tally.noted.succeeded];
  const failed = [...tally.noted.failed];
  const ends = verdict !== undefined || job.metadata.deletionTimestamp !== undefined;
  const active = new Set(tally.active);
  const isAwaited = new Set(tally.awaited.values());
  for (const pod of inIndexOrder(job, tally.pods.filter(isTracked))) {
    const { uid } = pod.metadata;
    const lost = hasFailed(job, pod);
    // While a verdict is carried out, a pod is counted when it has been deleted: until then it may still succeed.
    const free = ends
      ? job.metadata.deletionTimestamp !== undefined || !active.has(pod)
      : lost && !isAwaited.has(pod);
    if (!free && !hasSucceeded(pod)) continue;
    count.push(pod);
    if (!isValid(job, pod) || tally.noted.failed.has(uid) || tally.noted.succeeded.has(uid)) continue;
    if (hasSucceeded(pod)) {
      if (!isIndexed(job)) succeeded.push(uid);
    } else if (isCountedAsFailed(job, pod, verdict)) failed.push(uid);
    if (succeeded.length + failed.length >= maxNoted) break;
  }
  return { count, succeeded, failed };
}

/** A job that fails takes its pods with it; one that succeeds early has no more use for them. */
function isCountedAsFailed(job: Job, pod: Pod, verdict: Verdict | undefined): boolean {
  if (verdict?.type === 'SuccessCriteriaMet' && pod.status?.phase !== 'Failed') return false;
  return (hasFailed(job, pod) || verdict?.type === 'FailureTarget') && judgeFailure(job, pod).counts;
}

const inIndexOrder = (job: Job, pods: readonly Pod[]): readonly Pod[] => {
  const { completions = 0 } = job.spec;
  if (!isIndexed(job)) return pods;
  return [...pods].sort((a, b) => (indexOf(a, completions) ?? -1) - (indexOf(b, completions) ?? -1));
};

interface Decided {
  readonly verdict: Verdict | undefined;
  readonly isDone: boolean;
  readonly isGoing: boolean;
  readonly nowMs: number;
}

function conditionsOf(job: Job, { verdict, isDone, isGoing, nowMs }: Decided) {
  const before = job.status?.conditions ?? [];
  const suspended = job.spec.suspend === true;
  let started = job.status?.startTime === undefined && !suspended;
  let conditions = before;
  const events: JobEvent[] = [];
  if (verdict !== undefined) {
    const { type, reason, message } = verdict;
    conditions = [...withCondition(conditions, { type, status: 'True', reason, message }, nowMs)];
    if (isDone) {
      const succeeds = type === 'SuccessCriteriaMet';
      const last = { type: succeeds ? 'Complete' : 'Failed', status: 'True', reason, message };
      conditions = [...withCondition(conditions, last, nowMs)];
      events.push(
        succeeds
          ? { type: 'Normal', reason: 'Completed', message: 'Job completed' }
          : { type: 'Warning', reason, message },
      );
    }
  } else if (!isGoing) {
    const [reason, message] = suspended ? ['Suspended', 'Job suspended'] : ['Resumed', 'Job resumed'];
    const status = suspended ? 'True' : 'False';
    const next = withCondition(before, { type: 'Suspended', status, reason: `Job${reason}`, message }, nowMs);
    if (next !== before) {
      conditions = [...next];
      events.push({ type: 'Normal', reason, message });
      // The deadline counts from the last time it was resumed.
      if (!suspended) started = true;
    }
  }
  return { conditions, started, events };
}

type Ends = Pick<JobStatus, 'conditions' | 'startTime' | 'completionTime'>;

function assembleStatus(
  job: Job,
  tally: Tally,
  { succeeded, failed }: Counting,
  { conditions, startTime, completionTime }: Ends,
): JobStatus {
  const completedIndexes = formatIndexSet(tally.completedIndexes);
  return {
    ...(conditions !== undefined && conditions.length > 0 && { conditions }),
    ...(startTime !== undefined && { startTime }),
    ...(completionTime !== undefined && { completionTime }),
    ...nonZero({
      active: tally.active.length,
      succeeded: isIndexed(job) ? tally.succeeded : tally.settled.succeeded,
      failed: tally.settled.failed,
    }),
    ready: tally.ready,
    terminating: tally.terminating.length,
    ...(completedIndexes !== '' && { completedIndexes }),
    ...(tally.failedIndexes !== undefined && { failedIndexes: formatIndexSet(tally.failedIndexes) }),
    uncountedTerminatedPods: {
      ...(succeeded.length > 0 && { succeeded: [...succeeded] }),
      ...(failed.length > 0 && { failed: [...failed] }),
    },
  };
}

/** The status once pods have been made or taken away. */
export function statusAfter(
  status: JobStatus,
  { created, removed }: { readonly created: number; readonly removed: readonly Pod[] },
): JobStatus {
  if (created === 0 && removed.length === 0) return status;
  const { active = 0, ready = 0, terminating = 0, ...rest } = status;
  const readyGone = removed.filter(isReady);
  return {
    ...rest,
    ...nonZero({ active: active + created - removed.length }),
    ready: ready - readyGone.length,
    terminating: terminating + removed.length,
  };
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  const least = Math.min(a ?? Number.POSITIVE_INFINITY, b ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(least) ? Math.max(1, least) : undefined;
}
