// HOT (bench/storage.ts). An embedded backend: one process owns all records, decides compares in memory and commits in groups.
// What memory and lmdb do differently is the Medium; order, compare, group commit, expiry, followers and failure live here, once.
//
// Invariants
// 1. At most one commit is under way. Writes that arrive meanwhile share the next one.
// 2. The index (key → revision) holds exactly what is committed; within a group later writes see earlier ones.
// 3. A revision is handed out at most once, also when the commit that used it failed.
// 4. After a failed commit nothing is accepted until the medium has been reopened, has said whether that commit happened after
//    all, and has taken an empty commit.
import type { Clock, Log, Timer } from '../base/index.ts';
import {
  type Backend,
  type BackendOptions,
  BackendUnavailable,
  type Change,
  checkWrite,
  type NoteChange,
  type Notes,
  type StoredRecord,
  type Write,
  type WriteResult,
} from './backend.ts';
import { ChangeLog } from './change-log.ts';
import { ExpiryQueue } from './expiry-queue.ts';

export interface LedgerRecord extends StoredRecord {
  /** Wall-clock milliseconds; 0 = never. */
  readonly expiresAtMs: number;
}

export interface LedgerChange extends Change {
  readonly expiresAtMs: number;
}

/** Where a ledger keeps its records. Called by one ledger only, never while a commit is under way. */
export interface Medium {
  /** Opens, or after a failed commit closes and opens again. Returns the revision of the last commit that happened. */
  open(): Promise<number>;
  /** Every record in key order (UTF-8 bytes). */
  scan(onRecord: (record: LedgerRecord) => void): void;
  read(key: string): LedgerRecord | undefined;
  /** All or nothing, durable when it resolves. `changes` may be empty. A rejection leaves the outcome open until `open`. */
  commit(changes: readonly LedgerChange[], revision: number): Promise<void>;
  close(): Promise<void>;
  /** Whether a commit failed for want of room. */
  isFull(error: unknown): boolean;
  readNote(name: string): Buffer | undefined;
  /** Notes.replaceNote. */
  replaceNote(name: string, change: NoteChange): Promise<boolean>;
  /** Runs `start` soon: how long to gather writes before a commit when none is under way. */
  gather(start: () => void): void;
}

interface Pending {
  readonly write: Write;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: Error) => void;
}

/**
 * What is committed together is published together, in one turn of the event loop, and everybody who watches works on it then: a
 * larger group saves nothing on the disk and holds up whoever waits for an answer.
 */
const maxGroupWrites = 256;
const maxGroupBytes = 16 * 1024 * 1024;
const recoveryDelayMs = 500;
/** An upper bound for sleeping until an expiry: a jump of the wall clock is noticed this soon. */
const maxExpirySleepMs = 60_000;

const closedError = () => new BackendUnavailable('the store is closed', { retryable: false });

export class Ledger implements Backend, Notes {
  readonly shared = false;
  readonly #medium: Medium;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #changeLog: ChangeLog;
  readonly #expiries = new ExpiryQueue();
  /** key → revision. null until the records have been read for the first time. */
  #index: Map<string, number> | null = null;
  #queue: Pending[] = [];
  #revision: number;
  #lastAssigned: number;
  #commit: Promise<void> | null = null;
  #gathering = false;
  /** Why nothing is accepted at the moment. */
  #failure: BackendUnavailable | null = null;
  #recovery: Promise<void> | null = null;
  #recoveryTimer: Timer | null = null;
  #expiryTimer: Timer | null = null;
  #expiryTimerAtMs = Number.POSITIVE_INFINITY;
  #closing: Promise<void> | null = null;

  private constructor(medium: Medium, revision: number, options: BackendOptions) {
    this.#medium = medium;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#revision = revision;
    this.#lastAssigned = revision;
    this.#changeLog = new ChangeLog(revision);
  }

  static async open(medium: Medium, options: BackendOptions): Promise<Ledger> {
    return new Ledger(medium, await medium.open(), options);
  }

