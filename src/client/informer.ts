// Informers: a live copy of a collection in memory, shared by everybody in the process who asks for the same one. Built on
// list and watch alone, so it is the same over the in-process transport (whose objects it shares) and over HTTPS.
import {
  Backoff,
  type Clock,
  Heap,
  type Log,
  Pause,
  type Random,
  type Scope,
  sleep,
  withResolvers,
} from '../base/index.ts';
import { isExpired, type KindDef, type KubeObject, keyOf, StatusError } from '../machinery/index.ts';
import type { Client, ResourceClient } from './client.ts';
import { type IndexFunction, type Lister, ObjectCache } from './object-cache.ts';
import type { WatchEvent } from './transport.ts';

/** Which part of a collection. Nothing given = all of it. */
export interface Selection {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/**
 * Called synchronously, in the order of changes, after the informer shows the change. A handler must not block; what it throws
 * is logged. `updated` is never called for a change of identity: an object deleted and made anew is `deleted`, then `added`.
 */
export interface ChangeHandlers<T> {
  added?(object: T): void;
  updated?(old: T, object: T): void;
  /** `last` is the last state known; after a gap in the watch it may be older than the one that was deleted. */
  deleted?(last: T): void;
}

export interface Informer<T extends KubeObject = KubeObject> extends Lister<T> {
  readonly kind: KindDef<T>;
  readonly selection: Selection;
  /** Resolves when the first list has been delivered. Rejects when the informer ends before that. */
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
  /** The newest revision seen: every change up to it is in. 0 before the first list. Goes back only if the server did. */
  readonly revision: number;
  readonly size: number;
  /** Resolves when `revision` has reached `revision`. Rejects when the signal or the informer ends first. */
  waitForRevision(revision: number, signal?: AbortSignal): Promise<void>;
  /**
   * Before this returns, `added` has been called for everything that is there. Returns what ends it. Handlers are called in the
   * order in which they were registered.
   */
  onChange(handlers: ChangeHandlers<T>): () => void;
  /** An index besides those of the kind. Idempotent for the same function. */
  addIndex(name: string, values: IndexFunction<T>): void;
}

export interface Informers {
  /** The one informer of this kind and selection; starts it when it is new. */
  <T extends KubeObject>(kind: KindDef<T>, selection?: Selection): Informer<T>;
  /** Ends the informers of a kind that is no longer served. Their objects stay readable; nothing more is delivered. */
  drop(kind: KindDef): void;
  /** Every informer running now. */
  all(): readonly Informer[];
}

export interface InformersOptions {
  /** Informers run in it and end with it. */
  readonly scope: Scope;
  readonly log: Log;
  readonly clock: Clock;
  /** For jitter between the retries of many processes. */
  readonly random?: Random | undefined;
  /** What is kept of an object, for processes that hold many and write few of them. Must not change what it is given. */
  readonly trim?: (<T extends KubeObject>(object: T) => T) | undefined;
}

/** For `trim`: who wrote which field takes a third of a small object, and is of use to nobody who only reads. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  if (object.metadata.managedFields === undefined) return object;
  const { managedFields, ...metadata } = object.metadata;
  return { ...object, metadata };
}

const retryInitialMs = 100;
const retryMaxMs = 10_000;
/** A watch that ends sooner than this is counted as a failure: without a pause we would spin. */
const shortWatchMs = 1_000;

export function createInformers(client: Client, options: InformersOptions): Informers {
  const running = new Map<KindDef, Map<string, RunningInformer<KubeObject>>>();

  const informers = (kind: KindDef, selection: Selection = {}): Informer => {
    const { namespace = '', labelSelector = '', fieldSelector = '' } = selection;
    let ofKind = running.get(kind);
    if (ofKind === undefined) running.set(kind, (ofKind = new Map()));
    const id = JSON.stringify([namespace, labelSelector, fieldSelector]);
    let informer = ofKind.get(id);
    if (informer === undefined) {
      informer = new RunningInformer(client(kind), kind, selection, options);
      ofKind.set(id, informer);
      options.scope.run(`informer ${kind.plural}`, informer.run);
      if (options.scope.stopped) informer.abandon(options.scope.signal.reason);
    }
    return informer;
  };
  return Object.assign(informers, {
    drop(kind: KindDef): void {
      for (const informer of running.get(kind)?.values() ?? []) informer.end();
      running.delete(kind);
    },
    all: () => [...running.values()].flatMap((ofKind) => [...ofKind.values()]),
  }) as unknown as Informers;
}

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
  readonly reject: (why: unknown) => void;
}

