// At most so many at once: starting pods is work for the processor, and more at a time only makes each wait longer.
import { type Clock, RingQueue, sleep } from '../base/index.ts';

export class Limiter {
  readonly #max: number;
  readonly #waiting = new RingQueue<() => void>();
  readonly #whenIdle: (() => void)[] = [];
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Waits for a place. The answer gives it back; calling it twice is harmless. */
  async acquire(): Promise<() => void> {
    if (this.#taken < this.#max) this.#taken++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      // The place goes to the next in line without becoming free in between.
      const next = this.#waiting.shift();
      if (next !== undefined) next();
      else if (--this.#taken === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
    };
  }

  /** Resolves when no place is taken. */
  idle(): Promise<void> {
    return this.#taken === 0
      ? Promise.resolve()
      : new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    const release = await this.acquire();
    try {
      return await work();
    } finally {
      release();
    }
  }
}

/** Work that is nobody's concern any more and gives way to what somebody waits for, though not for ever. */
export class Leftovers {
  readonly #places: Limiter;
  readonly #first: Limiter;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;

  /** `first`: what goes before it. It ends with the signal, whatever still waits then is not done. */
  constructor(max: number, { first, clock, signal }: { first: Limiter; clock: Clock; signal: AbortSignal }) {
    this.#places = new Limiter(max);
    this.#first = first;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** Rejects with the signal's reason when that comes first. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const untilMs = this.#clock.monotonicMs() + longestMs;
    return this.#places.run(async () => {
      await this.#giveWay(untilMs - this.#clock.monotonicMs());
      return work();
    });
  }

  async #giveWay(ms: number): Promise<void> {
    if (ms <= 0) return;
    const done = new AbortController();
    const late = sleep(this.#clock, ms, AbortSignal.any([this.#signal, done.signal]));
    await Promise.race([this.#first.idle(), late]).finally(() => {
      late.catch(() => {});
      done.abort();
    });
  }
}

const longestMs = 15_000;
