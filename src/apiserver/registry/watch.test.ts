// Watches: where they start, what selectors make of changes, bookmarks and ends.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ConfigMap } from '../../api/index.ts';
import { type FakeClock, settle } from '../../base/index.ts';
import { ApiFixture } from '../../testkit/index.ts';
import type { RegistryCore } from './core.ts';
import { type WatchReceiver, watch } from './watch.ts';

let f: ApiFixture;
const cms = '/api/v1/namespaces/default/configmaps';
const make = async (name: string, labels: object = {}) =>
  (await f.ask('POST', cms, { body: { metadata: { name, labels } } })).json;
const relabel = (name: string, labels: object) =>
  f.ask('PATCH', `${cms}/${name}`, { type: 'application/merge-patch+json', body: { metadata: { labels } } });
const brief = (e: { type: string; object: { metadata: { name: string } } }) =>
  `${e.type} ${e.object.metadata.name}`;

beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

it('starts with what there is, or after a version', async () => {
  const a = await make('a');
  await make('b');
  const all = await f.watch(`${cms}?watch=1`);
  const after = await f.watch(`${cms}?watch=true&resourceVersion=${a.metadata.resourceVersion}`);
  const legacy = await f.watch('/api/v1/watch/namespaces/default/configmaps/b');
  await relabel('a', { x: 'y' });
  await f.ask('DELETE', `${cms}/b`);
  await settle();
  expect(all.events().map(brief)).toEqual(['ADDED a', 'ADDED b', 'MODIFIED a', 'DELETED b']);
  expect(after.events().map(brief)).toEqual(['ADDED b', 'MODIFIED a', 'DELETED b']);
  expect(legacy.events().map(brief)).toEqual(['ADDED b', 'DELETED b']);
  expect(all.events()[3].object.metadata.resourceVersion).toBe(String(f.store.revision));
  for (const w of [all, after, legacy]) w.close();
});

it('an object that comes into a selection is added, one that leaves it deleted', async () => {
  const w = await f.watch(`${cms}?watch=1&labelSelector=on%3Dyes`);
  await make('a', { on: 'no' });
  await relabel('a', { on: 'yes' });
  await relabel('a', { more: 'x' });
  await relabel('a', { on: 'no' });
  await f.ask('DELETE', `${cms}/a`);
  await settle();
  const events = w.events();
  expect(events.map(brief)).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a']);
  // The last state that matched, at the revision of the change that ended it.
  expect(events[2].object.metadata.labels).toEqual({ on: 'yes', more: 'x' });
  expect(Number(events[2].object.metadata.resourceVersion)).toBe(f.store.revision - 1);
  w.close();
});

it('a version that is gone is an ERROR event', async () => {
  const { metadata } = await make('a');
  await make('b');
  await f.store.compact(f.store.revision);
  const w = await f.watch(`${cms}?watch=1&resourceVersion=${metadata.resourceVersion}`);
  await w.ended;
  expect(w.statusCode).toBe(200);
  expect(w.events()).toMatchObject([
    {
      type: 'ERROR',
      object: {
        kind: 'Status',
        code: 410,
        reason: 'Expired',
        message: expect.stringContaining('too old resource version'),
      },
    },
  ]);
});

it('streams a list: initial events, then a bookmark that says so', async () => {
  await make('a');
  const w = await f.watch(
    `${cms}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan`,
  );
  await settle();
  const [added, bookmark] = w.events();
  expect(brief(added)).toBe('ADDED a');
  expect(bookmark).toEqual({
    type: 'BOOKMARK',
    object: {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: {
        resourceVersion: String(f.store.revision),
        annotations: { 'k8s.io/initial-events-end': 'true' },
      },
    },
  });
  w.close();
});

it.each([
  [
    'resourceVersionMatch=NotOlderThan',
    /resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided/,
  ],
  ['sendInitialEvents=true', /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/],
  ['sendInitialEvents=false&resourceVersionMatch=Exact&allowWatchBookmarks=1', /Unsupported value: "Exact"/],
])('refuses %s', async (query, message) => {
  const told = await f.ask('GET', `${cms}?watch=1&${query}`);
  expect([told.code, told.json.message]).toEqual([422, expect.stringMatching(message)]);
});

