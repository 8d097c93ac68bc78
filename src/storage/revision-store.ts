// HOT (bench/storage.ts). The one Store, over any Backend: every live record in memory as its wire bytes, indexed by kind, with the
// recent history. It changes in one place only, `#apply`, which is fed by the backend's order of changes; its own writes come back
// that way too, so readers, watchers and writers all see the same order.
import { type Clock, type Log, type MetricRegistry, Scope, sleep } from '../base/index.ts';
import { type Backend, BackendUnavailable, type Change, Compacted, type StoredRecord } from './backend.ts';
import { History } from './history.ts';
import { compareKeys, kindPrefixOf } from './key-order.ts';
import { KindShelf } from './kind-shelf.ts';
import { type PendingCommit, PendingCommits } from './pending-commits.ts';
import { RevisionWaiters } from './revision-waiters.ts';
import { type CommitResult, Entry, type Store, type StoreEvent, type StoreWatcher } from './store.ts';
import { StoreMetrics, type WriteOperation } from './store-metrics.ts';
import { WatchTable } from './watch-table.ts';
import { type Allocate, hasMetadata, respliceRevision, spliceRevision } from './wire.ts';
import { WireMemory } from './wire-memory.ts';

export interface StoreOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** undefined = nothing is counted. */
  readonly metrics?: MetricRegistry | undefined;
  /** How many changes history keeps at most. Default 100,000. */
  readonly historyRevisions?: number;
  /** How many bytes of superseded versions history keeps at most. Default 64 MiB. */
  readonly historyBytes?: number;
  /** Lists of the past can be asked for one to two times as long. Default 0: as far back as history reaches. */
  readonly pastListsMs?: number;
}

const retryDelayMs = 500;
/** How long what is committed may take to become visible here: far longer than it ever does while the backend answers. */
const visibleTimeoutMs = 10_000;
const noEntries: readonly Entry[] = Object.freeze([]);

/** Loads everything from `backend` and follows it. The store owns the backend from here on. */
export async function createStore(backend: Backend, options: StoreOptions): Promise<Store> {
  const entries: Entry[] = [];
  const memory = new WireMemory();
  const { revision } = await backend.load((record) => {
    const entry = entryOf(record, memory.allocate);
    memory.hold(entry.wire.length);
    entries.push(entry);
  });
  return new RevisionStore(backend, options, { revision, entries, memory });
}

function entryOf(record: StoredRecord, allocate: Allocate): Entry {
  try {
    const wire = spliceRevision(record.value, record.revision, allocate);
    return new Entry(record.key, wire, record.revision);
  } catch (cause) {
    throw new Error(`the stored record ${record.key} cannot be read`, { cause });
  }
}

class RevisionStore implements Store {
  readonly #backend: Backend;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #scope: Scope;
  readonly #byKey = new Map<string, Entry>();
  readonly #shelves = new Map<string, KindShelf>();
  readonly #history: History;
  readonly #watches: WatchTable;
  readonly #pending = new PendingCommits();
  readonly #waiters = new RevisionWaiters();
  readonly #metrics: StoreMetrics | null;
  readonly #memory: WireMemory;
  #revision: number;
  #oldestList = 0;
  #closing: Promise<void> | null = null;

