import { afterEach, expect, test } from 'vitest';
import { FakeClock, silentLog } from '../base/index.ts';
import { Compacted } from './backend.ts';
import { createMemoryBackend } from './memory.ts';
import { createStore } from './revision-store.ts';
import type { Entry, Store } from './store.ts';

let store: Store;
afterEach(() => store.close());

const begin = async (limits: { pastListsMs?: number } = {}) => {
  const clock = new FakeClock();
  const surroundings = { clock, log: silentLog };
  store = await createStore(await createMemoryBackend(surroundings), { ...surroundings, ...limits });
  return clock;
};

async function put(key: string, expect = 0): Promise<Entry> {
  const value = Buffer.from('{"kind":"K","apiVersion":"v1","metadata":{"name":"n"}}');
  const result = await store.commit({ key, value, expect, object: (revision) => ({ revision }) });
  if (!result.ok || result.entry === undefined) throw new Error('the commit lost its compare');
  return result.entry;
}

/** More changes than decoded versions are kept for. */
async function manyChanges(): Promise<void> {
  const last = new Map<string, number>();
  for (let i = 0; i < 1100; i++) {
    const key = `/core/other/ns/${i % 4}`;
    last.set(key, (await put(key, last.get(key) ?? 0)).revision);
  }
}

const follower = { keepsObjects: true, onEvents: () => {}, onLost: () => {} };

test('old versions lose their decoded form, unless a watch keeps the objects of their kind', async () => {
  await begin();
  store.watch('/core/pods/ns/', 0, follower);
  store.watch('/core/events/', 0, { ...follower, keepsObjects: false });
  const first = await put('/core/pods/ns/a');
  const kept = await put('/core/pods/ns/a', first.revision);
  const elsewhere = await put('/core/pods/other/b');
  const event = await put('/core/events/ns/e');
  event.derived = 'a row';
  await manyChanges();
  expect([first.object, event.object, event.derived]).toEqual([null, null, null]);
  expect(kept.object).toEqual({ revision: kept.revision });
  expect(elsewhere.object).toEqual({ revision: elsewhere.revision });
  expect(store.get('/core/events/ns/e')).toBe(event);
  expect(event.wire.toString()).toContain(`"resourceVersion":"${event.revision}"`);
});

test('objects are kept for as long as one watch of several keeps them', async () => {
  await begin();
  const ends = [store.watch('/core/pods/', 0, follower), store.watch('/core/pods/ns/', 0, follower)];
  const before = await put('/core/pods/ns/a');
  ends[0]!();
  ends[0]!();
  await manyChanges();
  expect(before.object).not.toBeNull();
  ends[1]!();
  const after = await put('/core/pods/ns/b');
  for (let i = 0; i < 1100; i++) await put(`/core/more/ns/${i}`);
  expect(after.object).toBeNull();
});

test('lists of the past end a round after they were the present; watches go on from before them', async () => {
  const clock = await begin({ pastListsMs: 300_000 });
  const first = await put('/core/pods/ns/a');
  const second = await put('/core/pods/ns/b');
  await clock.advance(300_000);
  expect(store.listAt('/core/pods/', first.revision)).toEqual([first]);
  await put('/core/pods/ns/c');
  await clock.advance(300_000);
  expect(() => store.listAt('/core/pods/', first.revision)).toThrow(Compacted);
  expect(store.listAt('/core/pods/', second.revision)).toEqual([first, second]);
  await clock.advance(300_000);
  expect(() => store.listAt('/core/pods/', second.revision)).toThrow(Compacted);
  expect(store.changesAfter('/core/pods/', first.revision, 10)).toHaveLength(2);
});
