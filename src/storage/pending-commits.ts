// The writes of this process that are on their way. HOT. What the backend tells of is not said to be ours, so it is compared: the
// same key, the same bytes, over the version that was expected.
import type { Entry } from './store.ts';

/** What `claim` gives the new version when it is seen. */
export interface PendingCommit {
  readonly value: Buffer | undefined;
  readonly expect: number;
  readonly object: ((revision: number) => unknown) | undefined;
  entry: Entry | null;
}

export class PendingCommits {
  readonly #byKey = new Map<string, PendingCommit[]>();

  add(key: string, pending: PendingCommit): void {
    const queue = this.#byKey.get(key);
    if (queue === undefined) this.#byKey.set(key, [pending]);
    else queue.push(pending);
  }

  remove(key: string, pending: PendingCommit): void {
    const queue = this.#byKey.get(key)!;
    if (queue.length === 1) this.#byKey.delete(key);
    else queue.splice(queue.indexOf(pending), 1);
  }

  /** Finds the write of ours that made this version over the one of revision `before`, if one did, and lets it provide the object. */
  claim(entry: Entry, value: Buffer | undefined, before: number): void {
    const pending = this.#byKey
      .get(entry.key)
      ?.find(
        (p) =>
          p.entry === null &&
          p.expect === before &&
          (p.value === value || (p.value !== undefined && value !== undefined && p.value.equals(value))),
      );
    if (pending === undefined) return;
    pending.entry = entry;
    if (pending.object !== undefined) entry.object = pending.object(entry.revision);
  }
}
