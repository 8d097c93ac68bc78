// Long synchronous work in slices: lets the event loop breathe so that requests, watches and timers are not held up.
import type { Clock } from './clock.ts';

/** How long work may hold the event loop before it must yield. */
export const sliceMs = 8;

/**
 * Counts a slice of work. `if (pause.due) await pause.now();` in a loop keeps each slice near 8 ms. Under a clock that stands
 * still it is never due, which keeps tests in step.
 */
export class Pause {
  readonly #clock: Clock;
  #startMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.monotonicMs();
  }

  get due(): boolean {
    return this.#clock.monotonicMs() - this.#startMs >= sliceMs;
  }

  /** Lets everything else that is ready run, then starts the next slice. */
  async now(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#startMs = this.#clock.monotonicMs();
  }
}

/**
 * Work that comes in many small pieces from many callers: `due` says that what was done in this turn of the event loop has taken a
 * slice. Under a clock that stands still it is never due.
 */
export class TurnBudget {
  readonly #clock: Clock;
  #startMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asked before each piece; the first question of a turn starts its slice. */
  get due(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (this.#startMs === undefined) {
      this.#startMs = nowMs;
      setImmediate(() => {
        this.#startMs = undefined;
      });
    }
    return nowMs - this.#startMs >= sliceMs;
  }
}
