// A clock that moves only when told to. The fake of `Clock`.
import type { Clock, Timer } from './clock.ts';

interface Pending {
  dueMs: number;
  order: number;
  run: () => void;
}

export class FakeClock implements Clock {
  #nowMs: number;
  #order = 0;
  #pending: Pending[] = [];

  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const entry: Pending = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run };
    this.#pending.push(entry);
    return {
      cancel: () => {
        const at = this.#pending.indexOf(entry);
        if (at >= 0) this.#pending.splice(at, 1);
      },
    };
  }

  /** How many timers wait: a test that ends with some has left work behind. */
  get waiting(): number {
    return this.#pending.length;
  }

  /**
   * Moves time forward by `ms`, running what falls due in order of time. Between timers it lets pending promises
   * run, so that work started by one timer is seen by the next.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      let next: Pending | undefined;
      for (const p of this.#pending) {
        if (p.dueMs > endMs) continue;
        if (next === undefined || p.dueMs < next.dueMs || (p.dueMs === next.dueMs && p.order < next.order))
          next = p;
      }
      if (next === undefined) break;
      this.#pending.splice(this.#pending.indexOf(next), 1);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.run();
      await settle();
    }
    this.#nowMs = endMs;
    await settle();
  }
}

/** Lets promise callbacks and immediates that are ready now run to rest. */
export async function settle(rounds = 3): Promise<void> {
  for (let i = 0; i < rounds; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
