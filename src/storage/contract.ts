// What every backend must do, as one suite: call it in the backend's test file. The factory opens a backend on an empty place and
// says how to open the same place again, and in what the backend differs: revisions count from wherever the place begins, but one a
// commit, and a remote backend keeps its own time, may answer before the change is handed over, and keeps history when reopened.
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { FakeClock, settle, silentLog, systemClock } from '../base/index.ts';
import {
  type Backend,
  type BackendOptions,
  type Change,
  Compacted,
  type NotedBackend,
  RecordTooLarge,
  type StoredRecord,
  type WriteResult,
} from './backend.ts';
import { compareKeys } from './key-order.ts';

export interface BackendFactory {
  /** A new empty place. */
  make(): { open(options: BackendOptions): Promise<NotedBackend>; readonly survives: boolean };
  /** Another process decides: real time, answers before changes, no order among writes at once. */
  readonly remote?: true;
  /** The largest value that is taken; undefined = 3 MiB and more. */
  readonly maxValueBytes?: number;
}

const text = (value: Buffer | undefined) => value?.toString();

async function loaded(backend: Backend): Promise<{ revision: number; records: StoredRecord[] }> {
  const records: StoredRecord[] = [];
  const { revision } = await backend.load((record) => records.push(record));
  return { revision, records };
}

function put(backend: Backend, key: string, value: string | undefined, expectRevision = 0, ttlSeconds = 0) {
  const bytes = value === undefined ? undefined : Buffer.from(value);
  return backend.write({ key, value: bytes, expect: expectRevision, ttlSeconds });
}

function revisionOf(result: WriteResult): number {
  if (!result.ok) throw new Error('the write lost its compare');
  return result.revision;
}

