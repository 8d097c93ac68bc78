// One read for everybody who waits for one. A caller gets the result of a read that began after it asked, so the answer is as fresh
// as a read of its own; at most one runs and one is next, however many ask.

export class SharedRead<T> {
  readonly #read: () => Promise<T>;
  #running: Promise<T> | null = null;
  #next: Promise<T> | null = null;

  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  read(): Promise<T> {
    if (this.#running === null) return this.#start();
    this.#next ??= this.#running
      .then(
        () => {},
        () => {},
      )
      .then(() => {
        this.#next = null;
        // One that began meanwhile began after everybody who waits here had asked.
        return this.#running ?? this.#start();
      });
    return this.#next;
  }

  #start(): Promise<T> {
    const running = this.#read().finally(() => {
      if (this.#running === running) this.#running = null;
    });
    this.#running = running;
    return running;
  }
}
