// HOT (bench/storage.ts). Everything of one kind (one prefix of two segments): its entries in order, its part of the history, and
// the lists made from them. A list is made when asked for and stays until something under its prefix changes.
import { EventQueue } from './event-queue.ts';
import { compareKeys, namespacePrefixOf } from './key-order.ts';
import { SortedEntries } from './sorted-entries.ts';
import type { Entry } from './store.ts';

const maxCachedLists = 1024;
const maxPastLists = 16;

interface PastList {
  readonly prefix: string;
  readonly revision: number;
  readonly entries: readonly Entry[];
}

export class KindShelf {
  readonly prefix: string;
  readonly history = new EventQueue();
  readonly #entries = new SortedEntries();
  /** By prefix: of the kind, and of namespaces. Other prefixes are not kept. */
  readonly #lists = new Map<string, readonly Entry[]>();
  /** Lists of the past, which never change; the pages of one LIST share one. Newest last. */
  #past: PastList[] = [];

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  get size(): number {
    return this.#entries.size;
  }

  set(entry: Entry): void {
    this.#entries.set(entry);
    this.#forgetLists(entry.key);
  }

  delete(key: string): void {
    this.#entries.delete(key);
    this.#forgetLists(key);
  }

  /** `prefix` starts with the shelf's own. */
  list(prefix: string): readonly Entry[] {
    const known = this.#lists.get(prefix);
    if (known !== undefined) return known;
    const list = this.#entries.under(prefix);
    if (prefix === this.prefix || prefix === namespacePrefixOf(prefix, this.prefix)) {
      if (this.#lists.size >= maxCachedLists) this.#lists.clear();
      this.#lists.set(prefix, list);
    }
    return list;
  }

  /** As of `revision`, which history still reaches: the present with every later change undone. */
  listAt(prefix: string, revision: number): readonly Entry[] {
    const first = this.history.indexAfter(revision);
    if (first === this.history.length) return this.list(prefix);
    const known = this.#past.find((list) => list.revision === revision && list.prefix === prefix);
    if (known !== undefined) return known.entries;
    // The first change of a key after `revision` knows its state at `revision`.
    const then = new Map<string, Entry | undefined>();
    for (let i = first; i < this.history.length; i++) {
      const { entry, previous } = this.history.at(i)!;
      if (entry.key.startsWith(prefix) && !then.has(entry.key)) then.set(entry.key, previous);
    }
    const entries = this.list(prefix).filter((entry) => !then.has(entry.key));
    const before = entries.length;
    for (const entry of then.values()) if (entry !== undefined) entries.push(entry);
    if (entries.length > before) entries.sort((a, b) => compareKeys(a.key, b.key));
    this.#past.push({ prefix, revision, entries });
    if (this.#past.length > maxPastLists) this.#past.shift();
    return entries;
  }

  /** Lists older than what history reaches will not be asked for again. */
  forgetPast(oldestRevision: number): void {
    if (this.#past.length > 0) this.#past = this.#past.filter((list) => list.revision >= oldestRevision);
  }

  #forgetLists(key: string): void {
    if (this.#lists.size === 0) return;
    this.#lists.delete(this.prefix);
    const namespace = namespacePrefixOf(key, this.prefix);
    if (namespace !== undefined) this.#lists.delete(namespace);
  }
}
