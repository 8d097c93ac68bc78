// Garbage collection by owner references, over every kind. Informers are the graph: an index by owner uid gives dependents. It is
// no ordinary controller because its keys are objects of all kinds.
//
// Informers of different kinds are not in step, and what is deleted stays deleted. So before an object is taken to have lost its
// owner the server is asked.
import type { Clock, Log, MetricRegistry, Scope } from '../../base/index.ts';
import { type Client, type Informer, type Informers, WorkQueue } from '../../client/index.ts';
import {
  isConflict,
  isNotFound,
  type KindDef,
  type KubeObject,
  keyOf,
  type OwnerReference,
  semanticEqual,
} from '../../machinery/index.ts';
import {
  blocks,
  foregroundFinalizer,
  isWaiting,
  judge,
  type OwnerState,
  orphanFinalizer,
  unblockPatch,
  unlinkPatch,
} from './plan.ts';

export interface GarbageCollectorOptions {
  readonly client: Client;
  readonly informers: Informers;
  readonly kinds: readonly KindDef[];
  readonly scope: Scope;
  readonly clock: Clock;
  readonly log: Log;
  /** undefined = its queue is not counted. */
  readonly metrics?: MetricRegistry | undefined;
}

const workers = 16;
const byOwner = 'byOwner';
/** Uids are never used again, so an owner that was gone once is gone for good; the oldest are forgotten. */
const absentKept = 1000;

/** Starts collecting; resolves when every informer has synced. */
export async function startGarbageCollector(options: GarbageCollectorOptions): Promise<void> {
  const collector = new GarbageCollector(options);
  await collector.start();
}

interface Dependent {
  readonly kind: KindDef;
  readonly object: KubeObject;
}

class GarbageCollector {
  readonly #options: GarbageCollectorOptions;
  readonly #informers: Informer[] = [];
  readonly #byId = new Map<string, Informer>();
  readonly #queue: WorkQueue;
  readonly #absent = new Set<string>();

