// What a user does with a Job, on a whole control plane: run, suspend, fail, lose nodes and the server, delete.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isActive, isJobFinished, Job, jobNameLabel, jobUidLabel, Pod } from '../../src/api/index.ts';
import { type Draft, StatusError } from '../../src/machinery/index.ts';
import { ControlPlane } from '../../src/testkit/index.ts';

const index = 'batch.kubernetes.io/job-completion-index';
const tracking = 'batch.kubernetes.io/job-tracking';
let plane: ControlPlane;
/** The exit code of a pod; undefined = it runs on. After a second. */
let exitCode: (pod: Pod) => number | undefined;

beforeEach(async () => {
  plane = await ControlPlane.start();
  exitCode = () => 0;
  for (const name of ['n1', 'n2'])
    await plane.addNode(name, {
      outcome: (pod) => {
        const code = exitCode(pod);
        return code === undefined ? undefined : { afterMs: 1000, exitCode: code };
      },
    });
});
afterEach(() => plane.stop());

const at = { name: 'work', namespace: 'default' };
const run = (spec: object, restartPolicy = 'Never') =>
  plane.client(Job).create({
    metadata: at,
    spec: { template: { spec: { containers: [{ name: 'c', image: 'i' }], restartPolicy } }, ...spec },
  } as Draft<Job>);
const job = () => plane.client(Job).get(at.name, at.namespace);
const patch = (spec: object) => plane.client(Job).patch(at, 'merge', { spec });
const finished = (limitMs = 60_000) =>
  plane.until('finished', async () => isJobFinished(await job()), limitMs);
const conditions = async () =>
  ((await job()).status?.conditions ?? []).map(({ type, status, reason }) => `${type}=${status} ${reason}`);
const indexOf = (pod: Pod) => pod.metadata.annotations?.[index];

test('runs as many pods as it needs, some at a time', async () => {
  await run({ completions: 5, parallelism: 2 });
  await plane.rest();
  let most = 0;
  await plane.until('finished', async () => {
    const active = (await plane.pods()).filter(isActive).length;
    most = Math.max(most, active);
    const { status } = await job();
    expect(status?.active ?? 0).toBe(active);
    return isJobFinished(await job());
  });
  expect(most).toBe(2);
  const { status, metadata } = await job();
  expect(status).toMatchObject({ succeeded: 5, ready: 0, terminating: 0, uncountedTerminatedPods: {} });
  expect(status?.completionTime).toBeDefined();
  expect(await conditions()).toEqual([
    'SuccessCriteriaMet=True CompletionsReached',
    'Complete=True CompletionsReached',
  ]);
  const pods = await plane.pods();
  expect(pods).toHaveLength(5);
  expect(pods.some((pod) => pod.metadata.finalizers !== undefined)).toBe(false);
  expect(pods[0]?.metadata.labels).toMatchObject({
    [jobNameLabel]: 'work',
    'job-name': 'work',
    [jobUidLabel]: metadata.uid,
    'controller-uid': metadata.uid,
  });
  expect(await plane.events('SuccessfulCreate')).toHaveLength(5);
  expect((await plane.events('SuccessfulCreate'))[0]).toMatch(/^Created pod: work-/);
  expect(await plane.events('Completed')).toEqual(['Job completed']);
});

test('a work queue ends when one has succeeded and the others have ended', async () => {
  exitCode = () => undefined;
  await run({ parallelism: 3 });
  await plane.until('three run', async () => (await job()).status?.ready === 3);
  const [first] = await plane.pods();
  const done = { status: { phase: 'Succeeded' } };
  const end = (pod: Pod) =>
    plane
      .client(Pod)
      .patch({ name: pod.metadata.name, namespace: 'default', subresource: 'status' }, 'merge', done);
  await end(first!);
  await plane.advance(3000);
  expect((await plane.pods()).filter(isActive)).toHaveLength(2);
  for (const pod of (await plane.pods()).filter(isActive)) await end(pod);
  await finished(2000);
  expect((await job()).status).toMatchObject({ succeeded: 3 });
});

