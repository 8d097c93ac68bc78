// At most so many at once: starting pods is work for the processor, and more at a time only makes each wait longer.
import { type Clock, RingQueue, sleep } from '../base/index.ts';

export class Limiter {
  readonly #max: number;
  readonly #waiting = new RingQueue<() => void>();
  readonly #whenIdle: (() => void)[] = [];
  #taken = 0;
  /** How many places were taken so far. */
  acquired = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Waits for a place. The answer gives it back; calling it twice is harmless. */
  async acquire(): Promise<() => void> {
    if (this.#taken < this.#max) this.#taken++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.acquired++;
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

  get isIdle(): boolean {
    return this.#taken === 0;
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

/**
 * Work that is nobody's concern any more and gives way to what somebody waits for, though not for ever, and not when much of it has
 * gathered: what it is about holds memory and addresses.
 */
export class Leftovers {
  readonly #places: Limiter;
  readonly #first: Limiter;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #mostWaiting: number;
  #waiting = 0;
  #disturbances = 0;
  /** How much had begun when nothing more did. */
  #quietAt = 0;
  /** Aborted when too many wait. */
  #crowd = new AbortController();

  /**
   * `first`: what goes before it. It ends with the signal, whatever still waits then is not done. `mostWaiting`: when more wait, the oldest
   * of them go ahead.
   */
  constructor(
    max: number,
    options: { first: Limiter; clock: Clock; signal: AbortSignal; mostWaiting?: number | undefined },
  ) {
    this.#places = new Limiter(max);
    this.#first = options.first;
    this.#clock = options.clock;
    this.#signal = options.signal;
    this.#mostWaiting = options.mostWaiting ?? 32;
  }

  /** Something else that somebody waits for has begun or ended, and may not be the last of its kind. */
  disturb(): void {
    this.#disturbances++;
  }

  /** Rejects with the signal's reason when that comes first. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const untilMs = this.#clock.monotonicMs() + longestMs;
    this.#waiting++;
    if (this.#isCrowded) this.#crowd.abort();
    return this.#places.run(async () => {
      try {
        await this.#giveWay(untilMs);
      } finally {
        this.#waiting--;
      }
      return work();
    });
  }

  get #begun(): number {
    return this.#first.acquired + this.#disturbances;
  }

  get #isCrowded(): boolean {
    return this.#waiting > this.#mostWaiting;
  }

  async #giveWay(untilMs: number): Promise<void> {
    const first = this.#first;
    for (;;) {
      const leftMs = untilMs - this.#clock.monotonicMs();
      if (leftMs <= 0 || this.#isCrowded || (first.isIdle && this.#begun === this.#quietAt)) return;
      if (!first.isIdle) {
        await this.#idleWithin(leftMs);
        continue;
      }
      const seen = this.#begun;
      await sleep(this.#clock, Math.min(quietMs, leftMs), this.#signal);
      if (first.isIdle && this.#begun === seen) this.#quietAt = seen;
    }
  }

  /** Or until there are too many. Rejects with the signal's reason. */
  async #idleWithin(ms: number): Promise<void> {
    if (this.#crowd.signal.aborted) this.#crowd = new AbortController();
    const crowd = this.#crowd.signal;
    const done = new AbortController();
    const late = sleep(this.#clock, ms, AbortSignal.any([this.#signal, done.signal, crowd]));
    await Promise.race([this.#first.idle(), late])
      .catch((error: unknown) => {
        if (!crowd.aborted || this.#signal.aborted) throw error;
      })
      .finally(() => {
        late.catch(() => {});
        done.abort();
      });
  }
}

const longestMs = 60_000;
/** Longer than the pause in which one pod of a rollout is ready and the next has not been placed yet. */
const quietMs = 500;