  async load(onRecord: (record: StoredRecord) => void): Promise<{ revision: number }> {
    while (this.#commit !== null || this.#recovery !== null) await (this.#commit ?? this.#recovery);
    if (this.#closing !== null) throw closedError();
    if (this.#failure !== null) throw this.#failure;
    if (this.#index === null) this.#buildIndex(onRecord);
    else this.#medium.scan(onRecord);
    return { revision: this.#revision };
  }

  follow(
    revision: number,
    onChanges: (changes: readonly Change[], revision: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#closing !== null) return Promise.reject(closedError());
    return this.#changeLog.follow(revision, onChanges, signal);
  }

  write(write: Write): Promise<WriteResult> {
    if (this.#closing !== null) return Promise.reject(closedError());
    if (this.#failure !== null) return Promise.reject(this.#failure);
    try {
      checkWrite(write);
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ write, resolve, reject });
      this.#start();
    });
  }

  currentRevision(): Promise<number> {
    return this.#closing === null ? Promise.resolve(this.#revision) : Promise.reject(closedError());
  }

  compact(revision: number): Promise<void> {
    this.#changeLog.compact(revision);
    return Promise.resolve();
  }

  readNote(name: string): Promise<Buffer | undefined> {
    return this.#closing === null
      ? Promise.resolve(this.#medium.readNote(name))
      : Promise.reject(closedError());
  }

  async replaceNote(name: string, change: NoteChange): Promise<boolean> {
    if (this.#closing !== null) throw closedError();
    while (this.#commit !== null || this.#recovery !== null) await (this.#commit ?? this.#recovery);
    if (this.#failure !== null) throw this.#failure;
    return this.#medium.replaceNote(name, change);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#expiryTimer?.cancel();
    this.#recoveryTimer?.cancel();
    for (const pending of this.#queue.splice(0)) pending.reject(closedError());
    await this.#commit;
    await this.#recovery;
    this.#changeLog.failAll(closedError());
    await this.#medium.close();
  }

  #buildIndex(onRecord?: (record: StoredRecord) => void): Map<string, number> {
    const index = new Map<string, number>();
    this.#medium.scan((record) => {
      index.set(record.key, record.revision);
      if (record.expiresAtMs > 0)
        this.#expiries.add({ dueMs: record.expiresAtMs, key: record.key, revision: record.revision });
      onRecord?.(record);
    });
    this.#index = index;
    this.#armExpiry();
    return index;
  }

  #start(): void {
    if (this.#gathering || this.#commit !== null) return;
    this.#gathering = true;
    this.#medium.gather(() => {
      this.#gathering = false;
      if (this.#commit === null) this.#commitNext();
    });
  }

  /** Decides the next group and commits it; again, until nothing waits. */
  #commitNext(): void {
    while (this.#queue.length > 0 && this.#failure === null && this.#closing === null) {
      const group = this.#takeGroup();
      if (group.changes.length === 0) {
        group.settle();
        continue;
      }
      this.#commit = this.#medium.commit(group.changes, this.#lastAssigned).then(
        () => {
          this.#apply(group.changes);
          group.settle();
        },
        (cause: unknown) => {
          this.#fail(group, cause);
        },
      );
      this.#commit = this.#commit.then(() => {
        this.#commit = null;
        this.#commitNext();
      });
      return;
    }
  }

  #takeGroup(): Group {
    const index = this.#index ?? this.#buildIndex();
    const group = new Group();
    const nowMs = this.#clock.nowMs();
    let bytes = 0;
    let taken = 0;
    while (taken < this.#queue.length && taken < maxGroupWrites && bytes < maxGroupBytes) {
      const pending = this.#queue[taken++]!;
      const { key, value, expect, ttlSeconds } = pending.write;
      const inGroup = group.latest.get(key);
      const revision = inGroup === undefined ? (index.get(key) ?? 0) : inGroup.value ? inGroup.revision : 0;
      if (revision !== expect) {
        group.lose(pending, inGroup === undefined && revision > 0 ? this.#medium.read(key) : inGroup);
        continue;
      }
      const expiresAtMs = value !== undefined && ttlSeconds > 0 ? nowMs + ttlSeconds * 1000 : 0;
      group.win(pending, { key, value, revision: ++this.#lastAssigned, expiresAtMs });
      bytes += value?.length ?? 0;
    }
    this.#queue.splice(0, taken);
    return group;
  }

  #apply(changes: readonly LedgerChange[]): void {
    const index = this.#index!;
    for (const change of changes) {
      if (change.value === undefined) index.delete(change.key);
      else index.set(change.key, change.revision);
      if (change.expiresAtMs > 0)
        this.#expiries.add({ dueMs: change.expiresAtMs, key: change.key, revision: change.revision });
    }
    this.#revision = changes.at(-1)!.revision;
    this.#armExpiry();
    this.#changeLog.publish(changes);
  }

  #armExpiry(): void {
    if (this.#failure !== null || this.#closing !== null) return;
    const dueMs = this.#expiries.nextDueMs;
    const nowMs = this.#clock.nowMs();
    if (dueMs === Number.POSITIVE_INFINITY) return;
    const wakeMs = Math.min(dueMs, nowMs + maxExpirySleepMs);
    if (this.#expiryTimer !== null && this.#expiryTimerAtMs <= wakeMs) return;
    this.#expiryTimer?.cancel();
    this.#expiryTimerAtMs = wakeMs;
    this.#expiryTimer = this.#clock.after(Math.max(0, wakeMs - nowMs), () => {
      this.#expiryTimer = null;
      this.#expireDue();
      this.#armExpiry();
    });
  }

  #expireDue(): void {
    const nowMs = this.#clock.nowMs();
    for (let due = this.#expiries.takeDue(nowMs); due !== undefined; due = this.#expiries.takeDue(nowMs)) {
      const { key, revision } = due;
      if (this.#index!.get(key) !== revision) continue;
      const retry = due;
      // A lost compare means that the record was written again: then it expires by its new time.
      this.write({ key, value: undefined, expect: revision, ttlSeconds: 0 }).catch(() =>
        this.#expiries.add(retry),
      );
    }
  }

  #fail(group: Group, cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const failure = new BackendUnavailable(`the store cannot commit: ${reason}`, {
      retryable: true,
      full: this.#medium.isFull(cause),
      cause,
    });
    this.#log.error('commit failed; no writes until the store has been reopened', { error: cause });
    this.#failure = failure;
    group.fail(failure);
    for (const pending of this.#queue.splice(0)) pending.reject(failure);
    this.#armRecovery(group.changes);
  }