  constructor(
    backend: Backend,
    options: StoreOptions,
    loaded: { readonly revision: number; readonly entries: readonly Entry[]; readonly memory: WireMemory },
  ) {
    this.#backend = backend;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#scope = new Scope(options.log);
    this.#metrics = options.metrics === undefined ? null : new StoreMetrics(options.metrics, options.clock);
    this.#memory = loaded.memory;
    this.#revision = loaded.revision;
    this.#watches = new WatchTable(options.log);
    this.#history = new History(
      loaded.revision,
      { revisions: options.historyRevisions ?? 100_000, bytes: options.historyBytes ?? 64 * 1024 * 1024 },
      {
        shelfOf: (key) => this.#shelf(kindPrefixOf(key)),
        isKept: (kindPrefix) => this.#watches.keepsObjects(kindPrefix),
        onReleased: (bytes) => this.#memory.hold(-bytes),
      },
    );
    for (const entry of loaded.entries) {
      this.#byKey.set(entry.key, entry);
      this.#shelf(kindPrefixOf(entry.key)).set(entry);
    }
    this.#scope.run('follow the backend', (signal) => this.#follow(signal));
    const { pastListsMs = 0 } = options;
    if (pastListsMs > 0)
      this.#scope.run('forget past lists', (signal) => this.#forgetPastLists(pastListsMs, signal));
  }

  get revision(): number {
    return this.#revision;
  }

  get shared(): boolean {
    return this.#backend.shared;
  }

  get oldestRevision(): number {
    return this.#history.oldestRevision;
  }

  get(key: string): Entry | undefined {
    return this.#byKey.get(key);
  }

  list(prefix: string): readonly Entry[] {
    // HOT: admission asks for whole kinds of which there is nothing, several times a write.
    if (isKindPrefix(prefix)) return this.#shelves.get(prefix)?.list(prefix) ?? noEntries;
    return this.#gather(prefix, (shelf) =>
      shelf.list(prefix.length > shelf.prefix.length ? prefix : shelf.prefix),
    );
  }

  listAt(prefix: string, revision: number): readonly Entry[] {
    const oldest = Math.max(this.#history.oldestRevision, this.#oldestList);
    if (revision < oldest) throw new Compacted(oldest);
    if (revision > this.#revision)
      throw new RangeError(`revision ${revision} has not been reached: wait for it first`);
    return this.#gather(prefix, (shelf) => {
      shelf.forgetPast(oldest);
      return shelf.listAt(prefix.length > shelf.prefix.length ? prefix : shelf.prefix, revision);
    });
  }

  count(prefix: string): number {
    const shelf = this.#shelves.get(prefix);
    return shelf !== undefined && isKindPrefix(prefix) ? shelf.size : this.list(prefix).length;
  }

  waitFor(revision: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#revision >= revision) return Promise.resolve();
    if (this.#closing !== null) return Promise.reject(new Error('the store is closed'));
    return this.#waiters.wait(revision, signal);
  }

  async catchUp(): Promise<void> {
    const revision = await this.#backend.currentRevision();
    if (this.#revision < revision) await this.#seen(revision);
  }

  async commit(write: {
    key: string;
    value: Buffer | undefined;
    expect: number;
    ttlSeconds?: number;
    object?: (revision: number) => unknown;
  }): Promise<CommitResult> {
    const { key, value, expect } = write;
    if (value !== undefined && !hasMetadata(value)) throw new TypeError('the value has no metadata object');
    // Revisions only grow, so a newer one here means the compare is lost already. (A record that is here although it must not
    // exist may have been deleted where we do not see it yet: only the backend knows.)
    const known = this.#byKey.get(key);
    if (known !== undefined && expect > 0 && known.revision > expect) return { ok: false, current: known };

    const pending: PendingCommit = { value, expect, object: write.object, entry: null };
    this.#pending.add(key, pending);
    try {
      const record = { key, value, expect, ttlSeconds: write.ttlSeconds ?? 0 };
      const result =
        this.#metrics === null
          ? await this.#backend.write(record)
          : await this.#metrics.write(kindPrefixOf(key), operationOf(record), () =>
              this.#backend.write(record),
            );
      if (!result.ok) return { ok: false, current: await this.#currentOf(result.current) };
      if (this.#revision < result.revision) await this.#seen(result.revision);
      return { ok: true, entry: this.#entryAt(key, result.revision, pending) };
    } finally {
      this.#pending.remove(key, pending);
    }
  }

  watch(prefix: string, after: number, watcher: StoreWatcher): () => void {
    const replay = this.changesAfter(prefix, after, Number.POSITIVE_INFINITY);
    return this.#watches.add(prefix, after, { watcher, replay });
  }

  changesAfter(prefix: string, after: number, limit: number): readonly StoreEvent[] {
    if (after < this.#history.oldestRevision) throw new Compacted(this.#history.oldestRevision);
    const found: StoreEvent[] = [];
    if (after >= this.#revision) return found;
    let shelves = 0;
    for (const { history } of this.#shelvesOf(prefix)) {
      const before = found.length;
      for (let i = history.indexAfter(after); i < history.length && found.length - before < limit; i++) {
        const event = history.at(i)!;
        if (event.entry.key.startsWith(prefix)) found.push(event);
      }
      if (found.length > before) shelves++;
    }
    if (shelves > 1) found.sort((a, b) => a.entry.revision - b.entry.revision);
    return found.length > limit ? found.slice(0, limit) : found;
  }

  async compact(revision: number): Promise<void> {
    await this.#backend.compact(revision);
    this.#history.dropThrough(Math.min(revision, this.#revision));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#watches.endAll('silently');
    await this.#scope.stop();
    await this.#backend.close();
    this.#waiters.rejectAll(new Error('the store is closed'));
  }

  #shelf(prefix: string): KindShelf {
    let shelf = this.#shelves.get(prefix);
    if (shelf === undefined) this.#shelves.set(prefix, (shelf = new KindShelf(prefix)));
    return shelf;
  }

  /** The shelves that may hold keys under `prefix`: one, unless the prefix is shorter than that of a kind. */
  #shelvesOf(prefix: string): KindShelf[] {
    const kind = kindPrefixOf(prefix);
    if (isKindPrefix(kind)) {
      const shelf = this.#shelves.get(kind);
      return shelf === undefined ? [] : [shelf];
    }
    return [...this.#shelves.values()].filter(
      (shelf) => shelf.prefix.startsWith(prefix) || prefix.startsWith(shelf.prefix),
    );
  }

  #gather(prefix: string, listOf: (shelf: KindShelf) => readonly Entry[]): readonly Entry[] {
    const shelves = this.#shelvesOf(prefix);
    if (shelves.length === 0) return noEntries;
    if (shelves.length === 1) return listOf(shelves[0]!);
    return shelves.flatMap(listOf).sort((a, b) => compareKeys(a.key, b.key));
  }

  /** Waits for what the backend has said it has. Only a stream of changes that is broken keeps it away, so not for ever. */
  async #seen(revision: number): Promise<void> {
    const late = new AbortController();
    const timer = this.#clock.after(visibleTimeoutMs, () =>
      late.abort(
        new BackendUnavailable(`the changes up to revision ${revision} have not arrived here`, {
          retryable: true,
        }),
      ),
    );
    try {
      await this.waitFor(revision, late.signal);
    } finally {
      timer.cancel();
    }
  }

  async #currentOf(record: StoredRecord | undefined): Promise<Entry | undefined> {
    if (record === undefined) return undefined;
    if (this.#revision < record.revision) await this.#seen(record.revision);
    const known = this.#byKey.get(record.key);
    return known?.revision === record.revision ? known : entryOf(record, this.#memory.allocate);
  }

  /** The version that our own write made, also when it is superseded by now. */
  #entryAt(key: string, revision: number, pending: PendingCommit): Entry {
    if (pending.entry?.revision === revision) return pending.entry;
    const { history } = this.#shelf(kindPrefixOf(key));
    for (let i = history.indexAfter(revision - 1); i < history.length; i++) {
      const { entry } = history.at(i)!;
      if (entry.revision > revision) break;
      if (entry.key === key) return entry;
    }
    // Skipped by a reload: made again from what was written.
    if (pending.value !== undefined)
      return entryOf({ key, value: pending.value, revision }, this.#memory.allocate);
    return pending.entry ?? new Entry(key, Buffer.alloc(0), revision);
  }

  /** As kube-apiserver compacts etcd: what was the present a round ago is the oldest that can be listed. Watches are not touched. */
  async #forgetPastLists(intervalMs: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const revision = this.#revision;
      try {
        await sleep(this.#clock, intervalMs, signal);
      } catch {
        return;
      }
      this.#oldestList = revision;
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    let broken = false;
    while (!signal.aborted) {
      try {
        await this.#backend.follow(
          this.#revision,
          (changes, revision) => {
            if (broken) this.#log.info('the stream of changes goes on');
            broken = false;
            this.#advance(changes, revision);
          },
          signal,
        );
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Compacted)) {
          // A backend that is away is told once, not twice a second.
          if (!broken) this.#log.warn('the stream of changes broke', { error });
          broken = true;
          await sleep(this.#clock, retryDelayMs, signal).catch(() => {});
          continue;
        }
        this.#log.warn('changes were compacted before they were seen; loading again', { error });
        await this.#reload().catch(async (cause: unknown) => {
          this.#log.error('loading failed', { error: cause });
          await sleep(this.#clock, retryDelayMs, signal).catch(() => {});
        });
      }
    }
  }

  /** Makes memory like the backend again. Watchers see the differences; the states between are unknown, so history begins anew. */
  async #reload(): Promise<void> {
    const changes: Change[] = [];
    const seen = new Set<string>();
    const { revision } = await this.#backend.load((record) => {
      seen.add(record.key);
      if (this.#byKey.get(record.key)?.revision !== record.revision) changes.push(record);
    });
    if (revision < this.#revision) {
      // A restored backup: the numbers our watchers hold mean something else now.
      this.#watches.endAll('lost');
      throw new Error(`the backend went back from revision ${this.#revision} to ${revision}`);
    }
    changes.sort((a, b) => a.revision - b.revision);
    for (const key of this.#byKey.keys())
      if (!seen.has(key)) changes.push({ key, value: undefined, revision });
    this.#history.dropThrough(this.#revision);
    this.#advance(changes, revision);
    this.#history.dropThrough(revision);
  }

  #advance(changes: readonly Change[], revision: number): void {
    for (const change of changes) this.#apply(change);
    this.#revision = Math.max(this.#revision, revision);
    this.#watches.deliver();
    this.#waiters.reached(this.#revision);
  }

  #apply(change: Change): void {
    const { key, revision } = change;
    const previous = this.#byKey.get(key);
    if (change.value === undefined && previous === undefined) return;
    const { allocate } = this.#memory;
    const wire =
      change.value === undefined
        ? respliceRevision(previous!.wire, revision, allocate)
        : spliceRevision(change.value, revision, allocate);
    const entry = new Entry(key, wire, revision);
    this.#memory.hold(wire.length);
    this.#pending.claim(entry, change.value, previous?.revision ?? 0);
    const shelf = this.#shelf(kindPrefixOf(key));
    if (change.value === undefined) {
      this.#byKey.delete(key);
      shelf.delete(key);
    } else {
      this.#byKey.set(key, entry);
      shelf.set(entry);
    }
    const event: StoreEvent = { type: change.value === undefined ? 'delete' : 'put', entry, previous };
    this.#metrics?.received(shelf.prefix);
    this.#history.add(event, shelf);
    this.#watches.collect(event, shelf.prefix);
  }
}

const operationOf = ({ value, expect }: Pick<PendingCommit, 'value' | 'expect'>): WriteOperation =>
  value === undefined ? 'delete' : expect === 0 ? 'create' : 'update';

/** `/a/b/`: what a shelf of a kind is called. */
function isKindPrefix(prefix: string): boolean {
  const second = prefix.indexOf('/', 1);
  const third = second < 0 ? -1 : prefix.indexOf('/', second + 1);
  return prefix.length > 3 && prefix.startsWith('/') && third === prefix.length - 1;
}