class RunningInformer<T extends KubeObject> implements Informer<T> {
  readonly kind: KindDef<T>;
  readonly selection: Selection;
  readonly synced: Promise<void>;
  readonly #client: ResourceClient<T>;
  readonly #options: InformersOptions;
  readonly #log: Log;
  readonly #cache: ObjectCache<T>;
  readonly #ended = new AbortController();
  /** Replaced, never changed in place: a handler may end itself while all are being called. */
  #handlers: readonly ChangeHandlers<T>[] = [];
  readonly #waiters = new Heap<Waiter>((a, b) => a.revision < b.revision);
  #settleSynced: { resolve: () => void; reject: (why: unknown) => void };
  #hasSynced = false;
  #revision = 0;
  /** Where the next watch starts; '' = list first. Opaque text: only `#revision` reads it as a number. */
  #resourceVersion = '';

  constructor(client: ResourceClient<T>, kind: KindDef<T>, selection: Selection, options: InformersOptions) {
    this.#client = client;
    this.kind = kind;
    this.selection = selection;
    this.#options = options;
    this.#log = options.log.with({ informer: kind.plural });
    this.#cache = new ObjectCache(kind.indexes);
    const { promise, resolve, reject } = withResolvers();
    this.synced = promise;
    this.#settleSynced = { resolve, reject };
    // Whoever awaits it learns of the end; nobody has to.
    promise.catch(() => {});
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#cache.size;
  }

  get(key: string): T | undefined {
    return this.#cache.get(key);
  }

  list(namespace?: string): readonly T[] {
    return this.#cache.list(namespace);
  }

  byIndex(index: string, value: string): readonly T[] {
    return this.#cache.byIndex(index, value);
  }

  addIndex(name: string, values: IndexFunction<T>): void {
    this.#cache.addIndex(name, values);
  }

