import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FakeClock, silentLog } from '../base/index.ts';
import type { NotedBackend, StoredRecord } from './backend.ts';
import { CopyRefused, copyRecords, isHalfCopied } from './copy.ts';
import { createMemoryBackend } from './memory.ts';

const place = () => createMemoryBackend({ clock: new FakeClock(), log: silentLog });

async function recordsOf(backend: NotedBackend) {
  const records: StoredRecord[] = [];
  const { revision } = await backend.load((record) => records.push(record));
  return { revision, records, texts: records.map(({ key, value }) => [key, value.toString()]) };
}

/** A place after these writes, each a key and a value, or a key to delete. */
async function written(writes: readonly (readonly [string, string | undefined])[]): Promise<NotedBackend> {
  const backend = await place();
  const at = new Map<string, number>();
  for (const [key, text] of writes) {
    const expect = at.get(key) ?? 0;
    if (text === undefined && expect === 0) continue;
    const value = text === undefined ? undefined : Buffer.from(text);
    const result = await backend.write({ key, value, expect, ttlSeconds: 0 });
    if (result.ok) at.set(key, text === undefined ? 0 : result.revision);
  }
  return backend;
}

const all = { lifeOf: () => 0 };

test('every record, at revisions that nobody has seen', async () => {
  const key = fc.integer({ min: 0, max: 300 }).map((n) => `/a/b/${n}`);
  const write = fc.tuple(key, fc.option(fc.string(), { nil: undefined }));
  await fc.assert(
    fc.asyncProperty(fc.array(write, { maxLength: 200 }), async (writes) => {
      const from = await written(writes);
      const before = await recordsOf(from);
      const to = await place();
      const copied = await copyRecords(from, to, all);
      expect(copied).toEqual({ records: before.records.length, leftBehind: 0 });
      const after = await recordsOf(to);
      expect(after.texts).toEqual(before.texts);
      for (const { revision } of after.records) expect(revision).toBeGreaterThan(before.revision);
      expect(after.revision).toBeGreaterThanOrEqual(before.revision);
      expect(await isHalfCopied(to)).toBe(false);
      expect(await recordsOf(from)).toEqual(before);
      await from.close();
      await to.close();
    }),
    { numRuns: 30 },
  );
});

test('what does not last is left behind, or gets its time anew; progress ends with all', async () => {
  const from = await written([
    ['/a/stays/1', 'x'],
    ['/a/brief/1', 'y'],
    ['/a/claims/1', 'z'],
  ]);
  const clock = new FakeClock();
  const to = await createMemoryBackend({ clock, log: silentLog });
  const steps: [number, number][] = [];
  const copied = await copyRecords(from, to, {
    lifeOf: (key) => (key.includes('claims') ? undefined : key.includes('brief') ? 60 : 0),
    onProgress: (done, of) => steps.push([done, of]),
  });
  expect(copied).toEqual({ records: 2, leftBehind: 1 });
  expect((await recordsOf(to)).texts.map(([key]) => key)).toEqual(['/a/brief/1', '/a/stays/1']);
  expect(steps.at(-1)![0]).toBeGreaterThanOrEqual(steps.at(-1)![1]);
  await clock.advance(61_000);
  expect((await recordsOf(to)).texts.map(([key]) => key)).toEqual(['/a/stays/1']);
  await from.close();
  await to.close();
});

test('a place that holds something is left as it is', async () => {
  const from = await written([['/a/b/1', 'new']]);
  const to = await written([['/a/b/1', 'old']]);
  const before = await recordsOf(to);
  await expect(copyRecords(from, to, all)).rejects.toThrow(new CopyRefused('it holds 1 records already'));
  expect(await recordsOf(to)).toEqual(before);
  expect(await isHalfCopied(to)).toBe(false);
});

test('a copy that broke off says so, is not copied over, and is no source', async () => {
  const from = await written([['/a/b/1', 'x']]);
  const to = await place();
  const breaks = Object.assign(Object.create(to) as NotedBackend, {
    load: (on: (record: StoredRecord) => void) => to.load(on),
    readNote: (name: string) => to.readNote(name),
    replaceNote: (...args: Parameters<NotedBackend['replaceNote']>) => to.replaceNote(...args),
    currentRevision: () => to.currentRevision(),
    write: () => Promise.reject(new Error('the plug was pulled')),
  });
  await expect(copyRecords(from, breaks, all)).rejects.toThrow('plug');
  expect(await isHalfCopied(to)).toBe(true);
  await expect(copyRecords(from, to, all)).rejects.toThrow('a copy that was not finished');
  await expect(copyRecords(to, await place(), all)).rejects.toThrow('itself a copy');
});
