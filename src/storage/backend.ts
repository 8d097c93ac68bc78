// The one seam for storage. A backend keeps records and the order of their changes, nothing else: history, paging,
// selectors and fan-out live above it, once (store.ts). contract.ts is the suite that every backend passes.
import type { Clock, Log } from '../base/index.ts';

/** A stored record. `revision` is that of its last change; revisions start at 1 and are never used twice. */
export interface StoredRecord {
  readonly key: string;
  readonly value: Buffer;
  readonly revision: number;
}

/** One committed change. */
export interface Change {
  readonly key: string;
  /** undefined = deleted */
  readonly value: Buffer | undefined;
  readonly revision: number;
}

export interface Write {
  /** Opaque; 1 to 1024 bytes of UTF-8. Keys are ordered by those bytes. */
  readonly key: string;
  /** undefined = delete. The backend keeps the buffer: never change it afterwards. */
  readonly value: Buffer | undefined;
  /** The revision the key must still have; 0 = it must not exist (so a delete needs one above 0). */
  readonly expect: number;
  /**
   * The record disappears, as a change of its own, this long after the write. 0 = never. A remote backend may be late by a
   * twentieth of that, a minute at most.
   */
  readonly ttlSeconds: number;
}

export type WriteResult =
  | { readonly ok: true; readonly revision: number }
  /** Somebody else was first. `current` undefined = the key does not exist. */
  | { readonly ok: false; readonly current: StoredRecord | undefined };

/** The changes after the asked revision are gone: load again. */
export class Compacted extends Error {
  readonly compactedRevision: number;
  constructor(compactedRevision: number) {
    super(`revisions up to ${compactedRevision} are compacted`);
    this.name = 'Compacted';
    this.compactedRevision = compactedRevision;
  }
}

/**
 * The backend does not answer, or cannot take writes now (disk full, quorum lost). `retryable` = the same call may succeed later.
 * `full` = it has no room left: somebody has to make some.
 */
export class BackendUnavailable extends Error {
  readonly retryable: boolean;
  readonly full: boolean;
  constructor(message: string, options: { retryable: boolean; full?: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'BackendUnavailable';
    this.retryable = options.retryable;
    this.full = options.full ?? false;
  }
}

/** The value is larger than this backend takes. Nothing was written. */
export class RecordTooLarge extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'RecordTooLarge';
  }
}

const maxKeyBytes = 1024;

/** Throws RangeError for mistakes of the caller: what every backend refuses in the same way. */
export function checkWrite({ key, value, expect }: Write): void {
  // Three bytes of UTF-8 a unit at most: the exact count is needed for long keys only.
  if (key.length === 0 || (key.length * 3 > maxKeyBytes && Buffer.byteLength(key) > maxKeyBytes))
    throw new RangeError(`a key has 1 to ${maxKeyBytes} bytes`);
  if (value === undefined && expect === 0) throw new RangeError('a delete expects a revision above 0');
}

/** What every backend is opened with. */
export interface BackendOptions {
  readonly clock: Clock;
  readonly log: Log;
}

export interface Backend {
  /** Other processes may write to the same records. */
  readonly shared: boolean;
  /**
   * Every live record, in key order, at one revision, which is never below that of a write answered before the call.
   * Called before `follow`, and again after Compacted.
   */
  load(onRecord: (record: StoredRecord) => void): Promise<{ revision: number }>;
  /**
   * Every change after `revision`, in order of revision, whole commits at a time. `onChanges` is synchronous and must not
   * throw. Its second argument is the revision up to which everything has now been delivered; `changes` may be empty when
   * only that has moved. Resolves when the signal aborts; rejects with Compacted when changes after `revision` are gone,
   * and with anything else when the stream broke and may be followed again from the last delivered revision.
   * With an embedded backend a change reaches `onChanges` before the `write` that made it resolves, and carries the very
   * buffer that was written.
   */
  follow(
    revision: number,
    onChanges: (changes: readonly Change[], revision: number) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Compare and set. Resolves when durable (fsync, or quorum). A lost compare is a value, not an error. A rejection
   * (BackendUnavailable) means the outcome is unknown: the caller must read again. Concurrent writes may share a commit.
   * A key that is too long, or a delete with `expect` 0, rejects with RangeError: a mistake of the caller. A value that this
   * backend cannot hold (3 MiB always fit into an embedded one) rejects with RecordTooLarge.
   */
  write(write: Write): Promise<WriteResult>;
  /** The newest committed revision; a read of state at or after it is linearizable. */
  currentRevision(): Promise<number>;
  /** Forgets changes up to `revision`, live records excepted. */
  compact(revision: number): Promise<void>;
  /** Waits for the commit under way; what is queued behind it is rejected. Idempotent. */
  close(): Promise<void>;
}

/**
 * A few short texts about a place, beside its records: what servers must agree on before they load. `load`, `follow` and watches know
 * nothing of them; in a remote backend one may use up a revision. Names are of a-z and dashes. Calls reject with BackendUnavailable.
 */
export interface Notes {
  /** The newest one that was durable when this was asked. undefined = there is none. */
  readNote(name: string): Promise<Buffer | undefined>;
  /**
   * Compare and set by content, durable when it resolves: true when the note was `from` (undefined = was not there) and now is `to`
   * (undefined = is no more). Of several at once from the same content one is true. After a rejection the outcome is unknown.
   */
  replaceNote(name: string, change: NoteChange): Promise<boolean>;
}

export interface NoteChange {
  readonly from: Buffer | undefined;
  readonly to: Buffer | undefined;
}

/** What a server opens. A store needs the backend in it only. */
export type NotedBackend = Backend & Notes;

/** By content; undefined = no note. */
export const isSameNote = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