/** Lets commits that need the disk finish while the clock stands still. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 60_000; i++) {
    if (await condition()) return;
    await settle(1);
    if (i > 100) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error('the condition was never met');
}

export function backendContract(name: string, factory: BackendFactory): void {
  describe(`${name}: backend contract`, () => {
    const open: Backend[] = [];
    const { remote = false } = factory;
    const clock = new FakeClock();
    const options = { clock: remote ? systemClock : clock, log: silentLog };
    const start = async () => {
      const place = factory.make();
      const backend = await place.open(options);
      open.push(backend);
      const base = remote ? (await loaded(backend)).revision : 0;
      return { place, backend, base };
    };
    /** Lets time pass until the condition holds. */
    const pass = async (ms: number, condition: () => boolean | Promise<boolean>) => {
      if (!remote) {
        await clock.advance(ms);
        await until(condition);
      } else await vi.waitFor(async () => expect(await condition()).toBe(true), { timeout: 60_000 });
    };
    afterEach(async () => {
      for (const backend of open.splice(0)) await backend.close();
      expect(clock.waiting).toBe(0);
    });

    test('starts empty, and says at which revision', async () => {
      const { backend, base } = await start();
      expect(await loaded(backend)).toEqual({ revision: base, records: [] });
      expect(await backend.currentRevision()).toBe(base);
    });

    test('compares and sets', async () => {
      const { backend, base } = await start();
      expect(await put(backend, '/a/b/c', 'one')).toEqual({ ok: true, revision: base + 1 });
      const lost = await put(backend, '/a/b/c', 'two');
      expect(lost.ok).toBe(false);
      if (!lost.ok) {
        expect(lost.current?.revision).toBe(base + 1);
        expect(lost.current?.key).toBe('/a/b/c');
        expect(text(lost.current?.value)).toBe('one');
      }
      expect(await put(backend, '/a/b/c', 'two', base + 1)).toEqual({ ok: true, revision: base + 2 });
      expect(await put(backend, '/a/b/c', undefined, base + 1)).toMatchObject({ ok: false });
      expect(await put(backend, '/a/b/c', undefined, base + 2)).toEqual({ ok: true, revision: base + 3 });
      expect(await put(backend, '/a/b/c', 'x', base + 2)).toEqual({ ok: false, current: undefined });
      expect(await loaded(backend)).toEqual({ revision: base + 3, records: [] });
    });

    test('of writes at once to one key exactly one wins, and the others learn what won', async () => {
      const { backend } = await start();
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => put(backend, '/a/b/c', `v${i}`)),
      );
      expect(results.filter((r) => r.ok)).toHaveLength(1);
      const { records } = await loaded(backend);
      for (const r of results) if (!r.ok) expect(text(r.current?.value)).toBe(text(records[0]?.value));
    });

    test('refuses mistakes of the caller and goes on', async () => {
      const { backend, base } = await start();
      await expect(put(backend, '', 'v')).rejects.toThrow(RangeError);
      await expect(put(backend, `/a/b/${'ü'.repeat(600)}`, 'v')).rejects.toThrow(RangeError);
      await expect(put(backend, '/a/b/c', undefined)).rejects.toThrow(RangeError);
      const longest = `/a/b/${'k'.repeat(1019)}`;
      expect(await put(backend, longest, 'v')).toEqual({ ok: true, revision: base + 1 });
    });

    test('loads in the order of UTF-8 bytes, values of the greatest size', async () => {
      const { backend } = await start();
      const keys = ['/a/b/z', '/a/b/\u{1f600}', '/a/b/\uff5e', '/a/b', '/a/b/é', '/a/b-c/d', '/a/b/a/b'];
      const big = Buffer.alloc(factory.maxValueBytes ?? 3 * 1024 * 1024, 'x');
      await Promise.all(keys.map((key) => backend.write({ key, value: big, expect: 0, ttlSeconds: 0 })));
      const { records } = await loaded(backend);
      expect(records.map((r) => r.key)).toEqual(
        [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      );
      expect(records.map((r) => r.key)).toEqual([...keys].sort(compareKeys));
      for (const record of records) expect(record.value.equals(big)).toBe(true);
    });

    const { maxValueBytes } = factory;
    if (maxValueBytes !== undefined)
      test('a value that is too large is refused as such', async () => {
        const { backend, base } = await start();
        for (const times of [2, 3, 10]) {
          const value = Buffer.alloc(times * maxValueBytes, 'x');
          const write = { key: '/a/b/large', value, expect: 0, ttlSeconds: 0 };
          await expect(backend.write(write)).rejects.toThrow(RecordTooLarge);
        }
        expect(await loaded(backend)).toEqual({ revision: base, records: [] });
      });

    test('loads more than a page, at one revision, while others write', async () => {
      const { backend, base } = await start();
      const count = 1100;
      const name = (i: number) => `/a/b/${String(i).padStart(5, '0')}`;
      await Promise.all(Array.from({ length: count }, (_, i) => put(backend, name(i), String(i))));
      const writing = put(backend, '/a/b/99999', 'late');
      const { revision, records } = await loaded(backend);
      await writing;
      const late = records.length - count;
      expect(revision - base).toBe(count + late);
      expect(records.slice(0, count).map((r) => [r.key, text(r.value)])).toEqual(
        Array.from({ length: count }, (_, i) => [name(i), String(i)]),
      );
      expect(new Set(records.map((r) => r.revision)).size).toBe(count + late);
    });

    test('follow hands over every change once, in order; an embedded one before the write resolves', async () => {
      const { backend } = await start();
      await put(backend, '/a/b/0', 'early');
      const { revision } = await loaded(backend);
      const seen: Change[] = [];
      const stop = new AbortController();
      const following = backend.follow(revision, (changes) => void seen.push(...changes), stop.signal);
      const results = await Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          const at = revisionOf(await put(backend, `/a/b/k${i}`, `v${i}`));
          if (!remote) expect(seen.some((change) => change.revision === at)).toBe(true);
          return at;
        }),
      );
      await put(backend, '/a/b/0', undefined, revision);
      if (remote) await until(() => seen.length === 51);
      expect(seen.map((c) => c.revision)).toEqual(Array.from({ length: 51 }, (_, i) => revision + 1 + i));
      expect(new Set(results).size).toBe(50);
      expect(seen.at(-1)).toMatchObject({ key: '/a/b/0', value: undefined });
      expect(await backend.currentRevision()).toBe(seen.at(-1)?.revision);
      stop.abort();
      await following;
      await put(backend, '/a/b/late', 'v');
      expect(seen).toHaveLength(51);
    });

    test('follow from before now, and from before a compaction', async () => {
      const { backend, base } = await start();
      for (const key of ['/a/b/1', '/a/b/2', '/a/b/3']) await put(backend, key, 'v');
      const stop = new AbortController();
      const seen: number[] = [];
      const following = backend.follow(
        base + 1,
        (changes) => void seen.push(...changes.map((c) => c.revision)),
        stop.signal,
      );
      await until(() => seen.length === 2);
      expect(seen).toEqual([base + 2, base + 3]);
      await backend.compact(base + 2);
      await backend.compact(base + 2);
      await expect(backend.follow(base + 1, () => {}, stop.signal)).rejects.toThrow(Compacted);
      const again = backend.follow(base + 2, () => {}, stop.signal);
      expect((await loaded(backend)).records).toHaveLength(3);
      stop.abort();
      await Promise.all([following, again]);
    });

    test('records with a time to live go away, as changes of their own, unless written again', async () => {
      const { backend } = await start();
      const { revision } = await loaded(backend);
      const seen: Change[] = [];
      const stop = new AbortController();
      const following = backend.follow(revision, (changes) => void seen.push(...changes), stop.signal);
      const brief = remote ? 1 : 10;
      await put(backend, '/a/b/short', 'v', 0, brief);
      const kept = revisionOf(await put(backend, '/a/b/kept', 'v', 0, brief));
      await put(backend, '/a/b/long', 'v', 0, 3600);
      await put(backend, '/a/b/kept', 'again', kept, 0);
      if (!remote) {
        await clock.advance(brief * 1000 - 1);
        expect(seen).toHaveLength(4);
      }
      await pass(1, () => seen.length === 5);
      expect(seen.at(-1)).toMatchObject({ key: '/a/b/short', value: undefined, revision: revision + 5 });
      if (remote)
        expect((await loaded(backend)).records.map((r) => r.key)).toEqual(['/a/b/kept', '/a/b/long']);
      else {
        await pass(3_600_000, () => seen.length === 6);
        expect(seen.at(-1)).toMatchObject({ key: '/a/b/long', value: undefined, revision: revision + 6 });
        expect((await loaded(backend)).records.map((r) => r.key)).toEqual(['/a/b/kept']);
      }
      stop.abort();
      await following;
    });

    test('after close nothing is accepted', async () => {
      const { backend } = await start();
      await put(backend, '/a/b/c', 'v');
      await backend.close();
      await backend.close();
      await expect(put(backend, '/a/b/d', 'v')).rejects.toThrow('closed');
      await expect(backend.follow(1, () => {}, new AbortController().signal)).rejects.toThrow('closed');
    });

    test('reopened: the records, their revisions and their remaining time are there', async () => {
      const { place, backend, base } = await start();
      if (!place.survives) return;
      await put(backend, '/a/b/gone', 'v');
      await put(backend, '/a/b/stays', 'v');
      await put(backend, '/a/b/brief', 'v', 0, remote ? 2 : 60);
      await put(backend, '/a/b/gone', undefined, base + 1);
      await backend.close();
      if (!remote) await clock.advance(30_000);
      const again = await place.open(options);
      open.push(again);
      const { revision, records } = await loaded(again);
      expect(revision).toBe(base + 4);
      expect(records.map((r) => [r.key, r.revision, text(r.value)])).toEqual([
        ['/a/b/brief', base + 3, 'v'],
        ['/a/b/stays', base + 2, 'v'],
      ]);
      if (!remote)
        await expect(again.follow(3, () => {}, new AbortController().signal)).rejects.toThrow(Compacted);
      await pass(30_000, async () => (await again.currentRevision()) === base + 5);
      expect(await put(again, '/a/b/new', 'v')).toEqual({ ok: true, revision: base + 6 });
    });

    test('notes are beside the records; of several that change one at once, one does', async () => {
      const { place, backend } = await start();
      const [one, two] = ['one', 'two'].map((value) => Buffer.from(value));
      expect(await backend.readNote('a-note')).toBeUndefined();
      expect(await backend.replaceNote('a-note', { from: one, to: two })).toBe(false);
      expect(await backend.replaceNote('a-note', { from: undefined, to: undefined })).toBe(true);
      const created = await Promise.all(
        [one, two].map((to) => backend.replaceNote('a-note', { from: undefined, to })),
      );
      expect([...created].sort()).toEqual([false, true]);
      const winner = created[0] ? one : two;
      expect(await backend.readNote('a-note')).toEqual(winner);
      expect(await backend.readNote('another')).toBeUndefined();
      const three = Buffer.from('three');
      const changed = await Promise.all(
        [1, 2, 3].map(() => backend.replaceNote('a-note', { from: winner, to: three })),
      );
      expect(changed.filter(Boolean)).toHaveLength(1);

      const seen: Change[] = [];
      const stop = new AbortController();
      const { revision, records } = await loaded(backend);
      expect(records).toEqual([]);
      const following = backend.follow(revision, (changes) => void seen.push(...changes), stop.signal);
      await backend.replaceNote('other', { from: undefined, to: one });
      await put(backend, '/a/b/c', 'v');
      await until(() => seen.length > 0);
      expect(seen.map(({ key }) => key)).toEqual(['/a/b/c']);
      stop.abort();
      await following;
      if (place.survives) {
        await backend.close();
        open.push(await place.open(options));
      }
      const again = open.at(-1)! as NotedBackend;
      expect(text(await again.readNote('a-note'))).toBe('three');
      expect(await again.replaceNote('a-note', { from: three, to: undefined })).toBe(true);
      expect(await again.readNote('a-note')).toBeUndefined();
      await again.close();
      await expect(again.readNote('a-note')).rejects.toThrow('closed');
      await expect(again.replaceNote('a-note', { from: undefined, to: one })).rejects.toThrow('closed');
    });

    test('does what a map and a list of changes do', async () => {
      const key = fc.constantFrom('/a/b/1', '/a/b/2', '/a/c/1', '/a/c/é');
      const operation = fc.record({
        key,
        value: fc.option(fc.string({ maxLength: 20 }), { nil: undefined }),
        /** How far from the true revision the compare is. */
        off: fc.constantFrom(0, 0, 0, 1, -1),
        together: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
          const { backend } = await start();
          const { revision: from } = await loaded(backend);
          const seen: Change[] = [];
          const stop = new AbortController();
          const following = backend.follow(from, (changes) => void seen.push(...changes), stop.signal);
          const model = new Map<string, { value: string; revision: number }>();
          const changes: [string, string | undefined, number][] = [];
          let revision = from;
          let running: Promise<void>[] = [];
          for (const { key: k, value, off, together } of operations) {
            const current = model.get(k);
            const expected = Math.max(0, (current?.revision ?? 0) + off);
            if (value === undefined && expected === 0) continue;
            const wins = expected === (current?.revision ?? 0);
            const before = current && { ...current };
            if (wins) {
              revision++;
              if (value === undefined) model.delete(k);
              else model.set(k, { value, revision });
              changes.push([k, value, revision]);
            }
            const want = revision;
            running.push(
              put(backend, k, value, expected).then((result) => {
                if (wins) expect(result).toEqual({ ok: true, revision: want });
                else if (result.ok) throw new Error('the compare should have lost');
                else if (before === undefined) expect(result.current).toBeUndefined();
                else
                  expect([text(result.current?.value), result.current?.revision]).toEqual([
                    before.value,
                    before.revision,
                  ]);
              }),
            );
            if (!together || remote) await Promise.all(running.splice(0));
          }
          await Promise.all(running);
          running = [];
          if (remote) await until(() => seen.length === changes.length);
          expect(seen.map((c) => [c.key, text(c.value), c.revision])).toEqual(changes);
          const end = await loaded(backend);
          expect(end.revision).toBe(revision);
          expect(
            new Map(end.records.map((r) => [r.key, { value: text(r.value), revision: r.revision }])),
          ).toEqual(model);
          stop.abort();
          await following;
          await open.pop()!.close();
        }),
        { numRuns: remote ? 10 : 30 },
      );
    });
  });
}
