// HOT. A queue of changes in order of revision: added at the end, dropped from the front, searched by revision. Dropping moves a
// mark; the array is cut when half of it is behind the mark, so every operation costs the same on average.
import type { StoreEvent } from './store.ts';

export class EventQueue {
  #events: (StoreEvent | null)[] = [];
  #head = 0;

  get length(): number {
    return this.#events.length - this.#head;
  }

  at(index: number): StoreEvent | undefined {
    return this.#events[this.#head + index] ?? undefined;
  }

  push(event: StoreEvent): void {
    this.#events.push(event);
  }

  shift(): StoreEvent | undefined {
    const event = this.#events[this.#head];
    if (event === undefined || event === null) return undefined;
    this.#events[this.#head++] = null;
    if (this.#head > 32 && this.#head * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
    return event;
  }

  /** The index of the first change above `revision`; `length` when there is none. */
  indexAfter(revision: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at(middle)!.entry.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
