import { expect, it } from 'vitest';
import { FakeClock, settle } from '../../base/index.ts';
import { Deadlines } from './deadlines.ts';

const none = new URLSearchParams();
const asking = (timeout: string) => new URLSearchParams({ timeout });

/** Work that ends when it is told to, and how its request has ended so far. */
function begin(deadlines: Deadlines, query = none) {
  let end: (error?: Error) => void = () => {};
  const work = () =>
    new Promise<void>((resolve, reject) => {
      end = (error) => (error === undefined ? resolve() : reject(error));
    });
  const state = { seen: 'running', end: (error?: Error) => end(error) };
  deadlines.run(query, work).then(
    () => (state.seen = 'done'),
    (error: { code?: number; message: string }) => (state.seen = `${error.code ?? ''} ${error.message}`),
  );
  return state;
}

const late = '504 Timeout: request did not complete within the allotted timeout';

it('ends each request that takes too long, and only those', async () => {
  const clock = new FakeClock(0);
  const deadlines = new Deadlines(clock, 60_000);
  const first = begin(deadlines);
  await clock.advance(20_000);
  const second = begin(deadlines);
  const quick = begin(deadlines);
  const failing = begin(deadlines);
  quick.end();
  failing.end(new Error('broken'));
  await clock.advance(39_999);
  expect([first.seen, second.seen, quick.seen, failing.seen]).toEqual([
    'running',
    'running',
    'done',
    ' broken',
  ]);
  await clock.advance(1);
  expect([first.seen, second.seen]).toEqual([late, 'running']);
  await clock.advance(20_000);
  expect(second.seen).toBe(late);
  // What it does then is nobody's business.
  first.end();
  second.end(new Error('too late to tell'));
  await settle();
  const third = begin(deadlines);
  await clock.advance(60_000);
  expect(third.seen).toBe(late);
});

it('a request may ask for less time, not for more', async () => {
  const clock = new FakeClock(0);
  const deadlines = new Deadlines(clock, 60_000);
  const requests = ['1.5s', '0s', '-1s', '2h', ''].map((timeout) => begin(deadlines, asking(timeout)));
  await clock.advance(1500);
  expect(requests.map((r) => r.seen)).toEqual([late, ...Array(4).fill('running')]);
  await clock.advance(58_500);
  expect(requests.map((r) => r.seen)).toEqual(Array(5).fill(late));
});

it('without a limit only what was asked for counts', async () => {
  const clock = new FakeClock(0);
  const deadlines = new Deadlines(clock, 0);
  const [free, own] = [begin(deadlines), begin(deadlines, asking('10s'))];
  await clock.advance(3_600_000);
  expect([free.seen, own.seen]).toEqual(['running', late]);
});

it('refuses what is no duration', () => {
  const run = (timeout: string) => () =>
    new Deadlines(new FakeClock(0), 1).run(asking(timeout), async () => {});
  expect(run('5')).toThrow(
    'invalid timeout specified in the request URL - time: missing unit in duration "5"',
  );
  expect(run('soon')).toThrow('time: invalid duration "soon"');
});

it('leaves no timer behind when it drains', async () => {
  const clock = new FakeClock(0);
  const deadlines = new Deadlines(clock, 60_000);
  const [first, second] = [begin(deadlines), begin(deadlines, asking('5s'))];
  deadlines.drain();
  expect(clock.waiting).toBe(2);
  first.end();
  second.end();
  await settle();
  expect(clock.waiting).toBe(0);
});
