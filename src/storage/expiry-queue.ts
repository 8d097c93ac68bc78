// What expires when: a binary heap by time. Nothing is ever taken out early; a record that was written again simply no longer has
// the revision that its old place in the heap names, and is skipped when its time comes.

interface Expiry {
  readonly dueMs: number;
  readonly key: string;
  readonly revision: number;
}

export class ExpiryQueue {
  readonly #heap: Expiry[] = [];

  /** Wall-clock milliseconds of the earliest; Infinity when empty. */
  get nextDueMs(): number {
    return this.#heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  add(expiry: Expiry): void {
    const heap = this.#heap;
    let at = heap.push(expiry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.dueMs <= expiry.dueMs) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = expiry;
  }

  /** Takes out the earliest if it is due. */
  takeDue(nowMs: number): Expiry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.dueMs > nowMs) return undefined;
    const moved = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.dueMs < heap[child]!.dueMs) child++;
      if (heap[child]!.dueMs >= moved.dueMs) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moved;
    return first;
  }
}
