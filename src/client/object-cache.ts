// The objects of one informer in memory, by key and by index. HOT: 100,000 objects. Indexes are built when first asked for,
// so those that nobody uses cost nothing, and a bucket of one object is that object itself.
import { type KubeObject, keyOf } from '../machinery/index.ts';

export type IndexFunction<T> = (object: T) => readonly string[];

/** What readers see. All calls are synchronous and from memory; objects and arrays are shared: do not change them. */
export interface Lister<T extends KubeObject = KubeObject> {
  /** By `namespace/name`, or `name` when cluster-scoped. */
  get(key: string): T | undefined;
  /** Everything, or everything in a namespace. In no particular order. */
  list(namespace?: string): readonly T[];
  /** The objects for which the index function gave `value`. Throws when the kind has no such index. */
  byIndex(index: string, value: string): readonly T[];
}

type Bucket<T> = T | Map<string, T>;

class Index<T extends KubeObject> {
  readonly values: IndexFunction<T>;
  readonly #buckets = new Map<string, Bucket<T>>();

  constructor(values: IndexFunction<T>) {
    this.values = values;
  }

  find(value: string): readonly T[] {
    const bucket = this.#buckets.get(value);
    if (bucket === undefined) return none;
    return bucket instanceof Map ? [...bucket.values()] : [bucket];
  }

  put(key: string, object: T, old: T | undefined): void {
    const values = this.values(object);
    if (old !== undefined) {
      for (const value of this.values(old)) if (!values.includes(value)) this.#take(value, key);
    }
    for (const value of values) this.#set(value, key, object);
  }

  remove(key: string, old: T): void {
    for (const value of this.values(old)) this.#take(value, key);
  }

  #set(value: string, key: string, object: T): void {
    const bucket = this.#buckets.get(value);
    if (bucket === undefined) this.#buckets.set(value, object);
    else if (bucket instanceof Map) bucket.set(key, object);
    else {
      const other = keyOf(bucket);
      this.#buckets.set(
        value,
        other === key
          ? object
          : new Map([
              [other, bucket],
              [key, object],
            ]),
      );
    }
  }

  #take(value: string, key: string): void {
    const bucket = this.#buckets.get(value);
    if (bucket === undefined) return;
    if (!(bucket instanceof Map)) {
      if (keyOf(bucket) === key) this.#buckets.delete(value);
      return;
    }
    bucket.delete(key);
    if (bucket.size === 0) this.#buckets.delete(value);
  }
}

const none: readonly never[] = Object.freeze([]);
const byNamespace = (object: KubeObject): readonly string[] => [object.metadata.namespace ?? ''];

export class ObjectCache<T extends KubeObject> implements Lister<T> {
  readonly #objects = new Map<string, T>();
  readonly #functions: Map<string, IndexFunction<T>>;
  readonly #built = new Map<string, Index<T>>();
  #namespaces: Index<T> | null = null;
  #all: readonly T[] | null = null;

  constructor(indexes: Readonly<Record<string, IndexFunction<T>>> = {}) {
    this.#functions = new Map(Object.entries(indexes));
  }

  get size(): number {
    return this.#objects.size;
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): readonly T[] {
    if (namespace === undefined || namespace === '') {
      this.#all ??= [...this.#objects.values()];
      return this.#all;
    }
    this.#namespaces ??= this.#build(byNamespace);
    return this.#namespaces.find(namespace);
  }

  byIndex(index: string, value: string): readonly T[] {
    let built = this.#built.get(index);
    if (built === undefined) {
      const values = this.#functions.get(index);
      if (values === undefined) throw new Error(`no index named ${index}`);
      built = this.#build(values);
      this.#built.set(index, built);
    }
    return built.find(value);
  }

  /**
   * The same name with another function is a mistake; with the same function it is nothing new. Before the first list, naming an
   * index of the kind here saves its first reader the time of building it.
   */
  addIndex(name: string, values: IndexFunction<T>): void {
    const known = this.#functions.get(name);
    if (known !== undefined && known !== values)
      throw new Error(`there is another index named ${name} already`);
    this.#functions.set(name, values);
    // Asked for before there is anything: it grows with the objects instead of all at once later.
    if (this.#objects.size === 0 && !this.#built.has(name)) this.#built.set(name, new Index(values));
  }

  /** Returns what was there before. */
  put(key: string, object: T): T | undefined {
    const old = this.#objects.get(key);
    this.#objects.set(key, object);
    this.#all = null;
    if (this.#namespaces !== null) this.#namespaces.put(key, object, old);
    for (const index of this.#built.values()) index.put(key, object, old);
    return old;
  }

  /** Returns what was there. */
  remove(key: string): T | undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    this.#objects.delete(key);
    this.#all = null;
    if (this.#namespaces !== null) this.#namespaces.remove(key, old);
    for (const index of this.#built.values()) index.remove(key, old);
    return old;
  }

  #build(values: IndexFunction<T>): Index<T> {
    const index = new Index(values);
    for (const [key, object] of this.#objects) index.put(key, object, undefined);
    return index;
  }
}
