// What a user does with a CronJob, on a whole control plane.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CronJob, isJobFinished, Job } from '../../src/api/index.ts';
import type { Draft } from '../../src/machinery/index.ts';
import { ControlPlane } from '../../src/testkit/index.ts';

let plane: ControlPlane;
let lastsMs = 1000;
beforeEach(async () => {
  plane = await ControlPlane.start();
  lastsMs = 1000;
  await plane.addNode('n1', { outcome: () => ({ afterMs: lastsMs, exitCode: 0 }) });
});
afterEach(() => plane.stop());

const at = { name: 'tick', namespace: 'default' };
const schedule = (spec: object = {}) =>
  plane.client(CronJob).create({
    metadata: at,
    spec: {
      schedule: '* * * * *',
      jobTemplate: {
        metadata: { labels: { app: 'tick' } },
        spec: { template: { spec: { containers: [{ name: 'c', image: 'i' }], restartPolicy: 'OnFailure' } } },
      },
      ...spec,
    },
  } as Draft<CronJob>);
const cronJob = () => plane.client(CronJob).get(at.name, at.namespace);
const names = async () => (await plane.list(Job)).map(({ metadata }) => metadata.name);
const minute = () => Math.floor(plane.clock.nowMs() / 60_000);

test('runs each minute and keeps the last three', async () => {
  await schedule();
  const first = minute() + 1;
  await plane.advance(50_000);
  expect(await names()).toEqual([]);
  await plane.advance(15_000);
  const [job] = await plane.list(Job);
  expect(job?.metadata).toMatchObject({
    name: `tick-${first}`,
    labels: { app: 'tick' },
    annotations: {
      'batch.kubernetes.io/cronjob-scheduled-timestamp': new Date(first * 60_000)
        .toISOString()
        .replace('.000', ''),
    },
  });
  expect(isJobFinished(job!)).toBe(true);
  expect((await cronJob()).status).toEqual({
    lastScheduleTime: new Date(first * 60_000).toISOString().replace('.000', ''),
    lastSuccessfulTime: job?.status?.completionTime,
  });
  expect(await plane.events('SuccessfulCreate')).toContain(`Created job tick-${first}`);
  expect(await plane.events('SawCompletedJob')).toEqual([
    `Saw completed job: tick-${first}, condition: Complete`,
  ]);
  await plane.advance(4 * 60_000);
  expect(await names()).toEqual([2, 3, 4].map((n) => `tick-${first + n}`));
  expect(await plane.events('SuccessfulDelete')).toEqual([
    `Deleted job tick-${first}`,
    `Deleted job tick-${first + 1}`,
  ]);
  expect(await plane.pods()).toHaveLength(3);
});

test.each([
  ['Allow', 2, 0],
  ['Forbid', 1, 0],
  ['Replace', 1, 1],
])('%s: when the one before still runs', async (concurrencyPolicy, active, deleted) => {
  lastsMs = 100_000;
  await schedule({ concurrencyPolicy });
  await plane.advance(125_000);
  expect((await cronJob()).status?.active).toHaveLength(active);
  expect((await plane.list(Job)).filter((job) => !isJobFinished(job))).toHaveLength(active);
  const said = (await plane.events('SuccessfulDelete')).filter((text) => text.startsWith('Deleted job'));
  expect(said).toHaveLength(deleted);
});

test('suspended it makes none, resumed it makes the one it missed last', async () => {
  await schedule({ suspend: true });
  await plane.advance(150_000);
  expect(await names()).toEqual([]);
  await plane.client(CronJob).patch(at, 'merge', { spec: { suspend: false } });
  await plane.rest();
  expect(await names()).toEqual([`tick-${minute()}`]);
});

test('the server was away: the last time missed is made up for, unless it is too late', async () => {
  await schedule({ schedule: '*/10 * * * *' });
  await plane.restart(25 * 60_000);
  expect(await names()).toEqual([`tick-${minute() - 5}`]);
  await plane.client(CronJob).delete('tick', 'default', { propagationPolicy: 'Background' });
  await plane.rest();
  await schedule({ schedule: '*/10 * * * *', startingDeadlineSeconds: 60 });
  await plane.restart(13 * 60_000);
  expect(await names()).toEqual([]);
  expect(await plane.events('MissSchedule')).toHaveLength(1);
});

test('deleted, its jobs and their pods go', async () => {
  lastsMs = 100_000;
  await schedule();
  await plane.advance(62_000);
  expect(await plane.pods()).toHaveLength(1);
  await plane.client(CronJob).delete('tick', 'default', { propagationPolicy: 'Background' });
  await plane.advance(3000);
  expect(await names()).toEqual([]);
  expect(await plane.pods()).toEqual([]);
});
