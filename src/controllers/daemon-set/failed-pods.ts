// How long a failed pod of a node stays before it is replaced: longer after each failure, since what a node refuses once it is likely to
// refuse again. Only in memory: after a restart the first replacement comes at once.
import { backoffMs } from '../../base/index.ts';

const initialMs = 1000;
const maxMs = 15 * 60_000;

interface Entry {
  failures: number;
  lastMs: number;
}

export class FailedPods {
  readonly #entries = new Map<string, Entry>();

  /** Milliseconds until a failed pod under this key may be replaced; 0 = now. */
  waitMs(key: string, nowMs: number): number {
    const entry = this.#entries.get(key);
    if (entry === undefined) return 0;
    return Math.max(0, entry.lastMs + backoffMs(entry.failures - 1, { initialMs, maxMs }) - nowMs);
  }

  /** A failed pod is being replaced. */
  note(key: string, nowMs: number): void {
    const entry = this.#entries.get(key);
    if (entry === undefined || nowMs - entry.lastMs > 2 * maxMs) {
      this.#entries.set(key, { failures: 1, lastMs: nowMs });
      return;
    }
    entry.failures++;
    entry.lastMs = nowMs;
  }

  /** Drops what has been quiet for long. */
  forgetOld(nowMs: number): void {
    for (const [key, { lastMs }] of this.#entries) if (nowMs - lastMs > 2 * maxMs) this.#entries.delete(key);
  }
}
