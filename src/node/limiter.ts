// At most so many at once: starting pods is work for the processor, and more at a time only makes each wait longer.
import { RingQueue } from '../base/index.ts';

export class Limiter {
  readonly #max: number;
  readonly #waiting = new RingQueue<() => void>();
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
      if (next === undefined) this.#taken--;
      else next();
    };
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
