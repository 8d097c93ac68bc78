// The followers of an embedded backend and the last few changes, for one that starts a moment late. Short on purpose: the store
// above keeps the real history, and followers are handed every commit as it happens, so none can fall behind.
import { type Change, Compacted } from './backend.ts';

interface Follower {
  after: number;
  readonly onChanges: (changes: readonly Change[], revision: number) => void;
  readonly fail: (error: Error) => void;
}

export interface ChangeLogLimits {
  readonly changes: number;
  readonly bytes: number;
}

const defaultLimits: ChangeLogLimits = { changes: 1000, bytes: 4 * 1024 * 1024 };

export class ChangeLog {
  readonly #limits: ChangeLogLimits;
  readonly #followers = new Set<Follower>();
  #changes: Change[] = [];
  #bytes = 0;
  /** Changes up to here are gone. */
  #floor: number;
  #revision: number;

  constructor(revision: number, limits: ChangeLogLimits = defaultLimits) {
    this.#floor = revision;
    this.#revision = revision;
    this.#limits = limits;
  }

  /** Hands one commit to every follower, before it returns. */
  publish(changes: readonly Change[]): void {
    this.#revision = changes.at(-1)!.revision;
    for (const change of changes) {
      this.#changes.push(change);
      this.#bytes += change.value?.length ?? 0;
    }
    // Trimmed in blocks, so that the cost per change stays constant.
    if (this.#changes.length > 2 * this.#limits.changes || this.#bytes > 2 * this.#limits.bytes) this.#trim();
    for (const follower of this.#followers) this.#deliver(follower, changes);
  }

  follow(
    after: number,
    onChanges: (changes: readonly Change[], revision: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    if (after < this.#floor) return Promise.reject(new Compacted(this.#floor));
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#followers.delete(follower);
        signal.removeEventListener('abort', abort);
      };
      const abort = () => {
        end();
        resolve();
      };
      const follower: Follower = {
        after,
        onChanges,
        fail: (error) => {
          end();
          reject(error);
        },
      };
      signal.addEventListener('abort', abort);
      this.#deliver(follower, this.#changes);
      this.#followers.add(follower);
    });
  }

  compact(revision: number): void {
    this.#floor = Math.max(this.#floor, Math.min(revision, this.#revision));
    this.#drop(this.#changes.filter((change) => change.revision > this.#floor));
  }

  /** Ends every follower with this error. */
  failAll(error: Error): void {
    for (const follower of [...this.#followers]) follower.fail(error);
  }

  #deliver(follower: Follower, changes: readonly Change[]): void {
    const first = changes[0];
    if (first === undefined) return;
    const due =
      first.revision > follower.after ? changes : changes.filter((c) => c.revision > follower.after);
    if (due.length === 0) return;
    follower.after = due.at(-1)!.revision;
    follower.onChanges(due === this.#changes ? [...due] : due, follower.after);
  }

  #trim(): void {
    let from = Math.max(0, this.#changes.length - this.#limits.changes);
    let bytes = 0;
    for (let i = this.#changes.length - 1; i >= from; i--) {
      bytes += this.#changes[i]!.value?.length ?? 0;
      if (bytes > this.#limits.bytes) from = i + 1;
    }
    if (from > 0) this.#floor = this.#changes[from - 1]!.revision;
    this.#drop(this.#changes.slice(from));
  }

  #drop(kept: Change[]): void {
    this.#changes = kept;
    this.#bytes = kept.reduce((sum, change) => sum + (change.value?.length ?? 0), 0);
  }
}
