// All records of one place into another, empty one. Revisions cannot be carried over (etcd counts its own), so the choice is that none is
// met again: before the first record the new place is brought beyond the revision of the old one. Whoever still holds a revision
// of the old place is then told that it has expired, and reads again.
import { BackendUnavailable, type NotedBackend, type StoredRecord } from './backend.ts';

/** Of writes on their way at once. */
const lanes = 64;
const note = 'copy';
const fillerPrefix = '/jotasu/copy/';

/** The place that was to be copied into cannot be. The message says why. */
export class CopyRefused extends Error {}

export interface CopyOptions {
  /** In seconds, 0 = for ever, undefined = such a record is left behind. */
  readonly lifeOf: (key: string) => number | undefined;
  readonly onProgress?: (done: number, of: number) => void;
}

export interface Copied {
  readonly records: number;
  readonly leftBehind: number;
}

/**
 * Nobody else may write to either of them meanwhile. Rejects with CopyRefused when `to` is not empty. After any other failure `to` holds a
 * part, and `isHalfCopied` says so until somebody empties it.
 */
export async function copyRecords(
  from: NotedBackend,
  to: NotedBackend,
  options: CopyOptions,
): Promise<Copied> {
  if (await isHalfCopied(from)) throw new CopyRefused('the source is itself a copy that was not finished');
  const records: StoredRecord[] = [];
  const { revision } = await from.load((record) => {
    // What an embedded backend shows is its own memory, and only for now.
    records.push({ ...record, value: Buffer.from(record.value) });
  });
  let found = 0;
  const { revision: begin } = await to.load(() => found++);
  const half = await isHalfCopied(to);
  if (found > 0 || half)
    throw new CopyRefused(
      half ? 'it holds a copy that was not finished' : `it holds ${found} records already`,
    );
  const unfinished = Buffer.from('unfinished');
  if (!(await to.replaceNote(note, { from: undefined, to: unfinished })))
    throw new CopyRefused('another copy into it has begun');

  const taken = records
    .map((record) => ({ record, ttlSeconds: options.lifeOf(record.key) }))
    .filter(({ ttlSeconds }) => ttlSeconds !== undefined);
  const raise = Math.max(0, revision - begin);
  let done = 0;
  const step = () => options.onProgress?.(++done, raise + taken.length);
  await raiseRevision(to, begin + raise, step);
  const queue = taken.values();
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (const { record, ttlSeconds = 0 } of queue) {
        const { key, value } = record;
        const result = await to.write({ key, value, expect: 0, ttlSeconds });
        if (!result.ok) throw new CopyRefused(`somebody else wrote ${key} meanwhile`);
        step();
      }
    }),
  );
  if (!(await to.replaceNote(note, { from: unfinished, to: undefined })))
    throw new BackendUnavailable('the copy is there, but it could not be marked as whole', {
      retryable: true,
    });
  return { records: taken.length, leftBehind: records.length - taken.length };
}

/** Whether a copy into this place was begun and not ended: it must not be served. */
export const isHalfCopied = async (place: NotedBackend): Promise<boolean> =>
  (await place.readNote(note)) !== undefined;

/** By records that come and go: at the end there are none of them. */
async function raiseRevision(to: NotedBackend, wanted: number, step: () => void): Promise<void> {
  let reached = await to.currentRevision();
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      const key = `${fillerPrefix}${lane}`;
      let mine = 0;
      // The last one of each lane removes what it made, whatever the revision is by then.
      while (reached < wanted || mine > 0) {
        const value = mine === 0 ? Buffer.from('{"metadata":{}}') : undefined;
        const result = await to.write({ key, value, expect: mine, ttlSeconds: 0 });
        if (!result.ok) throw new CopyRefused(`somebody else wrote ${key} meanwhile`);
        mine = value === undefined ? 0 : result.revision;
        reached = Math.max(reached, result.revision);
        step();
      }
    }),
  );
}
