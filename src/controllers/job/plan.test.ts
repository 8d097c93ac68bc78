import { describe, expect, test } from 'vitest';
import type { Job, Pod } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';
import { buildJob, epochMs, type JobPodParts, buildJobPod as pod } from '../../testkit/index.ts';
import { claimPods } from './claims.ts';
import { completionIndex, trackingFinalizer } from './job-pod.ts';
import { type JobPlan, type JobStatus, planJob } from './plan.ts';
import { backoffAfter, backoffLeftMs, noBackoff } from './pod-backoff.ts';
import { podFor } from './pod-draft.ts';

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

describe('scale', () => {
  const run = { node: 'n' } as const;
  const ends = { phase: 'Succeeded' } as const;
  const fails = { phase: 'Failed' } as const;
  test.each<[string, Job, Pod[], object]>([
    ['as many as allowed', work(), [], { create: ['one', 'one'] }],
    ['what is missing', work(), [pod('a')], { create: ['one'] }],
    ['no more than are still to succeed', work({}, { ...started, succeeded: 2 }), [], { create: ['one'] }],
    [
      'as a work queue, until one succeeds',
      work({ completions: undefined }),
      [pod('a')],
      { create: ['one'] },
    ],
    [
      'as a work queue, none after one',
      work({ completions: undefined }),
      [pod('a'), pod('b', ends)],
      { count: ['b'] },
    ],
    [
      'what is too much goes uncounted',
      work({ parallelism: 1 }),
      [pod('a', run), pod('b')],
      { giveUp: ['b'] },
    ],
    ['suspended, everything goes', work({ suspend: true }), [pod('a'), pod('b')], { giveUp: ['a', 'b'] }],
    ['nothing while it backs off', work(), [pod('a', fails)], { count: ['a'] }],
    [
      'pods on their way out are replaced',
      work({ backoffLimit: 9 }, { ...started, failed: 1 }),
      [pod('a', { deletedMs: nowMs, untracked: true })],
      { create: ['one', 'one'] },
    ],
    [
      'unless only failed ones are',
      work({ podReplacementPolicy: 'Failed' }),
      [pod('a', { deletedMs: nowMs })],
      { create: ['one'] },
    ],
    ['the first indexes', indexed(), [], { create: [0, 1] }],
    [
      'the next indexes',
      indexed({}, { ...started, completedIndexes: '0' }),
      [pod('a', { index: 1 })],
      { create: [2] },
    ],
    [
      'an index twice',
      indexed(),
      [pod('a', { index: 1, ...run }), pod('b', { index: 1 })],
      { giveUp: ['b'] },
    ],
    ['an index out of range and none', indexed(), [pod('a', { index: 7 }), pod('b')], { giveUp: ['a', 'b'] }],
    [
      'a job on its way out makes none',
      buildJob('work', {}, { meta: { deletionTimestamp: now } }),
      [pod('a')],
      { count: ['a'] },
    ],
  ])('%s', (_, job, pods, wanted) => expect(acts(plan(job, pods))).toEqual({ ...nothing, ...wanted }));

  test('indexes back off one by one', () => {
    const job = indexed({ backoffLimitPerIndex: 3, parallelism: 3 });
    const failed = pod('a', {
      index: 1,
      ...fails,
      annotations: { 'batch.kubernetes.io/job-index-failure-count': '1' },
    });
    const got = plan(job, [failed]);
    expect(acts(got)).toEqual({ ...nothing, create: [0, 2] });
    expect(got.wakeInMs).toBe(20_000);
    const later = plan(job, [failed, pod('b', { index: 0 }), pod('c', { index: 2 })], nowMs + 20_000);
    expect(acts(later)).toEqual({ ...nothing, create: [1] });
    expect(podFor(job, later.create[0]!).metadata.annotations).toMatchObject({
      [completionIndex]: '1',
      'batch.kubernetes.io/job-index-failure-count': '2',
    });
    const replaced = [failed, pod('b', { index: 0 }), pod('c', { index: 2 }), pod('d', { index: 1 })];
    expect(acts(plan(job, replaced, nowMs + 20_000))).toEqual({ ...nothing, count: ['a'] });
  });
});

