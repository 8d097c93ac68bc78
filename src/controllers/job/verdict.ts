// Whether a job has come to its end, and why: the first reason found stays. Pure.
import type { batchV1, Job } from '../../api/index.ts';
import { formatTime, parseTime } from '../../machinery/index.ts';
import { judgeFailure } from './failure-policy.ts';
import { countOf } from './index-set.ts';
import { hasFailed } from './job-pod.ts';
import { metSuccessRule } from './success-policy.ts';
import type { Tally } from './tally.ts';

export interface Verdict {
  /** The condition that says how it will end; the last condition follows when no pod is left. */
  readonly type: 'FailureTarget' | 'SuccessCriteriaMet';
  readonly reason: string;
  readonly message: string;
}

const failure = (reason: string, message: string): Verdict => ({ type: 'FailureTarget', reason, message });
const success = (reason: string, message: string): Verdict => ({
  type: 'SuccessCriteriaMet',
  reason,
  message,
});

/** What an earlier run has decided. */
export function givenVerdict({ status }: Job): Verdict | undefined {
  for (const type of ['SuccessCriteriaMet', 'FailureTarget'] as const) {
    const found = status?.conditions?.find((c) => c.type === type && c.status === 'True');
    if (found !== undefined) return { type, reason: found.reason ?? '', message: found.message ?? '' };
  }
  return undefined;
}

export function judgeJob(job: Job, tally: Tally, nowMs: number): Verdict | undefined {
  const { spec } = job;
  for (const pod of tally.pods) {
    const message = hasFailed(job, pod) ? judgeFailure(job, pod).failsJob : undefined;
    if (message !== undefined) return failure('PodFailurePolicy', message);
  }
  if (tally.failed > backoffLimitOf(job) || restartedTooOften(job, tally))
    return failure('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  if (deadlineInMs(job, nowMs) <= 0)
    return failure('DeadlineExceeded', 'Job was active longer than specified deadline');
  if (tally.failedIndexes !== undefined) {
    const failed = countOf(tally.failedIndexes);
    if (spec.maxFailedIndexes !== undefined && failed > spec.maxFailedIndexes)
      return failure(
        'MaxFailedIndexesExceeded',
        'Job has exceeded the specified maximal number of failed indexes',
      );
    if (failed > 0 && failed + tally.succeeded >= (spec.completions ?? 0))
      return failure('FailedIndexes', 'Job has failed indexes');
  }
  const rule = metSuccessRule(job, tally.completedIndexes);
  if (rule !== undefined) return success('SuccessPolicy', rule);
  // Without a number of completions one success will do, but those that still run are not disturbed.
  if (tally.active.length === 0 && tally.succeeded >= (spec.completions ?? 1))
    return success('CompletionsReached', 'Reached expected number of succeeded pods');
  return undefined;
}

const backoffLimitOf = ({ spec }: Job): number => spec.backoffLimit ?? 6;

/** Containers that restart within their pods count as well, as long as the pods run. */
function restartedTooOften(job: Job, { pods }: Tally): boolean {
  if (job.spec.template.spec?.restartPolicy !== 'OnFailure') return false;
  let restarts = 0;
  for (const { status } of pods) {
    if (status?.phase !== 'Running' && status?.phase !== 'Pending') continue;
    for (const list of [status.initContainerStatuses, status.containerStatuses])
      for (const { restartCount } of list ?? []) restarts += restartCount;
  }
  return restarts >= Math.max(1, backoffLimitOf(job));
}

/** Infinity when there is no deadline, or the job is suspended or has not begun. */
export function deadlineInMs({ spec, status }: Job, nowMs: number): number {
  const startedMs = parseTime(status?.startTime);
  if (spec.activeDeadlineSeconds === undefined || startedMs === undefined || spec.suspend === true)
    return Number.POSITIVE_INFINITY;
  return startedMs + spec.activeDeadlineSeconds * 1000 - nowMs;
}

type Condition = batchV1.JobCondition;

/** The list with this condition in it. Nothing changes when it says so already, or when what was never true is false. */
export function withCondition(
  list: readonly Condition[],
  said: Pick<Condition, 'type' | 'status' | 'reason' | 'message'>,
  nowMs: number,
): readonly Condition[] {
  const now = formatTime(nowMs);
  const condition = { ...said, lastProbeTime: now, lastTransitionTime: now };
  const known = list.find(({ type }) => type === said.type);
  if (known === undefined) return said.status === 'False' ? list : [...list, condition];
  if (known.status === said.status && known.reason === said.reason && known.message === said.message)
    return list;
  return list.map((c) => (c === known ? condition : c));
}
