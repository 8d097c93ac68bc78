// When steps are made: never two at once, none for nothing, and later and later while they do not work.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock, type Resolvable, Scope, settle, silentLog, withResolvers } from '../../base/index.ts';
import { idle, StepLoop, type StepResult } from './step-loop.ts';

let clock: FakeClock;
let scope: Scope;
/** When each step began. */
let beganMs: number[];
let after: 'next' | 'retry';
/** What the steps do, one after the other; the last one's again and again. */
let steps: (() => Promise<StepResult>)[];
let loop: StepLoop;

beforeEach(() => {
  clock = new FakeClock(0);
  scope = new Scope(silentLog);
  beganMs = [];
  after = 'retry';
  steps = [async () => idle];
  loop = new StepLoop({
    name: 'steps',
    clock,
    scope,
    step() {
      beganMs.push(clock.monotonicMs());
      return (steps.length > 1 ? steps.shift()! : steps[0]!)();
    },
    failed: () => after,
  });
});
afterEach(() => scope.stop());

const woken = async () => {
  loop.wake();
  await settle();
};
const fail = async (): Promise<StepResult> => {
  throw new Error('not now');
};
/** A step that goes on until it is told to end. */
const long = (): Resolvable => {
  const until = withResolvers();
  steps.unshift(async () => {
    await until.promise;
    return idle;
  });
  return until;
};

test('nothing happens by itself', async () => {
  await clock.advance(100_000);
  expect(beganMs).toEqual([]);
});

test('however often it is woken during a step, one more is made after it', async () => {
  const first = long();
  await woken();
  for (let i = 0; i < 5; i++) await woken();
  expect(beganMs).toHaveLength(1);
  first.resolve();
  await settle();
  expect(beganMs).toHaveLength(2);
});

test('a step may ask for the next one', async () => {
  steps = [
    async () => {
      loop.wake();
      return idle;
    },
    async () => idle,
  ];
  await woken();
  expect(beganMs).toHaveLength(2);
});

test('a step that wants to be made again is, unless something comes before', async () => {
  steps = [
    async () => ({ wakeInMs: 500, retry: false }),
    async () => ({ wakeInMs: 500, retry: false }),
    async () => idle,
  ];
  await woken();
  await clock.advance(200);
  await woken();
  await clock.advance(10_000);
  expect(beganMs).toEqual([0, 200, 700]);
});

test('one that fails is made again, later and later', async () => {
  steps = [fail];
  await woken();
  await clock.advance(45_000);
  expect(beganMs).toEqual([0, 1_000, 3_000, 7_000, 15_000, 25_000, 35_000, 45_000]);
  expect(loop.isRetrying).toBe(true);
});

test('one that works ends that', async () => {
  steps = [fail, fail, async () => idle, fail, async () => idle];
  await woken();
  await clock.advance(10_000);
  expect(beganMs).toEqual([0, 1_000, 3_000]);
  expect(loop.isRetrying).toBe(false);
  await woken();
  await clock.advance(10_000);
  expect(beganMs.slice(3)).toEqual([10_000, 11_000]);
});

test('one that did not work, and says when to try again, counts as failed', async () => {
  const again = async () => ({ wakeInMs: loop.nextRetryMs(), retry: true });
  steps = [again, again, again, async () => idle];
  await woken();
  await clock.advance(20_000);
  expect(beganMs).toEqual([0, 1_000, 3_000, 7_000]);
});

test('one that was cut short is followed at once', async () => {
  steps = [fail, async () => idle];
  after = 'next';
  await woken();
  expect(beganMs).toEqual([0, 0]);
});

test('after its end nothing wakes it, and time does not either', async () => {
  steps = [
    async () => {
      loop.end();
      loop.wake();
      return idle;
    },
  ];
  await woken();
  await woken();
  await clock.advance(10_000);
  expect(beganMs).toEqual([0]);
});

test('without its timer it still can be woken', async () => {
  steps = [async () => ({ wakeInMs: 500, retry: false })];
  await woken();
  loop.cancelTimer();
  await clock.advance(10_000);
  expect(beganMs).toEqual([0]);
  await woken();
  expect(beganMs).toEqual([0, 10_000]);
});

test('the end of the scope is the end of the steps', async () => {
  const first = long();
  await woken();
  await woken();
  const stopped = scope.stop();
  first.reject(new Error('cut short'));
  await stopped;
  await woken();
  await clock.advance(10_000);
  expect(beganMs).toEqual([0]);
});