  constructor(options: GarbageCollectorOptions) {
    this.#options = options;
    const { clock, metrics } = options;
    this.#queue = new WorkQueue({
      clock,
      retryMaxMs: 30_000,
      metrics:
        metrics === undefined
          ? undefined
          : { registry: metrics, name: 'garbage_collector_attempt_to_delete' },
    });
  }

  async start(): Promise<void> {
    const { kinds, informers, scope } = this.#options;
    for (const kind of kinds) {
      // Events own nothing, are owned by nobody and change most of all.
      if (kind.conversion !== null || kind.kind === 'Event' || !kind.verbs.includes('watch')) continue;
      const informer = informers(kind);
      informer.addIndex(byOwner, (object) => (object.metadata.ownerReferences ?? []).map((o) => o.uid));
      this.#informers.push(informer);
      this.#byId.set(idOf(kind.group, kind.kind), informer);
    }
    await Promise.all(this.#informers.map((i) => i.synced));
    const ends = this.#informers.map((informer) =>
      informer.onChange({
        added: (object) => this.#look(informer.kind, object),
        updated: (old, object) => this.#changed(informer.kind, old, object),
        deleted: (object) => this.#gone(object),
      }),
    );
    scope.onStop(() => {
      for (const end of ends) end();
    });
    scope.signal.addEventListener('abort', () => this.#queue.shutDown(), { once: true });
    for (let i = 0; i < workers; i++) scope.run('garbage collector', (signal) => this.#work(signal));
  }

  #look(kind: KindDef, object: KubeObject): void {
    if ((object.metadata.ownerReferences?.length ?? 0) > 0 || waitsForUs(object))
      this.#queue.add(keyFor(kind, object));
  }

  /** Most changes are of no concern here: only who owns it, and whether it is on its way out. */
  #changed(kind: KindDef, { metadata: old }: KubeObject, object: KubeObject): void {
    const { metadata } = object;
    const sameOwners = semanticEqual(old.ownerReferences, metadata.ownerReferences);
    if (
      sameOwners &&
      old.deletionTimestamp === metadata.deletionTimestamp &&
      semanticEqual(old.finalizers, metadata.finalizers)
    )
      return;
    this.#look(kind, object);
    if (!sameOwners) this.#wakeWaiting(old.ownerReferences, old.namespace);
  }

  /** Dependents of what is gone are looked at, and owners that waited for it. */
  #gone({ metadata }: KubeObject): void {
    for (const { kind, object } of this.#dependentsOf(metadata.uid)) this.#queue.add(keyFor(kind, object));
    this.#wakeWaiting(metadata.ownerReferences, metadata.namespace);
  }

  #wakeWaiting(owners: readonly OwnerReference[] | undefined, namespace: string | undefined): void {
    for (const owner of owners ?? []) {
      const found = this.#find(owner, namespace);
      if (found !== undefined && waitsForUs(found.object)) this.#queue.add(keyFor(found.kind, found.object));
    }
  }

  #dependentsOf(uid: string): Dependent[] {
    const out: Dependent[] = [];
    for (const informer of this.#informers)
      for (const object of informer.byIndex(byOwner, uid)) out.push({ kind: informer.kind, object });
    return out;
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const key = await this.#queue.next();
      if (key === undefined || signal.aborted) return;
      try {
        await this.#process(key);
        this.#queue.forget(key);
      } catch (error) {
        if (signal.aborted) return;
        if (!isConflict(error)) this.#options.log.warn('garbage collection failed', { key, error });
        this.#queue.addRateLimited(key);
      } finally {
        this.#queue.done(key);
      }
    }
  }

  async #process(key: string): Promise<void> {
    const mark = key.indexOf('|');
    const informer = this.#byId.get(key.slice(0, mark));
    const object = informer?.get(key.slice(mark + 1));
    if (informer === undefined || object === undefined) return;
    const { kind } = informer;
    if (waitsForUs(object)) await this.#release(kind, object);
    else await this.#judge(kind, object);
  }

  async #judge(kind: KindDef, object: KubeObject): Promise<void> {
    const { client, log } = this.#options;
    const { name, namespace, uid, ownerReferences = [] } = object.metadata;
    const owners: OwnerState[] = [];
    for (const owner of ownerReferences) owners.push(await this.#stateOf(owner, namespace));
    const dependents = this.#dependentsOf(uid);
    const verdict = judge({ object, owners, hasDependents: dependents.length > 0 });
    if (verdict.do === 'nothing') return;
    if (verdict.do === 'unlink') {
      await this.#patch(kind, object, unlinkPatch(object, verdict.uids));
      return;
    }
    let { resourceVersion } = object.metadata;
    // In a circle of owners each would wait for the other.
    if (verdict.policy === 'Foreground' && dependents.some((dependent) => isWaiting(dependent.object))) {
      const unblocked = await this.#patch(kind, object, unblockPatch(object));
      if (unblocked === undefined) return;
      ({ resourceVersion } = unblocked.metadata);
    }
    log.debug('collecting', { kind: kind.kind, key: keyOf(object), policy: verdict.policy });
    await client(kind)
      .delete(name, namespace, {
        propagationPolicy: verdict.policy,
        // What changed since it was judged may have a new owner.
        preconditions: { uid, resourceVersion },
      })
      .catch(ignoreNotFound);
  }

  /** An object with the orphan or foreground finalizer: does what it waits for, then lets it go. */
  async #release(kind: KindDef, object: KubeObject): Promise<void> {
    const { uid, finalizers = [] } = object.metadata;
    const dependents = this.#dependentsOf(uid);
    if (finalizers.includes(orphanFinalizer)) {
      for (const dependent of dependents)
        await this.#patch(dependent.kind, dependent.object, unlinkPatch(dependent.object, [uid]));
      await this.#removeFinalizer(kind, object, orphanFinalizer);
    } else if (dependents.some((dependent) => blocks(dependent.object, uid))) {
      // Each is judged by itself: it sees its owner waiting.
      for (const dependent of dependents) this.#queue.add(keyFor(dependent.kind, dependent.object));
    } else await this.#removeFinalizer(kind, object, foregroundFinalizer);
  }

  async #removeFinalizer(kind: KindDef, object: KubeObject, finalizer: string): Promise<void> {
    const { name, namespace, uid, resourceVersion, finalizers = [] } = object.metadata;
    const rest = finalizers.filter((f) => f !== finalizer);
    await this.#options
      .client(kind)
      .patch({ name, namespace }, 'merge', {
        metadata: { uid, resourceVersion, finalizers: rest.length === 0 ? null : rest },
      })
      .catch(ignoreNotFound);
  }

  /** undefined = the object is gone. */
  async #patch(kind: KindDef, { metadata }: KubeObject, patch: object): Promise<KubeObject | undefined> {
    const { name, namespace } = metadata;
    try {
      return await this.#options.client(kind).patch({ name, namespace }, 'strategic', patch);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return undefined;
    }
  }

  async #stateOf(owner: OwnerReference, namespace: string | undefined): Promise<OwnerState> {
    const informer = this.#byId.get(idOf(groupOf(owner.apiVersion), owner.kind));
    // An owner of a kind that is not served cannot be judged, nor a namespaced owner of what has no namespace: their dependents
    // are left alone.
    if (informer === undefined) return 'solid';
    const { kind } = informer;
    if (kind.scope === 'Namespaced' && namespace === undefined) return 'solid';
    const known = this.#find(owner, namespace)?.object;
    if (known?.metadata.uid === owner.uid) return isWaiting(known) ? 'waiting' : 'solid';
    if (this.#absent.has(owner.uid)) return 'absent';
    try {
      const at = kind.scope === 'Namespaced' ? namespace : undefined;
      const fresh = await this.#options.client(kind).get(owner.name, at);
      if (fresh.metadata.uid === owner.uid) return isWaiting(fresh) ? 'waiting' : 'solid';
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    this.#absent.add(owner.uid);
    if (this.#absent.size > absentKept) this.#absent.delete(this.#absent.values().next().value!);
    return 'absent';
  }

  /** By name: its uid may be another's. Owners live in the same namespace, or have none. */
  #find(owner: OwnerReference, namespace: string | undefined): Dependent | undefined {
    const informer = this.#byId.get(idOf(groupOf(owner.apiVersion), owner.kind));
    const object = informer?.get(
      informer.kind.scope === 'Namespaced' ? `${namespace}/${owner.name}` : owner.name,
    );
    return informer === undefined || object === undefined ? undefined : { kind: informer.kind, object };
  }
}

const idOf = (group: string, kind: string): string => `${kind}.${group}`;
const keyFor = (kind: KindDef, object: KubeObject): string =>
  `${idOf(kind.group, kind.kind)}|${keyOf(object)}`;

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

const waitsForUs = ({ metadata }: KubeObject): boolean =>
  metadata.deletionTimestamp !== undefined &&
  (metadata.finalizers?.some((f) => f === orphanFinalizer || f === foregroundFinalizer) ?? false);

const ignoreNotFound = (error: unknown): void => {
  if (!isNotFound(error)) throw error;
};
