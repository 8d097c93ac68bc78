// The backend for tests and throw-away clusters: a ledger whose medium is a map. Everything is lost with the process.

import { type BackendOptions, isSameNote, type NoteChange, type NotedBackend } from './backend.ts';
import { compareKeys } from './key-order.ts';
import { Ledger, type LedgerChange, type LedgerRecord, type Medium } from './ledger.ts';

export class MemoryMedium implements Medium {
  readonly #records = new Map<string, LedgerRecord>();
  readonly #notes = new Map<string, Buffer>();
  #revision = 0;

  open(): Promise<number> {
    return Promise.resolve(this.#revision);
  }

  scan(onRecord: (record: LedgerRecord) => void): void {
    const sorted = [...this.#records.values()].sort((a, b) => compareKeys(a.key, b.key));
    for (const record of sorted) onRecord(record);
  }

  read(key: string): LedgerRecord | undefined {
    return this.#records.get(key);
  }

  commit(changes: readonly LedgerChange[], revision: number): Promise<void> {
    for (const { key, value, revision: at, expiresAtMs } of changes) {
      if (value === undefined) this.#records.delete(key);
      else this.#records.set(key, { key, value, revision: at, expiresAtMs });
    }
    this.#revision = revision;
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  isFull(): boolean {
    return false;
  }

  readNote(name: string): Buffer | undefined {
    return this.#notes.get(name);
  }

  replaceNote(name: string, { from, to }: NoteChange): Promise<boolean> {
    if (!isSameNote(this.#notes.get(name), from)) return Promise.resolve(false);
    if (to === undefined) this.#notes.delete(name);
    else this.#notes.set(name, to);
    return Promise.resolve(true);
  }

  /** Nothing to wait for: tests on a fake clock want the answer in the same turn. */
  gather(start: () => void): void {
    queueMicrotask(start);
  }
}

export function createMemoryBackend(options: BackendOptions): Promise<NotedBackend> {
  return Ledger.open(new MemoryMedium(), options);
}
