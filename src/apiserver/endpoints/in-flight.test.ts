import { expect, it } from 'vitest';
import { FakeClock } from '../../base/index.ts';
import { InFlight, laneOf } from './in-flight.ts';

const user = { name: 'u', uid: '', groups: ['system:authenticated'] };
const master = { name: 'm', uid: '', groups: ['system:masters'] };

it('lets in as many as there is room for, reads and writes apart', async () => {
  const lanes = new InFlight({ reads: 2, writes: 1 }, new FakeClock(0));
  const ends: (() => void)[] = [];
  const work = () => new Promise<void>((resolve) => ends.push(resolve));
  const running = [
    lanes.run('reads', user, work),
    lanes.run('reads', user, work),
    lanes.run('writes', user, work),
  ];
  await expect(lanes.run('reads', user, work)).rejects.toMatchObject({
    code: 429,
    reason: 'TooManyRequests',
    message: 'Too many requests, please try again later.',
    details: { retryAfterSeconds: 1 },
  });
  await expect(lanes.run('writes', user, work)).rejects.toMatchObject({ code: 429 });
  running.push(lanes.run('writes', master, work));
  for (const end of ends) end();
  await Promise.all(running);
  await lanes.run('reads', user, async () => {});
  await expect(lanes.run('writes', user, () => Promise.reject(new Error('x')))).rejects.toThrow('x');
  await lanes.run('writes', user, async () => {});
});

it('0 is no limit', async () => {
  const lanes = new InFlight({ reads: 0, writes: 0 }, new FakeClock(0));
  await Promise.all(Array.from({ length: 1000 }, () => lanes.run('reads', user, async () => {})));
});

it('knows the most that ran at once within the last second', async () => {
  const clock = new FakeClock(0);
  const lanes = new InFlight({ reads: 0, writes: 0 }, clock);
  const ends: (() => void)[] = [];
  const work = () => new Promise<void>((resolve) => ends.push(resolve));
  await clock.advance(5000);
  const running = [
    lanes.run('reads', user, work),
    lanes.run('reads', user, work),
    lanes.run('reads', user, work),
  ];
  expect([lanes.peak('reads'), lanes.peak('writes')]).toEqual([3, 0]);
  ends[0]!();
  ends[1]!();
  await Promise.all(running.slice(0, 2));
  expect(lanes.peak('reads')).toBe(3);
  await clock.advance(1000);
  expect(lanes.peak('reads')).toBe(3);
  await clock.advance(1000);
  expect(lanes.peak('reads')).toBe(1);
  ends[2]!();
  await running[2];
  await clock.advance(10_000);
  expect(lanes.peak('reads')).toBe(0);
});

it('knows reads from writes', () => {
  expect((['get', 'list', 'create', 'deletecollection'] as const).map(laneOf)).toEqual([
    'reads',
    'reads',
    'writes',
    'writes',
  ]);
});
