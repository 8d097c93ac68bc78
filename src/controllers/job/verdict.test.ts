import { describe, expect, test } from 'vitest';
import type { Job, Pod } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';
import { buildJob, epochMs, buildJobPod as pod } from '../../testkit/index.ts';
import { type JobPlan, type JobStatus, planJob } from './plan.ts';

const nowMs = epochMs + 3_600_000;
const now = formatTime(nowMs);
const started = { startTime: now };

const plan = (job: Job, pods: readonly Pod[], at = nowMs) =>
  planJob({ job, pods, backoff: undefined, nowMs: at });
const names = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.name);
const work = (spec: Partial<Job['spec']> = {}, status: JobStatus = started) =>
  buildJob('work', { completions: 3, parallelism: 2, ...spec }, { status });
const indexed = (spec: Partial<Job['spec']> = {}, status: JobStatus = started) =>
  work({ completionMode: 'Indexed', ...spec }, status);

/** What it does, in short. */
const acts = ({ create, giveUp, end, count }: JobPlan) => ({
  create: create.map(({ index }) => index ?? 'one'),
  giveUp: names(giveUp),
  end: names(end),
  count: names(count),
});
const nothing = { create: [], giveUp: [], end: [], count: [] };
const verdicts = ({ status }: JobPlan) =>
  (status.conditions ?? []).map(({ type, reason, message }) => `${type} ${reason} ${message}`);