it('bookmarks come every minute when asked for, and the watch ends in time', async () => {
  const clock = f.clock as FakeClock;
  const w = await f.watch(`${cms}?watch=1&allowWatchBookmarks=true&timeoutSeconds=150`);
  await make('a');
  await clock.advance(61_000);
  await clock.advance(60_000);
  await settle();
  expect(w.events().map((e) => e.type)).toEqual(['ADDED', 'BOOKMARK', 'BOOKMARK']);
  expect(w.events()[1].object.metadata).toEqual({ resourceVersion: String(f.store.revision) });
  await clock.advance(30_000);
  await w.ended;
});

it('cuts off a reader that does not read', async () => {
  const w = await f.watch(`${cms}?watch=1`);
  w.stalled = true;
  const data = { x: 'y'.repeat(900_000) };
  for (let i = 0; i < 20 && !w.destroyed; i++)
    await f.ask('POST', cms, { body: { metadata: { name: `big${i}` }, data } });
  expect(w.destroyed).toBe(true);
});

it('shows tables and metadata as they are asked for', async () => {
  await make('a');
  const table = await f.watch(`${cms}?watch=1&includeObject=Object`, {
    accept: 'application/json;as=Table;g=meta.k8s.io;v=v1',
  });
  const meta = await f.watch(`${cms}?watch=1`, {
    accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
  });
  await make('b');
  await settle();
  const [first, second] = table.events();
  expect(first.object).toMatchObject({ kind: 'Table', rows: [{ object: { kind: 'ConfigMap' } }] });
  expect(first.object.columnDefinitions.map((c: { name: string }) => c.name)).toEqual([
    'Name',
    'Data',
    'Age',
  ]);
  expect(second.object.columnDefinitions).toBeNull();
  expect(meta.events()[1].object).toMatchObject({
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { name: 'b' },
  });
  table.close();
  meta.close();
});

it('much from before comes piece by piece, without loss, in order, with what happens meanwhile', async () => {
  const count = 700;
  for (let i = 0; i < count; i++) await make(`c${String(i).padStart(4, '0')}`);
  const base = f.store.revision - count;
  const core = { store: f.store, clock: f.clock } as unknown as RegistryCore;
  for (const resourceVersion of ['0', String(base)]) {
    const seen: string[] = [];
    const pieces: number[] = [];
    const stop = await watch(
      core,
      { kind: ConfigMap, namespace: 'default' },
      { resourceVersion },
      {
        onEvents(events) {
          pieces.push(events.length);
          for (const { type, entry } of events) seen.push(`${type} ${entry.key.split('/').at(-1)}`);
        },
        onInitialEnd() {},
        onLost: () => seen.push('lost'),
        // A slow reader: the world moves on between two pieces.
        onFailed() {},
        onHeld() {},
        ready: async () => {
          if (pieces.length === 1) await relabel('c0000', { at: resourceVersion });
          return true;
        },
      },
    );
    await relabel('c0001', { end: resourceVersion });
    await settle();
    stop();
    const added = seen.filter((line) => line.startsWith('ADDED'));
    expect(added).toEqual(Array.from({ length: count }, (_, i) => `ADDED c${String(i).padStart(4, '0')}`));
    expect(seen.slice(-2)).toEqual(['MODIFIED c0000', 'MODIFIED c0001']);
    expect(Math.max(...pieces)).toBeLessThanOrEqual(256);
  }
});

it('a watcher that goes while it is told what there is gets no more', async () => {
  for (let i = 0; i < 600; i++) await make(`c${i}`);
  const core = { store: f.store, clock: f.clock } as unknown as RegistryCore;
  for (const resourceVersion of ['0', '1']) {
    let told = 0;
    const receiver: WatchReceiver = {
      onEvents: (events) => {
        told += events.length;
      },
      onInitialEnd() {},
      onLost() {},
      onFailed() {},
      onHeld() {},
      ready: () => false,
    };
    await watch(core, { kind: ConfigMap, namespace: 'default' }, { resourceVersion }, receiver);
    await make(`later${resourceVersion}`);
    await settle();
    expect(told).toBe(256);
  }
});