  onChange(handlers: ChangeHandlers<T>): () => void {
    if (handlers.added !== undefined) {
      for (const object of this.#cache.list()) this.#call(() => handlers.added?.(object));
    }
    this.#handlers = [...this.#handlers, handlers];
    return () => {
      this.#handlers = this.#handlers.filter((other) => other !== handlers);
    };
  }

  waitForRevision(revision: number, signal?: AbortSignal): Promise<void> {
    if (this.#hasSynced && this.#revision >= revision) return Promise.resolve();
    const over = [this.#ended.signal, this.#options.scope.signal, signal].find((end) => end?.aborted);
    if (over !== undefined) return Promise.reject(over.reason);
    const { promise, resolve, reject } = withResolvers();
    const onAbort = () => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    const settle = (how: () => void) => () => {
      signal?.removeEventListener('abort', onAbort);
      how();
    };
    this.#waiters.push({
      revision,
      resolve: settle(resolve),
      reject: (why) => settle(() => reject(why))(),
    });
    return promise;
  }

  end(): void {
    this.#ended.abort(new Error(`informer of ${this.kind.plural} ended`));
  }

  /** Lists once, then watches for ever, listing again only when the history is gone. */
  readonly run = async (scopeSignal: AbortSignal): Promise<void> => {
    const signal = AbortSignal.any([scopeSignal, this.#ended.signal]);
    const { clock, random } = this.#options;
    const backoff = new Backoff({ initialMs: retryInitialMs, maxMs: retryMaxMs, jitter: 0.5, random });
    let hadExpired = false;
    try {
      while (!signal.aborted) {
        const startedMs = clock.monotonicMs();
        let failure: unknown;
        try {
          if (this.#resourceVersion === '') await this.#list(signal);
          failure = await this.#watch(signal);
        } catch (error) {
          failure = error;
        }
        if (signal.aborted) break;
        const expired = isExpired(failure) || isFutureRevision(failure);
        if (expired) this.#resourceVersion = '';
        // A server that says so is there again: the wait that grew while it was away is over.
        if (expired && !hadExpired) backoff.reset();
        hadExpired = expired;
        if (clock.monotonicMs() - startedMs >= shortWatchMs) {
          backoff.reset();
          if (failure === undefined || expired) continue;
        }
        const retryAfterMs =
          failure instanceof StatusError ? (failure.details?.retryAfterSeconds ?? 0) * 1000 : 0;
        const delayMs = Math.max(backoff.nextMs(), retryAfterMs);
        if (failure !== undefined)
          this.#log.warn(expired ? 'history is gone, listing again' : 'list or watch failed, trying again', {
            error: failure,
            delayMs: Math.round(delayMs),
          });
        await sleep(clock, delayMs, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.abandon(signal.reason);
    }
  };

  /** Nobody shall wait for what will not come. */
  abandon(why: unknown): void {
    this.#settleSynced.reject(why);
    for (let waiter = this.#waiters.pop(); waiter !== undefined; waiter = this.#waiters.pop())
      waiter.reject(why);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const result = await this.#client.list({ ...this.selection });
    signal.throwIfAborted();
    const pause = new Pause(this.#options.clock);
    const gone = new Set(this.#cache.keys());
    for (const object of result.items) {
      const key = keyOf(object);
      gone.delete(key);
      this.#put(key, object);
      if (pause.due) await pause.now();
      signal.throwIfAborted();
    }
    for (const key of gone) {
      this.#remove(key, undefined);
      if (pause.due) await pause.now();
      signal.throwIfAborted();
    }
    // As the list says, not the larger of the two: a restored server may be behind what we have seen.
    this.#resourceVersion = result.resourceVersion;
    this.#revision = Number(result.resourceVersion) || 0;
    if (!this.#hasSynced) {
      this.#hasSynced = true;
      this.#log.debug('synced', { objects: this.size, revision: this.#revision });
      this.#settleSynced.resolve();
    }
    this.#wake();
  }

  /** Resolves when the watch has ended: with its error, or undefined when it was time. */
  #watch(signal: AbortSignal): Promise<unknown> {
    return new Promise((resolve) => {
      if (signal.aborted) {
        resolve(undefined);
        return;
      }
      const abort = new AbortController();
      const stop = () => {
        abort.abort(signal.reason);
        resolve(undefined);
      };
      signal.addEventListener('abort', stop, { once: true });
      this.#client.watch(
        { ...this.selection, resourceVersion: this.#resourceVersion, allowBookmarks: true },
        {
          onEvents: (events) => {
            if (!abort.signal.aborted) this.#apply(events);
          },
          onEnd: (error) => {
            signal.removeEventListener('abort', stop);
            resolve(error);
          },
        },
        abort.signal,
      );
    });
  }

  #apply(events: readonly WatchEvent<T>[]): void {
    for (const event of events) {
      const text = event.type === 'BOOKMARK' ? event.resourceVersion : event.object.metadata.resourceVersion;
      const revision = Number(text) || 0;
      // Older than what is in already: delivered twice.
      if (revision !== 0 && revision < this.#revision) continue;
      // The position moves first, so that handlers see an informer that is where its objects are.
      this.#resourceVersion = text;
      if (revision !== 0) this.#revision = revision;
      if (event.type === 'BOOKMARK') continue;
      const key = keyOf(event.object);
      if (event.type === 'DELETED') this.#remove(key, event.object);
      else this.#put(key, event.object);
    }
    this.#wake();
  }

  #put(key: string, whole: T): void {
    const object = this.#options.trim?.(whole) ?? whole;
    const known = this.#cache.get(key);
    if (known === undefined) {
      this.#cache.put(key, object);
      for (const handlers of this.#handlers) this.#call(() => handlers.added?.(object));
    } else if (known.metadata.uid !== object.metadata.uid) {
      this.#remove(key, undefined);
      this.#put(key, object);
    } else if (known.metadata.resourceVersion !== object.metadata.resourceVersion) {
      this.#cache.put(key, object);
      for (const handlers of this.#handlers) this.#call(() => handlers.updated?.(known, object));
    }
  }

  #remove(key: string, last: T | undefined): void {
    const known = this.#cache.remove(key);
    if (known === undefined) return;
    const shown = last ?? known;
    for (const handlers of this.#handlers) this.#call(() => handlers.deleted?.(shown));
  }

  #call(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.#log.error('a change handler failed', { error });
    }
  }

  #wake(): void {
    for (;;) {
      const waiter = this.#waiters.peek();
      if (waiter === undefined || waiter.revision > this.#revision) return;
      this.#waiters.pop();
      waiter.resolve();
    }
  }
}

/** The server is behind what we have seen (restored from a backup): our position means nothing to it. */
const isFutureRevision = (error: unknown): boolean =>
  error instanceof StatusError &&
  (error.details?.causes?.some((cause) => cause.reason === 'ResourceVersionTooLarge') ?? false);