describe('verdict', () => {
  const failed = (name: string, exitCode = 1): Pod => pod(name, { phase: 'Failed', exitCode });
  const policy = (...rules: NonNullable<Job['spec']['podFailurePolicy']>['rules']) => ({
    podFailurePolicy: { rules },
  });
  test.each<[string, Job, Pod[], string[]]>([
    ['goes on', work({ backoffLimit: 1 }), [failed('a')], []],
    [
      'too many failures',
      work({ backoffLimit: 0 }),
      [failed('a')],
      ['FailureTarget BackoffLimitExceeded Job has reached the specified backoff limit'],
    ],
    [
      'too many restarts',
      work({
        backoffLimit: 3,
        template: {
          spec: { containers: [{ name: 'c', image: 'i' }], restartPolicy: 'OnFailure' },
        } as Job['spec']['template'],
      }),
      [pod('a', { node: 'n', restarts: 3 })],
      ['FailureTarget BackoffLimitExceeded Job has reached the specified backoff limit'],
    ],
    [
      'too late',
      work({ activeDeadlineSeconds: 60 }, { startTime: formatTime(nowMs - 60_000) }),
      [],
      ['FailureTarget DeadlineExceeded Job was active longer than specified deadline'],
    ],
    [
      'not too late while suspended',
      work({ activeDeadlineSeconds: 60, suspend: true }, { startTime: formatTime(nowMs - 60_000) }),
      [],
      ['Suspended JobSuspended Job suspended'],
    ],
    [
      'done',
      work({}, { ...started, succeeded: 3 }),
      [],
      ['SuccessCriteriaMet CompletionsReached Reached expected number of succeeded pods'],
    ],
    ['not done while one runs', work({}, { ...started, succeeded: 3 }), [pod('a')], []],
    [
      'a work queue is done',
      work({ completions: undefined }),
      [pod('a', { phase: 'Succeeded' })],
      ['SuccessCriteriaMet CompletionsReached Reached expected number of succeeded pods'],
    ],
    [
      'nothing to do',
      work({ completions: 0 }),
      [],
      ['SuccessCriteriaMet CompletionsReached Reached expected number of succeeded pods'],
    ],
    [
      'an exit code',
      work(
        policy(
          { action: 'Count', onExitCodes: { operator: 'In', values: [3] } },
          { action: 'FailJob', onExitCodes: { containerName: 'c', operator: 'NotIn', values: [1] } },
        ),
      ),
      [failed('a', 42)],
      [
        'FailureTarget PodFailurePolicy Container c for pod default/a failed with exit code 42 matching FailJob rule at index 1',
      ],
    ],
    [
      'an exit code that counts first',
      work(
        policy(
          { action: 'Count', onExitCodes: { operator: 'In', values: [3] } },
          { action: 'FailJob', onExitCodes: { operator: 'NotIn', values: [1] } },
        ),
      ),
      [failed('a', 3)],
      [],
    ],
    [
      'a condition of a pod',
      work(policy({ action: 'FailJob', onPodConditions: [{ type: 'ConfigIssue', status: 'True' }] })),
      [
        {
          ...failed('a'),
          status: { phase: 'Failed', conditions: [{ type: 'ConfigIssue', status: 'True' }] },
        },
      ],
      [
        'FailureTarget PodFailurePolicy Pod default/a has condition ConfigIssue matching FailJob rule at index 0',
      ],
    ],
    [
      'too many indexes failed',
      indexed({ backoffLimitPerIndex: 0, maxFailedIndexes: 0 }),
      [pod('a', { index: 1, phase: 'Failed' })],
      [
        'FailureTarget MaxFailedIndexesExceeded Job has exceeded the specified maximal number of failed indexes',
      ],
    ],
    [
      'all ended and one failed',
      indexed({ backoffLimitPerIndex: 0 }, { ...started, succeeded: 2, completedIndexes: '0,2' }),
      [pod('a', { index: 1, phase: 'Failed' })],
      ['FailureTarget FailedIndexes Job has failed indexes'],
    ],
    [
      'an index failed by a rule',
      indexed({
        backoffLimitPerIndex: 9,
        maxFailedIndexes: 0,
        ...policy({ action: 'FailIndex', onExitCodes: { operator: 'In', values: [7] } }),
      }),
      [pod('a', { index: 1, phase: 'Failed', exitCode: 7 })],
      [
        'FailureTarget MaxFailedIndexesExceeded Job has exceeded the specified maximal number of failed indexes',
      ],
    ],
    [
      'enough of the right indexes',
      indexed({
        successPolicy: { rules: [{ succeededIndexes: '1' }, { succeededIndexes: '0,2', succeededCount: 1 }] },
      }),
      [pod('a', { index: 2, phase: 'Succeeded' }), pod('b', { index: 0 })],
      ['SuccessCriteriaMet SuccessPolicy Matched rules at index 1'],
    ],
    [
      'not enough of them',
      indexed({ successPolicy: { rules: [{ succeededIndexes: '0-2' }] } }),
      [pod('a', { index: 2, phase: 'Succeeded' }), pod('b', { index: 0 })],
      [],
    ],
  ])('%s', (_, job, pods, wanted) => expect(verdicts(plan(job, pods))).toEqual(wanted));

  test('what still runs is ended before the last condition', () => {
    const first = plan(work({ backoffLimit: 0 }), [failed('a'), pod('b', { node: 'n', ready: true })]);
    expect(acts(first)).toEqual({ ...nothing, end: ['b'], count: ['a'] });
    const second = plan(work({ backoffLimit: 0 }, first.status), [
      pod('a', { phase: 'Failed', untracked: true }),
      pod('b', { node: 'n', deletedMs: nowMs }),
    ]);
    expect(acts(second)).toEqual({ ...nothing, count: ['b'] });
    expect(second.status).toMatchObject({
      failed: 1,
      terminating: 1,
      uncountedTerminatedPods: { failed: ['uid-b'] },
    });
    const third = plan(work({ backoffLimit: 0 }, second.status), [
      pod('b', { node: 'n', deletedMs: nowMs, untracked: true }),
    ]);
    expect(verdicts(third)).toHaveLength(1);
    const last = plan(work({ backoffLimit: 0 }, third.status), []);
    expect(verdicts(last)[1]).toBe('Failed BackoffLimitExceeded Job has reached the specified backoff limit');
    expect(last.status).toMatchObject({ failed: 2, terminating: 0 });
    expect(last.events).toEqual([
      {
        type: 'Warning',
        reason: 'BackoffLimitExceeded',
        message: 'Job has reached the specified backoff limit',
      },
    ]);
  });

  test('pods that a success has no more use for have not failed', () => {
    const job = indexed({ successPolicy: { rules: [{ succeededCount: 1 }] } });
    const first = plan(job, [pod('a', { index: 0, phase: 'Succeeded' }), pod('b', { index: 1, node: 'n' })]);
    expect(acts(first)).toEqual({ ...nothing, end: ['b'], count: ['a'] });
    const second = plan(indexed(job.spec, first.status), [
      pod('b', { index: 1, node: 'n', deletedMs: nowMs }),
    ]);
    expect(acts(second)).toEqual({ ...nothing, count: ['b'] });
    const last = plan(indexed(job.spec, second.status), []);
    expect(verdicts(last)[1]).toBe('Complete SuccessPolicy Matched rules at index 0');
    expect(last.status).toMatchObject({ succeeded: 1, completionTime: now });
    expect(last.status.failed).toBeUndefined();
  });
});
