// HOT (bench/storage.ts). The embedded backend: a ledger on LMDB. A commit is one LMDB transaction, synced to disk before the
// promise resolves (no overlapping sync: one promise, one meaning), with the revision in the same transaction.
//
// On disk: database `records`: key → 8 bytes revision, 8 bytes expiry in ms since the epoch (both big-endian doubles), value.
// Database `meta`: format, revision, owner, and notes under `note/NAME`.
import fs from 'node:fs';
import path from 'node:path';
import type { Database, RootDatabase } from 'lmdb';
import {
  type BackendOptions,
  BackendUnavailable,
  isSameNote,
  type NoteChange,
  type NotedBackend,
} from './backend.ts';
import { type DirectoryLock, lockDirectory, type OwnerRecord } from './directory-lock.ts';
import { Ledger, type LedgerChange, type LedgerRecord, type Medium } from './ledger.ts';

const format = 1;
const headerBytes = 16;
const formatKey = Buffer.from('format');
const revisionKey = Buffer.from('revision');
const ownerKey = Buffer.from('owner');
const noteKey = (name: string): Buffer => Buffer.from(`note/${name}`);
const binary = { encoding: 'binary', keyEncoding: 'binary', cache: false } as const;

/** What LMDB's errors carry as a code when there is no room: errno's EFBIG, ENOSPC and EDQUOT, and its own MDB_MAP_FULL. */
const noRoom: ReadonlySet<unknown> = new Set([27, 28, 122, -30792]);
const fullBelowBytes = 4 * 1024 * 1024;
/** The room for a group of writes: what is taken at least, and what is kept for the next at most. */
const usualGroupBytes = 64 * 1024;
const keptGroupBytes = 1024 * 1024;

type Table = Database<Buffer, Buffer>;

interface Opened {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly records: Table;
  readonly meta: Table;
}

/**
 * Opens the store in `directory`, which is made (mode 0700) when missing. Rejects with DirectoryInUse while another process has
 * it open. The backend owns the directory until `close`.
 */
export async function openLmdbBackend(directory: string, options: BackendOptions): Promise<NotedBackend> {
  const medium = new LmdbMedium(directory);
  try {
    return await Ledger.open(medium, options);
  } catch (error) {
    await medium.close();
    throw error;
  }
}

class LmdbMedium implements Medium {
  readonly #directory: string;
  #opened: Opened | null = null;
  #lock: DirectoryLock | null = null;
  /** Room that no commit uses. */
  #group: Buffer | null = null;

  constructor(directory: string) {
    this.#directory = path.resolve(directory);
  }

  async open(): Promise<number> {
    await this.#closeDatabase();
    const directory = this.#directory;
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    fs.chmodSync(directory, 0o700);
    // Only now: it takes 16 MB, and most of the program's processes store nothing.
    const { open } = await import('lmdb');
    const root: RootDatabase<Buffer, Buffer> = open({
      path: directory,
      noSubdir: false,
      maxDbs: 2,
      overlappingSync: false,
      // Off: it would start a batch of its own, whose promise nobody holds when the commit fails.
      eventTurnBatching: false,
      ...binary,
    });
    const opened = { root, records: root.openDB('records', binary), meta: root.openDB('meta', binary) };
    this.#opened = opened;
    for (const file of ['data.mdb', 'lock.mdb']) fs.chmodSync(path.join(directory, file), 0o600);
    this.#checkFormat(opened);
    this.#lock ??= await lockDirectory(directory, ownerRegister(opened));
    opened.root.resetReadTxn();
    const revision = opened.meta.get(revisionKey);
    return revision === undefined ? 0 : revision.readDoubleBE(0);
  }

