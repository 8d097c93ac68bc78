// What the store must do over every backend: the second suite a backend's test file calls. Revisions count from wherever the place
// begins, one a commit.
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { FakeClock, silentLog, systemClock } from '../base/index.ts';
import { type Backend, type BackendOptions, Compacted } from './backend.ts';

import { createStore, type StoreOptions } from './revision-store.ts';
import type { CommitResult, Entry, Store, StoreEvent, StoreWatcher } from './store.ts';

const podNamed = (name: string) =>
  Buffer.from(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"${name}"},"spec":{}}`);
const wireOf = (name: string, revision: number) =>
  `{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"${revision}","name":"${name}"},"spec":{}}`;
const shown = (event: StoreEvent) => `${event.type} ${event.entry.key} ${event.entry.revision}`;
const keysOf = (entries: readonly Entry[]) => entries.map((entry) => entry.key);

class Recorder implements StoreWatcher {
  readonly events: StoreEvent[] = [];
  lost = 0;
  onEvents(events: readonly StoreEvent[]): void {
    this.events.push(...events);
  }
  onLost(): void {
    this.lost++;
  }
}

function won(result: CommitResult): Entry {
  if (!result.ok || result.entry === undefined) throw new Error('the commit lost its compare');
  return result.entry;
}

/** `remote`: another process decides, and keeps its own time. */
export function storeContract(
  name: string,
  openBackend: (options: BackendOptions) => Promise<Backend>,
  { remote = false } = {},
): void {
  describe(`${name}: store`, () => {
    const clock = new FakeClock();
    const stores: Store[] = [];
    const start = async (limits: Partial<StoreOptions> = {}) => {
      const backend = await openBackend({ clock: remote ? systemClock : clock, log: silentLog });
      const store = await createStore(backend, { clock, log: silentLog, ...limits });
      stores.push(store);
      return store;
    };
    const put = (store: Store, key: string, at = 0) =>
      store.commit({ key, value: podNamed(key.slice(key.lastIndexOf('/') + 1)), expect: at });
    afterEach(async () => {
      for (const store of stores.splice(0)) await store.close();
      expect(clock.waiting).toBe(0);
    });

    test('a commit is visible with its revision in its bytes', async () => {
      const store = await start();
      const base = store.revision;
      const entry = won(await put(store, '/core/pods/ns/a'));
      expect(entry.wire.toString()).toBe(wireOf('a', base + 1));
      expect(store.get('/core/pods/ns/a')).toBe(entry);
      expect(store.revision).toBe(base + 1);
      expect(store.list('/core/pods/')).toEqual([entry]);
      const lost = await put(store, '/core/pods/ns/a');
      expect(lost).toEqual({ ok: false, current: entry });
    });

    test('a deletion is the last state at the revision of the deletion', async () => {
      const store = await start();
      const base = store.revision;
      const watcher = new Recorder();
      const entry = won(await put(store, '/core/pods/ns/a'));
      store.watch('/core/pods/', base + 1, watcher);
      const gone = won(await store.commit({ key: entry.key, value: undefined, expect: base + 1 }));
      expect(gone.wire.toString()).toBe(wireOf('a', base + 2));
      expect(store.get(entry.key)).toBeUndefined();
      expect(store.count('/core/pods/')).toBe(0);
      expect(watcher.events).toEqual([{ type: 'delete', entry: gone, previous: entry }]);
    });

    test('the object is there before anybody sees the entry', async () => {
      const store = await start();
      const base = store.revision;
      let seen: unknown;
      store.watch('/core/pods/', base, {
        onEvents: ([event]) => {
          seen = event!.entry.object;
        },
        onLost: () => {},
      });
      const object = (revision: number) => ({ revision });
      const entry = won(
        await store.commit({ key: '/core/pods/ns/a', value: podNamed('a'), expect: 0, object }),
      );
      expect(seen).toEqual({ revision: base + 1 });
      expect(entry.object).toBe(seen);
    });

    test('a value without metadata is refused before it is stored', async () => {
      const store = await start();
      const base = store.revision;
      const bad = { key: '/core/pods/ns/a', value: Buffer.from('{"kind":"Pod"}'), expect: 0 };
      await expect(store.commit(bad)).rejects.toThrow(TypeError);
      expect(store.revision).toBe(base);
    });

    test('lists by kind, by namespace, across kinds and for any prefix', async () => {
      const store = await start();
      const keys = ['/core/pods/b/1', '/core/pods/a/2', '/core/pods/a/1', '/core/pods2/a/1', '/core/nodes/n'];
      for (const key of keys) await put(store, key);
      expect(keysOf(store.list('/core/pods/'))).toEqual([
        '/core/pods/a/1',
        '/core/pods/a/2',
        '/core/pods/b/1',
      ]);
      expect(keysOf(store.list('/core/pods/a/'))).toEqual(['/core/pods/a/1', '/core/pods/a/2']);
      expect(keysOf(store.list('/core/pods/a/1'))).toEqual(['/core/pods/a/1']);
      expect(keysOf(store.list('/core/'))).toEqual([...keys].sort());
      expect(keysOf(store.list('/core/pods'))).toHaveLength(4);
      expect(store.list('/apps/deployments/')).toEqual([]);
      expect(store.count('/core/pods/')).toBe(3);
      expect(store.count('/core/pods/a/')).toBe(2);
      const list = store.list('/core/pods/a/');
      await put(store, '/core/pods/b/2');
      expect(store.list('/core/pods/a/')).toBe(list);
      await put(store, '/core/pods/a/3');
      expect(store.list('/core/pods/a/')).toHaveLength(3);
      expect(list).toHaveLength(2);
    });

    test('watches replay, then follow, only what is theirs, until ended', async () => {
      const store = await start();
      const base = store.revision;
      await put(store, '/core/pods/a/1');
      await put(store, '/core/nodes/n');
      await put(store, '/core/pods/b/1');
      const [all, kind, namespace, one] = [new Recorder(), new Recorder(), new Recorder(), new Recorder()];
      const stop = store.watch('/core/pods/', base + 1, kind);
      store.watch('/', base, all);
      store.watch('/core/pods/b/', base, namespace);
      store.watch('/core/pods/b/2', base, one);
      expect(kind.events.map(shown)).toEqual([`put /core/pods/b/1 ${base + 3}`]);
      expect(all.events).toHaveLength(3);
      await put(store, '/core/pods/b/2');
      await put(store, '/core/pods/a/1', base + 1);
      stop();
      stop();
      await put(store, '/core/pods/b/3');
      expect(kind.events.map(shown)).toEqual([
        `put /core/pods/b/1 ${base + 3}`,
        `put /core/pods/b/2 ${base + 4}`,
        `put /core/pods/a/1 ${base + 5}`,
      ]);
      const since = (watcher: Recorder) => watcher.events.map((e) => e.entry.revision - base);
      expect(since(namespace)).toEqual([3, 4, 6]);
      expect(since(one)).toEqual([4]);
      expect(since(all)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(all.events[4]!.previous?.revision).toBe(base + 1);
    });

    test('a watcher that throws is lost alone; one added or ended while events are handed out is neither early nor late', async () => {
      const store = await start();
      const base = store.revision;
      const good = new Recorder();
      const late = new Recorder();
      let lost = 0;
      store.watch('/core/pods/', base, {
        onEvents: () => {
          if (late.events.length === 0) store.watch('/core/pods/', base, late);
          throw new Error('broken watcher');
        },
        onLost: () => lost++,
      });
      store.watch('/core/pods/', base, good);
      await put(store, '/core/pods/a/1');
      await put(store, '/core/pods/a/2');
      expect(lost).toBe(1);
      expect(good.events.map((e) => e.entry.revision)).toEqual([base + 1, base + 2]);
      expect(late.events.map((e) => e.entry.revision)).toEqual([base + 1, base + 2]);
    });

    test('history is bounded, by number and by bytes, and too old is Compacted', async () => {
      for (const limits of [{ historyRevisions: 5 }, { historyBytes: 5 * wireOf('a', 1_000_000).length }]) {
        const store = await start(limits);
        const base = store.revision;
        for (let i = 0; i < 20; i++) await put(store, '/core/pods/ns/a', i === 0 ? 0 : base + i);
        expect(store.oldestRevision).toBe(base + 15);
        expect(() => store.watch('/core/pods/', base + 14, new Recorder())).toThrow(Compacted);
        expect(() => store.listAt('/core/pods/', base + 14)).toThrow(Compacted);
        expect(store.listAt('/core/pods/', base + 15)[0]?.revision).toBe(base + 15);
        const watcher = new Recorder();
        store.watch('/core/pods/', base + 15, watcher);
        expect(watcher.events).toHaveLength(5);
        await store.compact(base + 18);
        expect(store.oldestRevision).toBe(base + 18);
        expect(() => store.watch('/core/pods/', base + 17, new Recorder())).toThrow(Compacted);
        await put(store, '/core/pods/ns/a', base + 20);
        expect(watcher.events).toHaveLength(6);
      }
    });

    test('waitFor and catchUp', async () => {
      const store = await start();
      const base = store.revision;
      const waiting = store.waitFor(base + 2);
      const stop = new AbortController();
      const never = store.waitFor(base + 99, stop.signal);
      await put(store, '/core/pods/ns/a');
      await put(store, '/core/pods/ns/b');
      await waiting;
      await store.catchUp();
      stop.abort(new Error('enough'));
      await expect(never).rejects.toThrow('enough');
      const cut = store.waitFor(base + 100);
      const close = store.close();
      await expect(cut).rejects.toThrow('closed');
      await close;
      await expect(put(store, '/core/pods/ns/c')).rejects.toThrow('closed');
    });

    test('at every revision: lists, watches and the present agree with a simple model', async () => {
      const operation = fc.record({
        key: fc.constantFrom(
          '/core/pods/a/1',
          '/core/pods/a/2',
          '/core/pods/b/1',
          '/core/pods/b/é',
          '/core/nodes/n',
        ),
        remove: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 30 }), async (operations) => {
          const store = await start();
          const base = store.revision;
          const states: Map<string, number>[] = [new Map()];
          const watchers = ['/core/pods/', '/core/pods/b/', '/'].map((prefix) => ({
            prefix,
            live: new Recorder(),
          }));
          for (const { prefix, live } of watchers) store.watch(prefix, base, live);
          for (const { key, remove } of operations) {
            const state = new Map(states.at(-1));
            const at = state.get(key) ?? 0;
            if (remove && at === 0) continue;
            const result = remove
              ? await store.commit({ key, value: undefined, expect: at })
              : await put(store, key, at);
            if (remove) state.delete(key);
            else state.set(key, won(result).revision);
            states.push(state);
          }
          expect(store.revision).toBe(base + states.length - 1);
          for (let revision = base; revision < base + states.length; revision++) {
            for (const { prefix, live } of watchers) {
              const want = [...states[revision - base]!].filter(([key]) => key.startsWith(prefix)).sort();
              const list = store.listAt(prefix, revision);
              expect(list.map((e) => [e.key, e.revision])).toEqual(want);
              // A list and the changes after it lead to the present.
              const replay = new Recorder();
              store.watch(prefix, revision, replay)();
              expect(replay.events.map(shown)).toEqual(
                live.events.filter((e) => e.entry.revision > revision).map(shown),
              );
              const now = new Map(list.map((e) => [e.key, e]));
              for (const event of replay.events) {
                expect(event.previous).toBe(now.get(event.entry.key));
                if (event.type === 'delete') now.delete(event.entry.key);
                else now.set(event.entry.key, event.entry);
              }
              expect(store.list(prefix)).toHaveLength(now.size);
              for (const entry of store.list(prefix)) expect(now.get(entry.key)).toBe(entry);
            }
          }
          await stores.pop()!.close();
        }),
        { numRuns: 25 },
      );
    });
  });
}