describe('backoff', () => {
  const at = (name: string, seconds: number, phase: string): Pod => {
    const ended = pod(name, { phase });
    const finishedAt = formatTime(nowMs + seconds * 1000);
    return {
      ...ended,
      status: {
        ...ended.status,
        containerStatuses: [
          { ...ended.status!.containerStatuses![0]!, state: { terminated: { exitCode: 1, finishedAt } } },
        ],
      },
    };
  };
  test.each([
    [1, 10],
    [2, 20],
    [3, 40],
    [6, 320],
    [7, 600],
    [100, 600],
  ])('after %d failures %d s', (failuresSinceSuccess, seconds) =>
    expect(backoffLeftMs({ failuresSinceSuccess, lastFailureMs: nowMs }, nowMs)).toBe(seconds * 1000),
  );
  test('a success begins anew, failures after it count', () => {
    const first = backoffAfter(noBackoff, {
      succeeded: [],
      failed: [at('a', 0, 'Failed'), at('b', 5, 'Failed')],
    });
    expect(first).toEqual({ failuresSinceSuccess: 2, lastFailureMs: nowMs + 5000 });
    expect(backoffAfter(first, { succeeded: [], failed: [at('c', 9, 'Failed')] }).failuresSinceSuccess).toBe(
      3,
    );
    expect(backoffAfter(first, { succeeded: [at('c', 9, 'Succeeded')], failed: [] })).toEqual(noBackoff);
    expect(
      backoffAfter(first, {
        succeeded: [at('c', 9, 'Succeeded')],
        failed: [at('d', 8, 'Failed'), at('e', 10, 'Failed')],
      }),
    ).toEqual({ failuresSinceSuccess: 1, lastFailureMs: nowMs + 10_000 });
  });
  test('a controller that starts anew reads it from the pods that are left', () => {
    const job = work({}, { ...started, failed: 2 });
    const old = [
      pod('a', { phase: 'Failed', untracked: true }),
      pod('b', { phase: 'Failed', untracked: true }),
    ];
    expect(plan(job, old).wakeInMs).toBe(20_000);
  });
});

describe('counting', () => {
  test('first noted, then without the finalizer, then counted', () => {
    const ended = pod('a', { phase: 'Succeeded' });
    const first = plan(work(), [ended]);
    expect(first.status).toMatchObject({ uncountedTerminatedPods: { succeeded: ['uid-a'] } });
    expect(first.status.succeeded).toBeUndefined();
    expect(names(first.count)).toEqual(['a']);
    const again = plan(work({}, first.status), [ended]);
    expect(again.status).toEqual(first.status);
    const after = plan(work({}, first.status), [pod('a', { phase: 'Succeeded', untracked: true })]);
    expect(after.status).toMatchObject({ succeeded: 1, uncountedTerminatedPods: {} });
    expect(plan(work({}, first.status), []).status.succeeded).toBe(1);
  });
  test('an ignored failure loses its finalizer and counts for nothing', () => {
    const rules = [{ action: 'Ignore', onExitCodes: { operator: 'In', values: [42] } }];
    const got = plan(work({ podFailurePolicy: { rules }, backoffLimit: 0 }), [
      pod('a', { phase: 'Failed', exitCode: 42 }),
    ]);
    expect(names(got.count)).toEqual(['a']);
    expect(got.status.uncountedTerminatedPods).toEqual({});
    expect(verdicts(got)).toEqual([]);
  });
  test('no more are noted than fit', () => {
    const pods = Array.from({ length: 700 }, (_, i) => pod(`p${i}`, { phase: 'Succeeded' }));
    const got = plan(work({ completions: 1000 }), pods);
    expect(got.count).toHaveLength(500);
    expect(got.status.uncountedTerminatedPods?.succeeded).toHaveLength(500);
  });
});

test('suspended and resumed, the deadline begins anew', () => {
  const early = formatTime(nowMs - 50_000);
  const suspended = plan(work({ suspend: true }, { startTime: early }), []);
  expect(suspended.status.startTime).toBe(early);
  expect(suspended.events).toEqual([{ type: 'Normal', reason: 'Suspended', message: 'Job suspended' }]);
  const resumed = plan(work({ activeDeadlineSeconds: 60 }, suspended.status), []);
  expect(resumed.status.startTime).toBe(now);
  expect(resumed.events).toEqual([{ type: 'Normal', reason: 'Resumed', message: 'Job resumed' }]);
  expect(resumed.wakeInMs).toBe(60_000);
  expect(resumed.status.conditions).toMatchObject([
    { type: 'Suspended', status: 'False', reason: 'JobResumed' },
  ]);
  expect(plan(work({ suspend: true }, {}), []).status.startTime).toBeUndefined();
});

test('an indexed pod knows its index', () => {
  const job = buildJob('x'.repeat(60), { completionMode: 'Indexed', completions: 20 });
  const { metadata, spec } = podFor(job, { index: 12 });
  expect(metadata).toMatchObject({
    generateName: `${'x'.repeat(54)}-12-`,
    labels: { [completionIndex]: '12', 'batch.kubernetes.io/controller-uid': job.metadata.uid },
    annotations: { [completionIndex]: '12' },
    finalizers: [trackingFinalizer],
  });
  expect(spec.hostname).toBe(`${job.metadata.name}-12`);
  expect(spec.containers[0]?.env).toEqual([
    {
      name: 'JOB_COMPLETION_INDEX',
      valueFrom: { fieldRef: { fieldPath: `metadata.labels['${completionIndex}']` } },
    },
  ]);
});

test('pods are claimed by label', () => {
  const job = work();
  const orphan = (name: string, parts: JobPodParts = {}) => pod(name, { ...parts, owner: undefined });
  const claims = claimPods(job, [
    pod('mine'),
    pod('relabelled', { labels: {} }),
    orphan('stray'),
    orphan('going', { deletedMs: nowMs }),
    orphan('other', { labels: {} }),
  ]);
  expect({ owned: names(claims.owned), adopt: names(claims.adopt), release: names(claims.release) }).toEqual({
    owned: ['mine'],
    adopt: ['stray'],
    release: ['relabelled'],
  });
});
