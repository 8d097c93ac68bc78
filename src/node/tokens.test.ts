// When tokens of pods are asked for again, over a clock that moves when told and a server that gives what is asked for.
import { beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../base/index.ts';
import type { Client } from '../client/index.ts';
import { formatTime } from '../machinery/index.ts';
import { buildPod } from '../testkit/index.ts';
import { Tokens } from './tokens.ts';
import { tokensDueInMs } from './worker/volume-refresh.ts';

const pod = buildPod('p', {
  spec: {
    containers: [{ name: 'c', image: 'i' }],
    volumes: [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }],
  },
});
const { uid } = pod.metadata;
let clock: FakeClock;
let asked: number;
let down: boolean;
let tokens: Tokens;
beforeEach(() => {
  clock = new FakeClock();
  asked = 0;
  down = false;
  const createSub = async (_: unknown, { spec }: { spec: { expirationSeconds: number } }) => {
    asked++;
    if (down) throw new Error('nobody there');
    const expirationTimestamp = formatTime(clock.nowMs() + spec.expirationSeconds * 1000);
    return { status: { token: `token ${asked}`, expirationTimestamp } };
  };
  tokens = new Tokens((() => ({ createSub })) as unknown as Client, clock);
});
const get = (expirationSeconds: number) => tokens.get(pod, { path: 't', expirationSeconds });
const node = { tokenDueInMs: (of: string) => tokens.dueInMs(of) };
const due = (finished = false) => tokensDueInMs(node, { pod, finished });

test.each([
  ['of ten minutes, two before its end', 600, 480],
  ['of an hour, twelve minutes before', 3600, 2880],
  ['of a year, each day', 31_536_000, 86_400],
])('a token %s', async (_, seconds, dueSeconds) => {
  await get(seconds);
  expect(due()).toBe(dueSeconds * 1000);
  await clock.advance(dueSeconds * 1000 - 1);
  expect([await get(seconds), due()]).toEqual(['token 1', 1]);
  await clock.advance(1);
  expect([await get(seconds), due()]).toEqual(['token 2', dueSeconds * 1000]);
});

test('the first of several decides', async () => {
  await get(3600);
  await get(600);
  expect(due()).toBe(480_000);
});

test('one that cannot be had anew serves on, and is asked for each minute', async () => {
  await get(600);
  await clock.advance(480_000);
  down = true;
  expect([await get(600), due(), asked]).toEqual(['token 1', 60_000, 2]);
});

test('a pod that never got one is looked at each minute, one that has ended or has none is not', () => {
  expect([due(), due(true)]).toEqual([60_000, undefined]);
  expect(tokensDueInMs(node, { pod: buildPod('q'), finished: false })).toBeUndefined();
});

test('of a pod that is gone nothing is due', async () => {
  await get(600);
  tokens.release(uid);
  expect(tokens.dueInMs(uid)).toBeUndefined();
});
