// What every backend must do, as one suite: call it in the backend's test file. The factory opens a backend on an empty place and
// says how to open the same place again (null when nothing survives closing).
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { FakeClock, settle, silentLog } from '../base/index.ts';
import { type Backend, type Change, Compacted, type StoredRecord, type WriteResult } from './backend.ts';
import { compareKeys } from './key-order.ts';
import type { LedgerOptions } from './ledger.ts';

export interface BackendFactory {
  /** A new empty place. */
  make(): { open(options: LedgerOptions): Promise<Backend>; readonly survives: boolean };
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
  for (let i = 0; i < 2000; i++) {
    if (await condition()) return;
    await settle(1);
    if (i > 100) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error('the condition was never met');
}

export function backendContract(name: string, factory: BackendFactory): void {
  describe(`${name}: backend contract`, () => {
    const open: Backend[] = [];
    const clock = new FakeClock();
    const options = { clock, log: silentLog };
    const start = async () => {
      const place = factory.make();
      const backend = await place.open(options);
      open.push(backend);
      return { place, backend };
    };
    afterEach(async () => {
      for (const backend of open.splice(0)) await backend.close();
      expect(clock.waiting).toBe(0);
    });

    test('starts empty at revision 0', async () => {
      const { backend } = await start();
      expect(await loaded(backend)).toEqual({ revision: 0, records: [] });
      expect(await backend.currentRevision()).toBe(0);
    });

    test('compares and sets', async () => {
      const { backend } = await start();
      expect(await put(backend, '/a/b/c', 'one')).toEqual({ ok: true, revision: 1 });
      const lost = await put(backend, '/a/b/c', 'two');
      expect(lost.ok).toBe(false);
      if (!lost.ok) {
        expect(lost.current?.revision).toBe(1);
        expect(text(lost.current?.value)).toBe('one');
      }
      expect(await put(backend, '/a/b/c', 'two', 1)).toEqual({ ok: true, revision: 2 });
      expect(await put(backend, '/a/b/c', undefined, 1)).toMatchObject({ ok: false });
      expect(await put(backend, '/a/b/c', undefined, 2)).toEqual({ ok: true, revision: 3 });
      expect(await put(backend, '/a/b/c', 'x', 2)).toEqual({ ok: false, current: undefined });
      expect(await loaded(backend)).toEqual({ revision: 3, records: [] });
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
      const { backend } = await start();
      await expect(put(backend, '', 'v')).rejects.toThrow(RangeError);
      await expect(put(backend, `/a/b/${'ü'.repeat(600)}`, 'v')).rejects.toThrow(RangeError);
      await expect(put(backend, '/a/b/c', undefined)).rejects.toThrow(RangeError);
      expect(await put(backend, `/a/b/${'k'.repeat(1000)}`, 'v')).toEqual({ ok: true, revision: 1 });
    });

    test('loads in the order of UTF-8 bytes, values up to 3 MiB', async () => {
      const { backend } = await start();
      const keys = ['/a/b/z', '/a/b/\u{1f600}', '/a/b/\uff5e', '/a/b', '/a/b/é', '/a/b-c/d', '/a/b/a/b'];
      const big = Buffer.alloc(3 * 1024 * 1024, 'x');
      await Promise.all(keys.map((key) => backend.write({ key, value: big, expect: 0, ttlSeconds: 0 })));
      const { records } = await loaded(backend);
      expect(records.map((r) => r.key)).toEqual(
        [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      );
      expect(records.map((r) => r.key)).toEqual([...keys].sort(compareKeys));
      for (const record of records) expect(record.value.equals(big)).toBe(true);
    });

    test('follow hands over every change once, in order, before the write resolves', async () => {
      const { backend } = await start();
      await put(backend, '/a/b/0', 'early');
      const { revision } = await loaded(backend);
      const seen: Change[] = [];
      const stop = new AbortController();
      const following = backend.follow(revision, (changes) => void seen.push(...changes), stop.signal);
      const results = await Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          const at = revisionOf(await put(backend, `/a/b/k${i}`, `v${i}`));
          expect(seen.some((change) => change.revision === at)).toBe(true);
          return at;
        }),
      );
      await put(backend, '/a/b/0', undefined, revision);
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
      const { backend } = await start();
      await loaded(backend);
      for (const key of ['/a/b/1', '/a/b/2', '/a/b/3']) await put(backend, key, 'v');
      const stop = new AbortController();
      const seen: number[] = [];
      const following = backend.follow(
        1,
        (changes) => void seen.push(...changes.map((c) => c.revision)),
        stop.signal,
      );
      await until(() => seen.length === 2);
      expect(seen).toEqual([2, 3]);
      await backend.compact(2);
      await expect(backend.follow(1, () => {}, stop.signal)).rejects.toThrow(Compacted);
      const again = backend.follow(2, () => {}, stop.signal);
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
      await put(backend, '/a/b/short', 'v', 0, 10);
      const kept = revisionOf(await put(backend, '/a/b/kept', 'v', 0, 10));
      await put(backend, '/a/b/long', 'v', 0, 3600);
      await put(backend, '/a/b/kept', 'again', kept, 0);
      await clock.advance(9_999);
      expect(seen).toHaveLength(4);
      await clock.advance(1);
      await until(() => seen.length === 5);
      expect(seen.at(-1)).toMatchObject({ key: '/a/b/short', value: undefined, revision: 5 });
      await clock.advance(3_600_000);
      await until(() => seen.length === 6);
      expect(seen.at(-1)).toMatchObject({ key: '/a/b/long', value: undefined, revision: 6 });
      expect((await loaded(backend)).records.map((r) => r.key)).toEqual(['/a/b/kept']);
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
      const { place, backend } = await start();
      if (!place.survives) return;
      await put(backend, '/a/b/gone', 'v');
      await put(backend, '/a/b/stays', 'v');
      await put(backend, '/a/b/brief', 'v', 0, 60);
      await put(backend, '/a/b/gone', undefined, 1);
      await backend.close();
      await clock.advance(30_000);
      const again = await place.open(options);
      open.push(again);
      const { revision, records } = await loaded(again);
      expect(revision).toBe(4);
      expect(records.map((r) => [r.key, r.revision, text(r.value)])).toEqual([
        ['/a/b/brief', 3, 'v'],
        ['/a/b/stays', 2, 'v'],
      ]);
      await expect(again.follow(3, () => {}, new AbortController().signal)).rejects.toThrow(Compacted);
      await clock.advance(30_000);
      await until(async () => (await again.currentRevision()) === 5);
      expect(await put(again, '/a/b/new', 'v')).toEqual({ ok: true, revision: 6 });
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
          let revision = 0;
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
            if (!together) await Promise.all(running.splice(0));
          }
          await Promise.all(running);
          running = [];
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
        { numRuns: 30 },
      );
    });
  });
}
