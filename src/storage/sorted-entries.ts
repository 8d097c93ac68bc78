// HOT (bench/storage.ts). The entries of one kind in key order, in chunks: a write moves at most one chunk's pointers, where one
// flat array would move all of them. A list is the chunks joined, made when asked for and kept by the caller.
import { compareKeys } from './key-order.ts';
import type { Entry } from './store.ts';

const chunkLimit = 512;

export class SortedEntries {
  /** No chunk is empty; every key of a chunk sorts before every key of the next. */
  readonly #chunks: Entry[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds the entry, or puts it in the place of the one with the same key. */
  set(entry: Entry): void {
    const chunks = this.#chunks;
    const last = chunks.at(-1);
    if (last === undefined) {
      chunks.push([entry]);
      this.#size++;
      return;
    }
    const c = Math.min(this.#chunkFor(entry.key), chunks.length - 1);
    const chunk = chunks[c]!;
    const i = lowerBound(chunk, entry.key);
    if (i < chunk.length && chunk[i]!.key === entry.key) {
      chunk[i] = entry;
      return;
    }
    this.#size++;
    // Keys that arrive in order (loading, generated names that grow) leave full chunks behind instead of half-full ones.
    if (chunk === last && i === chunk.length && chunk.length >= chunkLimit) {
      chunks.push([entry]);
      return;
    }
    chunk.splice(i, 0, entry);
    if (chunk.length > chunkLimit) chunks.splice(c + 1, 0, chunk.splice(chunk.length >> 1));
  }

  delete(key: string): void {
    const c = this.#chunkFor(key);
    const chunk = this.#chunks[c];
    if (chunk === undefined) return;
    const i = lowerBound(chunk, key);
    if (i >= chunk.length || chunk[i]!.key !== key) return;
    this.#size--;
    if (chunk.length === 1) this.#chunks.splice(c, 1);
    else chunk.splice(i, 1);
  }

  /** A new array of every entry whose key starts with `prefix`, in order. */
  under(prefix: string): Entry[] {
    const out: Entry[] = [];
    for (let c = this.#chunkFor(prefix); c < this.#chunks.length; c++) {
      const chunk = this.#chunks[c]!;
      const from = out.length === 0 ? lowerBound(chunk, prefix) : 0;
      const whole = from < chunk.length && chunk.at(-1)!.key.startsWith(prefix);
      if (whole) {
        for (let i = from; i < chunk.length; i++) out.push(chunk[i]!);
        continue;
      }
      for (let i = from; i < chunk.length; i++) {
        if (!chunk[i]!.key.startsWith(prefix)) return out;
        out.push(chunk[i]!);
      }
    }
    return out;
  }

  /** The first chunk whose last key is not before `key`; the number of chunks when there is none. */
  #chunkFor(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys(this.#chunks[middle]!.at(-1)!.key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function lowerBound(chunk: readonly Entry[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys(chunk[middle]!.key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
