// What is remembered of demand and of refusals, and what a list is estimated to take.
import { expect, it } from 'vitest';
import { FakeClock } from '../../base/index.ts';
import type { KindDef } from '../../machinery/index.ts';
import type { RequestAttributes } from '../auth/attributes.ts';
import { RetryAfter } from './retry-after.ts';
import { nextStats, noDemand, SeatDemand } from './seat-demand.ts';
import { listSeats, WorkEstimator } from './work-estimate.ts';

it('weighs demand by time, and begins anew with what there is', () => {
  const demand = new SeatDemand(0);
  demand.set(4, 0);
  demand.set(0, 500);
  demand.set(2, 1000);
  expect(demand.take(1000)).toEqual({ max: 4, average: 2, deviation: 2, overMs: 1000 });
  expect(demand.take(3000)).toEqual({ max: 2, average: 2, deviation: 0, overMs: 2000 });
});

it('grows with demand at once and goes down slowly', () => {
  const up = nextStats(noDemand, { max: 9, average: 5, deviation: 3, overMs: 10_000 });
  expect(up).toEqual({ highWatermark: 9, average: 5, deviation: 3, smoothed: 8 });
  const down = nextStats(up, { max: 0, average: 0, deviation: 0, overMs: 10_000 });
  expect(down.smoothed).toBeCloseTo(7.816, 6);
  expect(nextStats(up, { max: 3, average: 0, deviation: 0, overMs: 0 }).smoothed).toBe(8);
});

it('has the refused wait longer while many are refused', () => {
  const retry = new RetryAfter();
  const refuse = (second: number, times: number) => {
    for (let i = 0; i < times; i++) retry.refused(second);
    return retry.seconds;
  };
  expect([refuse(100, 10), refuse(101, 20), refuse(103, 30), refuse(107, 1000)]).toEqual([1, 2, 4, 8]);
  let second = 107;
  for (let i = 0; i < 4; i++) refuse((second += retry.seconds), 1000);
  expect(retry.seconds).toBe(32);
  for (let i = 0; i < 60; i++) refuse((second += 40), 1);
  expect(retry.seconds).toBe(1);
});

it.each([
  [{ objects: 10, averageBytes: 2000, limit: 0, single: false }, 10, 1],
  [{ objects: 500, averageBytes: 2000, limit: 0, single: false }, 10, 10],
  [{ objects: 500, averageBytes: 2000, limit: 100, single: false }, 10, 2],
  [{ objects: 100_000, averageBytes: 2000, limit: 0, single: false }, 10, 10],
  [{ objects: 100_000, averageBytes: 2000, limit: 0, single: false }, 4, 4],
  [{ objects: 100_000, averageBytes: 2000, limit: 0, single: true }, 10, 1],
])('a list of %o at most %d wide takes %d seats', (work, most, expected) => {
  expect(listSeats(work, most)).toBe(expected);
});

it('knows the size of objects from some of them, for a minute', async () => {
  const clock = new FakeClock(0);
  let size = 1000;
  let looked = 0;
  const store = {
    count: () => 200,
    list: () => {
      looked++;
      return Array.from({ length: 200 }, () => ({ wire: Buffer.alloc(size) }));
    },
  };
  const estimator = new WorkEstimator(store as never, clock);
  const kind = { storagePrefix: '/pods/' } as KindDef;
  const asks = { name: '' } as RequestAttributes;
  const wide = { limit: 0, most: 10 };
  expect(estimator.list(asks, kind, wide)).toBe(2);
  size = 4000;
  expect(estimator.list(asks, kind, wide)).toBe(2);
  await clock.advance(60_000);
  expect(estimator.list(asks, kind, wide)).toBe(8);
  expect(looked).toBe(2);
  expect(estimator.list({ ...asks, name: 'x' }, kind, wide)).toBe(1);
  expect(estimator.list(asks, undefined, wide)).toBe(1);
});