describe('indexes', () => {
  test('each has a pod that knows its number', async () => {
    await run({ completions: 4, parallelism: 4, completionMode: 'Indexed' });
    await finished();
    const pods = [...(await plane.pods())].sort((a, b) => (indexOf(a)! < indexOf(b)! ? -1 : 1));
    expect(pods.map(indexOf)).toEqual(['0', '1', '2', '3']);
    expect(pods.map(({ spec }) => spec.hostname)).toEqual(['work-0', 'work-1', 'work-2', 'work-3']);
    expect(pods[2]?.metadata.name).toMatch(/^work-2-.{5}$/);
    expect(pods[2]?.metadata.labels?.[index]).toBe('2');
    expect(pods[2]?.spec.containers[0]?.env).toEqual([
      {
        name: 'JOB_COMPLETION_INDEX',
        valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: `metadata.labels['${index}']` } },
      },
    ]);
    expect((await job()).status).toMatchObject({ completedIndexes: '0-3', succeeded: 4 });
  });

  test('have limits of their own', async () => {
    exitCode = (pod) => (indexOf(pod) === '1' ? 3 : 0);
    await run({ completions: 3, parallelism: 3, completionMode: 'Indexed', backoffLimitPerIndex: 1 });
    await finished();
    expect(await conditions()).toEqual(['FailureTarget=True FailedIndexes', 'Failed=True FailedIndexes']);
    expect((await job()).status).toMatchObject({
      completedIndexes: '0,2',
      failedIndexes: '1',
      succeeded: 2,
      failed: 2,
    });
    expect(await plane.events('FailedIndexes')).toEqual(['Job has failed indexes']);
  });

  test('enough of them are enough', async () => {
    exitCode = (pod) => (indexOf(pod) === '0' ? 0 : undefined);
    await run({
      completions: 3,
      parallelism: 3,
      completionMode: 'Indexed',
      successPolicy: { rules: [{ succeededIndexes: '0' }] },
    });
    await finished();
    expect(await conditions()).toEqual([
      'SuccessCriteriaMet=True SuccessPolicy',
      'Complete=True SuccessPolicy',
    ]);
    expect((await job()).status).toMatchObject({ completedIndexes: '0', succeeded: 1 });
    expect((await job()).status?.failed).toBeUndefined();
    expect(await plane.pods()).toHaveLength(1);
  });

  test('can be more and fewer while it runs', async () => {
    exitCode = (pod) => (Number(indexOf(pod)) < 2 ? 0 : undefined);
    await run({ completions: 3, parallelism: 3, completionMode: 'Indexed' });
    await plane.until('two are done', async () => (await job()).status?.succeeded === 2);
    await patch({ completions: 5, parallelism: 5 });
    await plane.advance(2000);
    expect((await plane.pods()).filter(isActive).map(indexOf).sort()).toEqual(['2', '3', '4']);
    await patch({ completions: 2, parallelism: 2 });
    await finished();
    expect((await job()).status).toMatchObject({ completedIndexes: '0,1', succeeded: 2 });
  });
});

describe('failures', () => {
  test('are tried again later and later, until it is enough', async () => {
    exitCode = () => 1;
    await run({ backoffLimit: 2 });
    const tookMs = await finished(120_000);
    expect(tookMs).toBeGreaterThanOrEqual(30_000);
    expect(tookMs).toBeLessThanOrEqual(40_000);
    expect(await conditions()).toEqual([
      'FailureTarget=True BackoffLimitExceeded',
      'Failed=True BackoffLimitExceeded',
    ]);
    expect((await job()).status).toMatchObject({ failed: 3 });
    expect(await plane.events('BackoffLimitExceeded')).toEqual([
      'Job has reached the specified backoff limit',
    ]);
  });

  test('within a pod count too', async () => {
    exitCode = () => 1;
    await run({ backoffLimit: 2 }, 'OnFailure');
    await finished();
    expect(await conditions()).toContain('Failed=True BackoffLimitExceeded');
    expect(await plane.pods()).toEqual([]);
  });

  test('that no rule forgives end it at once', async () => {
    exitCode = () => 42;
    const rules = [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } }];
    await run({ podFailurePolicy: { rules } });
    await finished(5000);
    const [first] = (await job()).status?.conditions ?? [];
    expect(first).toMatchObject({
      type: 'FailureTarget',
      reason: 'PodFailurePolicy',
      message: expect.stringMatching(
        /^Container c for pod default\/work-.* failed with exit code 42 matching FailJob rule at index 0$/,
      ),
    });
  });

  test('come of time too', async () => {
    exitCode = () => undefined;
    await run({ activeDeadlineSeconds: 10, parallelism: 2, completions: 2 });
    const tookMs = await finished();
    expect(tookMs).toBeGreaterThanOrEqual(10_000);
    expect(tookMs).toBeLessThanOrEqual(11_500);
    expect(await conditions()).toContain('Failed=True DeadlineExceeded');
    expect((await job()).status).toMatchObject({ failed: 2, terminating: 0 });
    expect(await plane.pods()).toEqual([]);
  });
});

test('suspended it gives its pods up, resumed it begins anew', async () => {
  exitCode = () => undefined;
  await run({ suspend: true, parallelism: 2, completions: 2 });
  await plane.advance(2000);
  expect(await plane.pods()).toEqual([]);
  expect((await job()).status?.startTime).toBeUndefined();
  expect(await conditions()).toEqual(['Suspended=True JobSuspended']);
  await patch({ suspend: false });
  await plane.until('two run', async () => (await job()).status?.ready === 2);
  expect(await conditions()).toEqual(['Suspended=False JobResumed']);
  const { startTime } = (await job()).status!;
  await patch({ suspend: true });
  await plane.until('none run', async () => (await plane.pods()).length === 0);
  expect((await job()).status).toMatchObject({ ready: 0, terminating: 0 });
  expect((await job()).status?.failed).toBeUndefined();
  exitCode = () => 0;
  await plane.advance(2000);
  await patch({ suspend: false });
  await finished();
  expect((await job()).status?.startTime).not.toBe(startTime);
  expect(await plane.events('Suspended')).toEqual(['Job suspended']);
  expect(await plane.events('Resumed')).toEqual(['Job resumed']);
});

