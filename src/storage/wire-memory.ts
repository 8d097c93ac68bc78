// HOT (bench/storage.ts). Where the bytes of versions lie, and when V8 is asked to look for those that are dead.
//
// V8 counts array buffers. Once 64 MiB more of them live than after the last marking it marks the whole heap again, and until it is
// through every new array buffer has it mark for 5 to 10 ms more before anything else runs. That is right for few large buffers. A
// store is many small ones: with a gigabyte of objects it was a second of CPU for each 64 MiB written, in which answers took a second.
// Shared array buffers are not counted. So versions lie in those, and V8 is asked here: when a part of what the store holds was written
// anew. The cost of a write then does not grow with the store, and what is dead stays a part of what lives.

/** What V8 lets grow outside of its heap before it marks (kExternalAllocationSoftLimit). */
const v8LimitBytes = 64 * 1024 * 1024;
/** A small store is marked no more often than this many bytes are written. */
const leastBytes = 32 * 1024 * 1024;

/** Has V8 begin to mark: it counts this buffer at once, and no more when the young have been collected. Nobody writes to it: it has no pages. */
function askForMarking(): void {
  void new ArrayBuffer(v8LimitBytes);
}

export class WireMemory {
  readonly #mark: () => void;
  #heldBytes = 0;
  #writtenBytes = 0;

  /** `mark` begins a collection of everything, beside the program. */
  constructor(mark: () => void = askForMarking) {
    this.#mark = mark;
  }

  /** The store holds this many bytes more (less, when negative): live versions, and those that history keeps. */
  hold(bytes: number): void {
    this.#heldBytes += bytes;
  }

  /**
   * Zeroed bytes of their own: versions live from milliseconds to months, and a slice of Node's shared 8 KiB pool would keep all its
   * neighbours alive. Written once, before anybody else sees them.
   */
  readonly allocate = (length: number): Buffer => {
    this.#writtenBytes += length;
    if (this.#writtenBytes >= leastBytes && this.#writtenBytes >= this.#heldBytes / 2) {
      this.#writtenBytes = 0;
      this.#mark();
    }
    return Buffer.from(new SharedArrayBuffer(length));
  };
}