  #armRecovery(unknown: readonly LedgerChange[]): void {
    if (this.#closing !== null) return;
    this.#recoveryTimer = this.#clock.after(recoveryDelayMs, () => {
      this.#recoveryTimer = null;
      this.#recovery = this.#recover(unknown).finally(() => {
        this.#recovery = null;
      });
    });
  }

  /** Reopens, learns whether the failed commit happened after all, and tries an empty commit. */
  async #recover(unknown: readonly LedgerChange[]): Promise<void> {
    let open = unknown;
    try {
      const revision = await this.#medium.open();
      if (open.length > 0 && revision >= open.at(-1)!.revision) this.#apply(open);
      open = [];
      await this.#medium.commit([], this.#revision);
      this.#failure = null;
      this.#log.info('the store takes writes again');
      this.#armExpiry();
    } catch (error) {
      this.#log.warn('the store still cannot commit', { error });
      this.#armRecovery(open);
    }
  }
}

/** The writes decided together and committed together, and what each of them is answered afterwards. */
class Group {
  readonly changes: LedgerChange[] = [];
  readonly latest = new Map<string, LedgerChange>();
  readonly #won: Pending[] = [];
  readonly #lost: { readonly pending: Pending; readonly current: StoredRecord | undefined }[] = [];

  win(pending: Pending, change: LedgerChange): void {
    this.changes.push(change);
    this.latest.set(change.key, change);
    this.#won.push(pending);
  }

  /** A lost compare is answered with the group: what it lost against may itself be in the group. */
  lose(pending: Pending, against: LedgerRecord | LedgerChange | undefined): void {
    const current =
      against?.value === undefined
        ? undefined
        : { key: against.key, value: against.value, revision: against.revision };
    this.#lost.push({ pending, current });
  }

  settle(): void {
    for (let i = 0; i < this.#won.length; i++)
      this.#won[i]!.resolve({ ok: true, revision: this.changes[i]!.revision });
    for (const { pending, current } of this.#lost) pending.resolve({ ok: false, current });
  }

  fail(error: Error): void {
    for (const pending of this.#won) pending.reject(error);
    for (const { pending } of this.#lost) pending.reject(error);
  }
}