test('of another controller it is left alone', async () => {
  await run({ managedBy: 'example.com/mine' });
  await plane.advance(3000);
  expect(await plane.pods()).toEqual([]);
  expect((await job()).status).toEqual({});
});

test('with a time to live it goes, and its pods with it', async () => {
  await run({ ttlSecondsAfterFinished: 5 });
  await finished();
  await plane.advance(4000);
  expect(await plane.pods()).toHaveLength(1);
  await plane.advance(3000);
  await expect(job()).rejects.toThrow(StatusError);
  expect(await plane.pods()).toEqual([]);
});

test.each(['Background', 'Foreground', 'Orphan'] as const)(
  'deleted (%s), nothing holds its pods',
  async (policy) => {
    exitCode = () => undefined;
    await run({ parallelism: 2, completions: 2 });
    await plane.until('two run', async () => (await job()).status?.ready === 2);
    await plane.client(Job).delete(at.name, at.namespace, { propagationPolicy: policy });
    await plane.advance(3000);
    await expect(job()).rejects.toThrow(StatusError);
    const left = await plane.pods();
    expect(left).toHaveLength(policy === 'Orphan' ? 2 : 0);
    expect(left.some(({ metadata }) => metadata.finalizers?.includes(tracking))).toBe(false);
  },
);

test('a pod deleted by hand counts as failed and is replaced after a while', async () => {
  exitCode = () => undefined;
  await run({});
  await plane.until('it runs', async () => (await job()).status?.ready === 1);
  const [victim] = await plane.pods();
  await plane.client(Pod).delete(victim!.metadata.name, 'default');
  await plane.advance(9000);
  expect(await plane.pods()).toEqual([]);
  expect((await job()).status).toMatchObject({ failed: 1 });
  await plane.advance(3000);
  expect((await job()).status).toMatchObject({ failed: 1, ready: 1 });
});

test('a relabelled pod is let go and replaced, and taken again when its labels are back', async () => {
  exitCode = () => undefined;
  await run({});
  await plane.until('it runs', async () => (await job()).status?.ready === 1);
  const [first] = await plane.pods();
  const pod = { name: first!.metadata.name, namespace: 'default' };
  await plane.client(Pod).patch(pod, 'merge', { metadata: { labels: { [jobUidLabel]: 'none' } } });
  await plane.advance(2000);
  const released = await plane.client(Pod).get(pod.name, 'default');
  expect(released.metadata.ownerReferences).toBeUndefined();
  expect(released.metadata.finalizers).toBeUndefined();
  expect(await plane.pods()).toHaveLength(2);
  await patch({ parallelism: 2 });
  await plane.client(Pod).patch(pod, 'merge', { metadata: { labels: first!.metadata.labels! } });
  await plane.advance(200);
  const adopted = await plane.client(Pod).get(pod.name, 'default');
  expect(adopted.metadata.deletionTimestamp ?? adopted.metadata.finalizers?.[0]).toBeDefined();
});

test('the pods of a lost node fail and come again elsewhere', async () => {
  exitCode = () => undefined;
  const lost = await plane.addNode('n3');
  await run({ parallelism: 3, completions: 3 });
  await plane.until('three run', async () => (await job()).status?.ready === 3);
  const there = (await plane.pods()).filter(({ spec }) => spec.nodeName === 'n3');
  expect(there.length).toBeGreaterThan(0);
  await plane.kill(lost);
  await plane.until('three run again', async () => {
    const ready = (await plane.pods()).filter((pod) => isActive(pod) && pod.spec.nodeName !== 'n3');
    return ready.length === 3;
  });
  expect((await job()).status?.failed).toBe(there.length);
});

test.each([0, 100, 550, 650, 1500, 1600])(
  'the server restarts %d ms after the start: each pod is counted once',
  async (ms) => {
    await run({ completions: 6, parallelism: 3, completionMode: 'Indexed' });
    await plane.advance(ms);
    await plane.restart(500);
    await finished();
    expect((await job()).status).toMatchObject({
      succeeded: 6,
      completedIndexes: '0-5',
      uncountedTerminatedPods: {},
    });
    const pods = await plane.pods();
    expect(pods).toHaveLength(6);
    expect(pods.some((pod) => pod.metadata.finalizers !== undefined)).toBe(false);
  },
);