  scan(onRecord: (record: LedgerRecord) => void): void {
    for (const { key, value } of this.#database().records.getRange({}))
      onRecord(decode(key.toString(), value));
  }

  read(key: string): LedgerRecord | undefined {
    const bytes = this.#database().records.get(Buffer.from(key));
    return bytes === undefined ? undefined : decode(key, bytes);
  }

  async commit(changes: readonly LedgerChange[], revision: number): Promise<void> {
    const { root, records, meta } = this.#database();
    let length = 8;
    for (const { value } of changes) if (value !== undefined) length += headerBytes + value.length;
    const bytes = this.#takeGroup(length);
    bytes.writeDoubleBE(revision, 0);
    let at = 8;
    try {
      await root.batch(() => {
        for (const change of changes) {
          const key = Buffer.from(change.key);
          if (change.value === undefined) {
            records.remove(key);
            continue;
          }
          const from = at;
          bytes.writeDoubleBE(change.revision, from);
          bytes.writeDoubleBE(change.expiresAtMs, from + 8);
          at = from + headerBytes + change.value.copy(bytes, from + headerBytes);
          records.put(key, bytes.subarray(from, at));
        }
        meta.put(revisionKey, bytes.subarray(0, 8));
      });
    } catch (error) {
      throw await reasonOf(error);
    }
    if (bytes.length <= keptGroupBytes) this.#group = bytes;
  }

  /**
   * Room for all values of a group. LMDB's writer thread reads it until the commit is done, so the next group can have the same; one
   * whose commit failed is never used again. New room for each group would be megabytes a second for the garbage collector.
   */
  #takeGroup(length: number): Buffer {
    const kept = this.#group;
    this.#group = null;
    return kept !== null && kept.length >= length
      ? kept
      : Buffer.allocUnsafeSlow(Math.max(length, usualGroupBytes));
  }

  isFull(error: unknown): boolean {
    if (noRoom.has((error as { code?: unknown }).code)) return true;
    // A write cut short is an I/O error to LMDB; the file system knows better.
    try {
      const { bavail, bsize } = fs.statfsSync(this.#directory);
      return bavail * bsize < fullBelowBytes;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    await this.#closeDatabase();
    await this.#lock?.release();
    this.#lock = null;
  }

  readNote(name: string): Buffer | undefined {
    return this.#database().meta.get(noteKey(name));
  }

  async replaceNote(name: string, { from, to }: NoteChange): Promise<boolean> {
    const { root, meta } = this.#database();
    try {
      // A synchronous transaction is synced to disk before it returns.
      return root.transactionSync(() => {
        if (!isSameNote(meta.get(noteKey(name)), from)) return false;
        if (to === undefined) meta.removeSync(noteKey(name));
        else meta.putSync(noteKey(name), to);
        return true;
      });
    } catch (cause) {
      throw new BackendUnavailable(`the store cannot commit: ${(cause as Error).message}`, {
        retryable: true,
        full: this.isFull(cause),
        cause,
      });
    }
  }

  /** After the callbacks of sockets that are ready now: their writes share the commit. */
  gather(start: () => void): void {
    setImmediate(start);
  }

  #database(): Opened {
    if (this.#opened === null) throw new Error('the database is not open');
    return this.#opened;
  }

  async #closeDatabase(): Promise<void> {
    const opened = this.#opened;
    this.#opened = null;
    await opened?.root.close();
  }

  #checkFormat(opened: Opened): void {
    const found = opened.meta.get(formatKey);
    if (found === undefined) opened.meta.putSync(formatKey, Buffer.from([format]));
    else if (found[0] !== format)
      throw new Error(
        `${this.#directory} holds a store of format ${found[0]}, this program reads format ${format}`,
      );
  }
}

function decode(key: string, bytes: Buffer): LedgerRecord {
  return {
    key,
    value: bytes.subarray(headerBytes),
    revision: bytes.readDoubleBE(0),
    expiresAtMs: bytes.readDoubleBE(8),
  };
}

/** LMDB says why a commit failed in a second promise on the error, which rejects a moment later (or, for some causes, never). */
async function reasonOf(error: unknown): Promise<unknown> {
  const reason = (error as { commitError?: Promise<unknown> }).commitError;
  if (reason === undefined) return error;
  const later = new Promise<unknown>((resolve) => setImmediate(() => setImmediate(() => resolve(undefined))));
  const cause = await Promise.race([reason.catch((e: unknown) => e), later]);
  return cause instanceof Error ? cause : error;
}

function ownerRegister(opened: Opened) {
  const read = (): OwnerRecord | undefined => {
    const bytes = opened.meta.get(ownerKey);
    return bytes === undefined ? undefined : (JSON.parse(bytes.toString()) as OwnerRecord);
  };
  return {
    read() {
      opened.root.resetReadTxn();
      return read();
    },
    replace(from: OwnerRecord | undefined, to: OwnerRecord): boolean {
      return opened.root.transactionSync(() => {
        if (read()?.socket !== from?.socket) return false;
        opened.meta.put(ownerKey, Buffer.from(JSON.stringify(to)));
        return true;
      });
    },
  };
}
