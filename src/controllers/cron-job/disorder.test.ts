// CronJobs whose events come late, twice and out of step, and whose writes fail: each time of the schedule gets one job, and after the
// last nothing is written.
import { afterEach, describe, expect, test } from 'vitest';
import { CronJob, isJobFinished, Job } from '../../api/index.ts';
import { seededRandom } from '../../base/index.ts';
import { type Draft, formatTime, internalError } from '../../machinery/index.ts';
import { buildCronJob, ControllerHarness, disorderly } from '../../testkit/index.ts';
import { cronJobController } from './controller.ts';

const minuteMs = 60_000;
let harness: ControllerHarness;
afterEach(() => harness.stop());

const at = { name: 'tick', namespace: 'default' };
const cronJob = () => harness.client(CronJob).get(at.name, at.namespace);
const create = (spec: Partial<CronJob['spec']>) =>
  harness.create(CronJob, {
    metadata: at,
    spec: buildCronJob('tick', { schedule: '* * * * *', ...spec }).spec,
  } as Draft<CronJob>);
const names = async () => (await harness.list(Job)).map(({ metadata }) => metadata.name).sort();

/** Jobs that have run for long enough end; well, unless told otherwise. */
async function endJobs(afterMs: number, type = 'Complete'): Promise<void> {
  const now = formatTime(harness.clock.nowMs());
  for (const job of await harness.list(Job)) {
    const { name, namespace, creationTimestamp } = job.metadata;
    if (isJobFinished(job) || harness.clock.nowMs() - Date.parse(creationTimestamp) < afterMs) continue;
    await harness.client(Job).patch({ name, namespace, subresource: 'status' }, 'merge', {
      status: {
        conditions: [{ type, status: 'True', lastTransitionTime: now }],
        startTime: creationTimestamp,
        ...(type === 'Complete' && { completionTime: now }),
      },
    });
  }
}

const seeds = [1, 2, 3, 4];
const minuteOf = (n: number): string => `tick-${harness.clock.nowMs() / minuteMs + n}`;

describe.each(seeds)('in disorder %d', (seed) => {
  test('one job a minute, as many kept as asked for', async () => {
    harness = new ControllerHarness({
      seed,
      delivery: disorderly(seededRandom(seed), { maxMs: 800, twice: true }),
    });
    const wanted = [1, 2, 3, 4, 5, 6, 7].map(minuteOf);
    await create({ successfulJobsHistoryLimit: 2 });
    await harness.start(cronJobController);
    const made = new Set<string>();
    for (let i = 0; i < 7 * 12 + 2; i++) {
      await harness.advance(5000);
      for (const name of await names()) made.add(name);
      await endJobs(20_000);
    }
    await harness.client(CronJob).patch(at, 'merge', { spec: { suspend: true } });
    for (let i = 0; i < 12; i++) {
      await harness.advance(5000);
      await endJobs(0);
    }
    expect([...made]).toEqual(wanted);
    expect(await names()).toEqual(wanted.slice(-2));
    const { status } = await cronJob();
    expect(status?.active).toBeUndefined();
    expect(Date.parse(status?.lastScheduleTime ?? '') / minuteMs).toBe(Number(wanted.at(-1)?.slice(5)));
    expect(harness.events.filter(({ reason }) => reason === 'SuccessfulCreate')).toHaveLength(7);
    const before = harness.transport.calls.length;
    await harness.advance(5 * minuteMs);
    expect(harness.transport.calls.length).toBe(before);
  });

  test('with Forbid and Replace never more than one runs', async () => {
    for (const concurrencyPolicy of ['Forbid', 'Replace']) {
      harness = new ControllerHarness({
        seed,
        delivery: disorderly(seededRandom(seed), { maxMs: 800, twice: true }),
      });
      await create({ concurrencyPolicy });
      await harness.start(cronJobController);
      for (let i = 0; i < 10 * 12; i++) {
        await harness.advance(5000);
        expect((await harness.list(Job)).filter((job) => !isJobFinished(job)).length).toBeLessThanOrEqual(1);
        await endJobs(100_000);
      }
      const said = harness.events.map(({ reason }) => reason);
      expect(said).toContain(concurrencyPolicy === 'Forbid' ? 'JobAlreadyActive' : 'SuccessfulDelete');
      await harness.stop();
    }
  });

  test('whatever fails between two writes, each time has its job', async () => {
    harness = new ControllerHarness({ seed });
    const random = seededRandom(seed + 10);
    const wanted = [1, 2, 3, 4, 5].map(minuteOf);
    await create({ successfulJobsHistoryLimit: 100 });
    let broken = true;
    harness.transport.failWith = ({ verb }) =>
      broken && verb !== 'list' && verb !== 'watch' && random.next() < 0.25
        ? internalError(new Error('crash'))
        : undefined;
    // Some jobs are made and nobody hears of it.
    const { transport } = harness;
    const made = transport.create.bind(transport);
    transport.create = async (...call) => {
      const answer = await made(...call);
      if (broken && random.next() < 0.4) throw internalError(new Error('the answer was lost'));
      return answer;
    };
    await harness.start(cronJobController);
    for (let i = 0; i < 5 * 12 + 4; i++) {
      await harness.advance(5000);
      broken = false;
      await endJobs(30_000);
      broken = true;
    }
    broken = false;
    await harness.advance(30_000);
    await harness.client(CronJob).patch(at, 'merge', { spec: { suspend: true } });
    for (let i = 0; i < 12; i++) {
      await harness.advance(5000);
      await endJobs(0);
    }
    expect(harness.stats()[0]?.failures).toBeGreaterThan(0);
    expect(await names()).toEqual(wanted);
    expect((await cronJob()).status?.active).toBeUndefined();
    const seen = harness.events.filter(({ reason }) => reason === 'SawCompletedJob');
    expect([...new Set(seen.map(({ message }) => message))]).toEqual(
      wanted.map((name) => `Saw completed job: ${name}, condition: Complete`),
    );
  });
});

test('a job that vanished is no longer active, one that somebody else made is told about', async () => {
  harness = new ControllerHarness();
  await create({});
  await harness.start(cronJobController);
  await harness.advance(minuteMs + 1000);
  const [job] = await harness.list(Job);
  expect((await cronJob()).status?.active?.map(({ uid }) => uid)).toEqual([job?.metadata.uid]);
  await harness.client(Job).delete(job!.metadata.name, 'default');
  await harness.advance(1000);
  expect((await cronJob()).status?.active).toBeUndefined();
  await harness.create(Job, {
    metadata: { name: 'by-hand', namespace: 'default', ownerReferences: job!.metadata.ownerReferences! },
    spec: buildCronJob('tick').spec.jobTemplate.spec!,
  } as Draft<Job>);
  await harness.advance(1000);
  expect(harness.events.map(({ reason, message }) => `${reason} ${message}`).slice(1)).toEqual([
    `MissingJob Active job went missing: ${job?.metadata.name}`,
    'UnexpectedJob Saw a job that the controller did not create or forgot: by-hand',
  ]);
});
