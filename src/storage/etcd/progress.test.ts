import { expect, test } from 'vitest';
import { FakeClock } from '../../base/index.ts';
import { Progress } from './progress.ts';

function start() {
  const clock = new FakeClock();
  const state = { revision: 100, nudges: 0, away: false };
  const progress = new Progress({
    clock,
    nudge: async () => {
      state.nudges++;
      if (state.away) throw new Error('away');
      return ++state.revision;
    },
  });
  progress.start(100);
  return { clock, state, progress };
}

test('events that come by themselves need no nudge', async () => {
  const { clock, state, progress } = start();
  progress.want(100);
  progress.want(105);
  await clock.advance(10);
  progress.delivered(105);
  await clock.advance(1000);
  expect(state.nudges).toBe(0);
  expect(clock.waiting).toBe(0);
});

test('when none come, one nudge serves all who wait', async () => {
  const { clock, state, progress } = start();
  state.revision = 110;
  for (let revision = 105; revision <= 110; revision++) progress.want(revision);
  await clock.advance(20);
  progress.delivered(111);
  await clock.advance(1000);
  expect(state.nudges).toBe(1);
  expect(clock.waiting).toBe(0);
});

test('once others were seen writing there is no waiting for a while', async () => {
  const { clock, state, progress } = start();
  progress.want(101);
  await clock.advance(20);
  progress.delivered(state.revision);
  await clock.advance(1000);
  progress.want(++state.revision);
  await clock.advance(0);
  expect(state.nudges).toBe(2);
  progress.delivered(state.revision);
  await clock.advance(20_000);
  progress.want(++state.revision);
  await clock.advance(19);
  expect(state.nudges).toBe(2);
  await clock.advance(1);
  expect(state.nudges).toBe(3);
});

test('it is tried again while etcd is away, not without a watch, and again with the next one', async () => {
  const { clock, state, progress } = start();
  state.away = true;
  progress.want(105);
  await clock.advance(20);
  await clock.advance(500);
  expect(state.nudges).toBe(2);
  progress.stop();
  expect(clock.waiting).toBe(0);
  await clock.advance(5000);
  expect(state.nudges).toBe(2);
  state.away = false;
  state.revision = 105;
  progress.start(100);
  await clock.advance(20);
  expect(state.nudges).toBe(3);
  progress.delivered(106);
  await clock.advance(1000);
  expect(clock.waiting).toBe(0);
});
