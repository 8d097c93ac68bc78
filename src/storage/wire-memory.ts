// HOT (bench/storage.ts). Where the bytes of versions lie. V8 marks the whole heap whenever 64 MiB of array buffers have been added to
// those that live, however many do live: with a gigabyte of objects that is a second of CPU for each 64 MiB that change. Shared array
// buffers are not counted. So of a store that holds more than 64 MiB only a share is counted, such that the heap is marked once for as
// many new bytes as the store holds: the cost for a change stays the same, and what is dead and not yet collected stays below what lives.

/** What V8 lets grow outside of its heap before it marks (kExternalAllocationSoftLimit). */
const v8LimitBytes = 64 * 1024 * 1024;

export class WireMemory {
  readonly #limitBytes: number;
  /** Bytes of the live versions and of those that history keeps. */
  #held = 0;
  /** Bytes that V8 should have been told of, and has not. */
  #owed = 0;

  /** `limitBytes`: from how many held bytes on only a share is counted. */
  constructor(limitBytes = v8LimitBytes) {
    this.#limitBytes = limitBytes;
  }

  /** The store holds this many bytes more (less, when negative). */
  hold(bytes: number): void {
    this.#held += bytes;
  }

  /**
   * A buffer with memory of its own: versions live from milliseconds to months, and a slice of Node's shared 8 KiB pool would keep
   * all its neighbours alive. Its content is undefined. It is written once, before anybody else sees it.
   */
  readonly allocate = (length: number): Buffer => {
    if (this.#held > this.#limitBytes) {
      this.#owed += (length * this.#limitBytes) / this.#held;
      if (this.#owed < length) return Buffer.from(new SharedArrayBuffer(length));
      this.#owed -= length;
    }
    return Buffer.allocUnsafeSlow(length);
  };
}
