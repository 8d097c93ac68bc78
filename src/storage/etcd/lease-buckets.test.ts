import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FakeClock } from '../../base/index.ts';
import { bucketSeconds, LeaseBuckets } from './lease-buckets.ts';

function start() {
  const clock = new FakeClock();
  const granted: number[] = [];
  const state = { failing: false };
  const grant = (ttlSeconds: number) => {
    if (state.failing) return Promise.reject(new Error('away'));
    granted.push(ttlSeconds);
    return Promise.resolve(BigInt(granted.length));
  };
  return { clock, granted, state, buckets: new LeaseBuckets({ grant, clock }) };
}

test('records of one hour share a lease for a minute', async () => {
  const { clock, granted, buckets } = start();
  for (let i = 0; i < 60; i++) {
    expect(await buckets.leaseFor(3600)).toBe(1n);
    await clock.advance(999);
  }
  await clock.advance(60);
  expect(await buckets.leaseFor(3600)).toBe(2n);
  expect(await buckets.leaseFor(60)).toBe(3n);
  expect(granted).toEqual([3660, 3660, 63]);
});

test('a lease takes a thousand records at most', async () => {
  const { granted, buckets } = start();
  for (let i = 0; i < 1001; i++) await buckets.leaseFor(3600);
  expect(granted).toHaveLength(2);
});

test('a lease that could not be had or is gone is asked for again', async () => {
  const { state, buckets } = start();
  state.failing = true;
  await expect(buckets.leaseFor(3600)).rejects.toThrow('away');
  state.failing = false;
  expect(await buckets.leaseFor(3600)).toBe(1n);
  await buckets.forget(3600, 7n);
  expect(await buckets.leaseFor(3600)).toBe(1n);
  await buckets.forget(3600, 1n);
  expect(await buckets.leaseFor(3600)).toBe(2n);
});

test('no record ends early, and none later than its bucket is long', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ ttl: fc.integer({ min: 1, max: 5000 }), waitMs: fc.nat({ max: 30_000 }) }), {
        maxLength: 50,
      }),
      async (writes) => {
        const clock = new FakeClock();
        const endsAtMs: number[] = [];
        const grant = (ttl: number) =>
          Promise.resolve(BigInt(endsAtMs.push(clock.monotonicMs() + ttl * 1000) - 1));
        const buckets = new LeaseBuckets({ grant, clock });
        for (const { ttl, waitMs } of writes) {
          await clock.advance(waitMs);
          const extraMs = endsAtMs[Number(await buckets.leaseFor(ttl))]! - clock.monotonicMs() - ttl * 1000;
          expect(extraMs).toBeGreaterThanOrEqual(0);
          expect(extraMs).toBeLessThanOrEqual(bucketSeconds(ttl) * 1000);
        }
      },
    ),
  );
});
