// Reads that several callers share: one that begins after all of them asked. While one is under way, those who ask wait for the next,
// since what they heard of may be younger than the answer that is coming.
export class SharedReads<T> {
  readonly #fetch: (key: string) => Promise<T>;
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #next = new Map<string, Promise<T>>();

  constructor(fetch: (key: string) => Promise<T>) {
    this.#fetch = fetch;
  }

  /** What is there at some time after this call. */
  read(key: string): Promise<T> {
    let next = this.#next.get(key);
    if (next === undefined) {
      next = this.#begin(key);
      this.#next.set(key, next);
    }
    return next;
  }

  async #begin(key: string): Promise<T> {
    // Also gives those who ask in the same turn the time to join.
    await this.#running.get(key)?.catch(() => {});
    const running = this.#fetch(key);
    this.#next.delete(key);
    this.#running.set(key, running);
    try {
      return await running;
    } finally {
      if (this.#running.get(key) === running) this.#running.delete(key);
    }
  }
}
