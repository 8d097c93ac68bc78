import { expect, test } from 'vitest';
import { type Change, Compacted } from './backend.ts';
import { ChangeLog } from './change-log.ts';

const change = (revision: number, bytes = 1): Change => ({
  key: `/a/b/${revision}`,
  value: Buffer.alloc(bytes),
  revision,
});

test.each([
  ['by number', { changes: 10, bytes: 1e9 }],
  ['by bytes', { changes: 1e9, bytes: 10 }],
])('keeps the last few changes, bounded %s', async (_name, limits) => {
  const log = new ChangeLog(0, limits);
  const stop = new AbortController();
  const always: number[] = [];
  const following = [
    log.follow(0, (changes) => void always.push(...changes.map((c) => c.revision)), stop.signal),
  ];
  for (let revision = 1; revision <= 100; revision++) log.publish([change(revision)]);
  expect(always).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  await expect(log.follow(50, () => {}, stop.signal)).rejects.toThrow(Compacted);
  const late: number[] = [];
  following.push(
    log.follow(
      95,
      (changes, revision) => void late.push(...changes.map((c) => c.revision), revision),
      stop.signal,
    ),
  );
  log.publish([change(101), change(102)]);
  expect(late).toEqual([96, 97, 98, 99, 100, 100, 101, 102, 102]);
  stop.abort();
  await Promise.all(following);
});

test('a follower ahead of the log gets only what is above its revision', async () => {
  const log = new ChangeLog(5);
  const stop = new AbortController();
  const seen: number[] = [];
  const following = log.follow(
    7,
    (changes) => void seen.push(...changes.map((c) => c.revision)),
    stop.signal,
  );
  log.publish([change(6)]);
  log.publish([change(7), change(8)]);
  expect(seen).toEqual([8]);
  stop.abort();
  await following;
});

test('one commit larger than the limits is still handed over', async () => {
  const log = new ChangeLog(0, { changes: 2, bytes: 10 });
  const stop = new AbortController();
  const seen: number[] = [];
  const following = log.follow(
    0,
    (changes) => void seen.push(...changes.map((c) => c.revision)),
    stop.signal,
  );
  log.publish([1, 2, 3, 4, 5, 6].map((revision) => change(revision, 100)));
  expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
  await expect(log.follow(5, () => {}, stop.signal)).rejects.toThrow(Compacted);
  stop.abort();
  await following;
});
