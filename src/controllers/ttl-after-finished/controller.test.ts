import { afterEach, expect, test } from 'vitest';
import { Job } from '../../api/index.ts';
import { type Draft, formatTime } from '../../machinery/index.ts';
import { buildJob, buildJobSpec, ControllerHarness, epochMs } from '../../testkit/index.ts';
import { expiresAtMs, ttlAfterFinishedController } from './controller.ts';

const finished = (type: string, seconds: number): NonNullable<Job['status']> => ({
  conditions: [
    { type: 'SuccessCriteriaMet', status: 'True', lastTransitionTime: formatTime(epochMs) },
    { type, status: 'True', lastTransitionTime: formatTime(epochMs + seconds * 1000) },
  ],
});
const going = { deletionTimestamp: formatTime(epochMs) };

test.each<[string, Job, number | undefined]>([
  ['succeeded', buildJob('a', { ttlSecondsAfterFinished: 10 }, { status: finished('Complete', 5) }), 15_000],
  ['failed, at once', buildJob('a', { ttlSecondsAfterFinished: 0 }, { status: finished('Failed', 5) }), 5000],
  ['without a time', buildJob('a', {}, { status: finished('Complete', 5) }), undefined],
  ['not finished', buildJob('a', { ttlSecondsAfterFinished: 0 }, { status: {} }), undefined],
  [
    'on its way out',
    buildJob('a', { ttlSecondsAfterFinished: 0 }, { status: finished('Complete', 5), meta: going }),
    undefined,
  ],
])('%s', (_, job, wanted) =>
  expect(expiresAtMs(job)).toBe(wanted === undefined ? undefined : epochMs + wanted),
);

let running: ControllerHarness | undefined;
afterEach(() => running?.stop());
const at = { name: 'work', namespace: 'default' };

test('a finished job goes when its time has come, and not earlier when it is given more', async () => {
  const harness = new ControllerHarness();
  running = harness;
  const exists = async () => (await harness.list(Job)).length === 1;
  await harness.create(Job, {
    metadata: at,
    spec: buildJobSpec({ ttlSecondsAfterFinished: 30 }),
  } as Draft<Job>);
  await harness.start(ttlAfterFinishedController);
  await harness.advance(60_000);
  expect(await exists()).toBe(true);
  const status = finished('Complete', 60);
  await harness.client(Job).patch({ ...at, subresource: 'status' }, 'merge', { status });
  await harness.advance(29_000);
  // Memory hears of it too late.
  harness.transport.delivery = { lateMs: () => 5000, twice: false };
  await harness.client(Job).patch(at, 'merge', { spec: { ttlSecondsAfterFinished: 100 } });
  await harness.advance(60_000);
  expect(await exists()).toBe(true);
  await harness.advance(11_500);
  expect((await harness.list(Job))[0]?.metadata).toMatchObject({ finalizers: ['foregroundDeletion'] });
});
