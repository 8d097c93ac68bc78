// At most so many at once: starting pods is work for the processor, and more at a time only makes each wait longer.
import { RingQueue } from '../base/index.ts';

export class Limiter {
  readonly #max: number;
  readonly #waiting = new RingQueue<() => void>();
  #running = 0;

  constructor(max: number) {
    this.#max = max;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#max) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await work();
    } finally {
      // The place goes to the next in line without becoming free in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
