// What the API server sees of storage: every live record in memory as the bytes that go over the wire, the recent history,
// and watches. One implementation (revision-store.ts) over any Backend.

/**
 * One version of one record. HOT: list, get and watch hand out `wire` as it is.
 * `wire` is the stored value with the revision spliced in as the first member of metadata:
 * `{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"42",…`.
 */
export class Entry {
  readonly key: string;
  readonly wire: Buffer;
  readonly revision: number;
  /**
   * The decoded, frozen object; null until somebody needs it. Filled in and read by the API server only. Set back to null
   * once the version is about a thousand changes old and either superseded or of a kind whose objects no watcher keeps
   * (`StoreWatcher.keepsObjects`), so decode again when it is null.
   */
  object: unknown;
  /** A slot for what the API server derives once per version (a Table row, a watch frame); null until needed; as `object`. */
  derived: unknown;

  constructor(key: string, wire: Buffer, revision: number) {
    this.key = key;
    this.wire = wire;
    this.revision = revision;
    this.object = null;
    this.derived = null;
  }
}

/** One change as watchers see it. For a deletion `entry` is the last state, carrying the revision of the deletion. */
export interface StoreEvent {
  readonly type: 'put' | 'delete';
  readonly entry: Entry;
  /** The state before; undefined = created. */
  readonly previous: Entry | undefined;
}

export interface StoreWatcher {
  /** It keeps the decoded objects for as long as they live: those of its kind are not forgotten, or there would be two of each. */
  readonly keepsObjects?: boolean | undefined;
  /** Events in order of revision, as many as there are. Synchronous; must not throw. */
  onEvents(events: readonly StoreEvent[]): void;
  /** The watch cannot be continued (its onEvents threw, or revisions went back under us). Called at most once, then nothing more. */
  onLost(): void;
}

export type CommitResult =
  /** The new version; for a deletion the last state, carrying the revision of the deletion. */
  | { readonly ok: true; readonly entry: Entry | undefined }
  /** Somebody else was first; `current` is what is there now. */
  | { readonly ok: false; readonly current: Entry | undefined };

export interface Store {
  /** Other servers may write to the same records: what only one may do needs a compare, not a map in memory. */
  readonly shared: boolean;
  /** The revision that reads see now. Never goes back. */
  readonly revision: number;
  /** The oldest revision from which a watch can still continue. */
  readonly oldestRevision: number;
  get(key: string): Entry | undefined;
  /** Every entry under `prefix`, in key order (byte order of UTF-8), as of now. The array is shared: do not change it. */
  list(prefix: string): readonly Entry[];
  /**
   * The entries under `prefix` as they were at `revision` (for pages after the first). Throws Compacted when older than
   * oldestRevision, or than the store was told to keep lists for.
   */
  listAt(prefix: string, revision: number): readonly Entry[];
  count(prefix: string): number;
  /** Resolves once reads see at least `revision`. Rejects when the signal aborts. */
  waitFor(revision: number, signal?: AbortSignal): Promise<void>;
  /** Learns the newest revision of the backend and waits for it: after this, reads are linearizable. */
  catchUp(): Promise<void>;
  /**
   * Compare and set; resolves when durable and visible to reads and watches here. `value` lacks the resourceVersion;
   * undefined deletes. `expect` 0 = must not exist. `object`, if given, becomes `entry.object` of the new version.
   */
  commit(write: {
    key: string;
    value: Buffer | undefined;
    expect: number;
    ttlSeconds?: number;
    /**
     * Called with the revision once it is known, before anybody sees the entry. With a remote backend it may also be called
     * for another process's write of the very same bytes, so it must be pure.
     */
    object?: (revision: number) => unknown;
  }): Promise<CommitResult>;
  /**
   * Delivers every change under `prefix` with a revision above `after`, starting with those already in history (synchronously,
   * before returning). Throws Compacted when they are gone. Returns the function that ends the watch.
   */
  watch(prefix: string, after: number, watcher: StoreWatcher): () => void;
  /**
   * Up to `limit` changes under `prefix` from history, in order, the first after `after`: for whoever has fallen far behind and
   * takes them piece by piece. Throws Compacted when they are gone.
   */
  changesAfter(prefix: string, after: number, limit: number): readonly StoreEvent[];
  /** Forgets history up to `revision` here and in the backend; running watches go on. */
  compact(revision: number): Promise<void>;
  /** Ends watches silently, rejects what waits, and closes the backend. Idempotent. */
  close(): Promise<void>;
}
