// Garbage collection by owner references, over every kind. Informers are the graph (owner-graph.ts). It is no ordinary controller
// because its keys are objects of all kinds.
//
// Informers of different kinds are not in step, and what is deleted stays deleted. So before an object is taken to have lost its
// owner the server is asked. The kinds of custom resources are followed as their definitions come and go (custom-kinds.ts),
// and those of other API servers as long as they tell of them (remote-kind-follower.ts).
import { type Clock, type Log, type MetricRegistry, type Scope, sleep } from '../../base/index.ts';
import {
  type Client,
  type EventRecorder,
  type Informer,
  type Informers,
  WorkQueue,
} from '../../client/index.ts';
import {
  isConflict,
  isNotFound,
  type KindDef,
  type KubeObject,
  keyOf,
  type OwnerReference,
  semanticEqual,
} from '../../machinery/index.ts';
import { type CustomKindFollower, type CustomKindHandlers, followCustomKinds } from '../custom-kinds.ts';
import { followRemoteKinds, type RemoteKindFollower } from '../remote-kind-follower.ts';
import { identityOf, keyFor, OwnerGraph } from './owner-graph.ts';
import {
  blocks,
  foregroundFinalizer,
  isWaiting,
  judge,
  type OwnerState,
  orphanFinalizer,
  unblockedReferences,
  unblockPatch,
  unlinkedReferences,
  unlinkPatch,
} from './plan.ts';

export interface GarbageCollectorOptions {
  readonly client: Client;
  readonly informers: Informers;
  readonly kinds: readonly KindDef[];
  readonly scope: Scope;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventRecorder;
  /** undefined = its queue is not counted. */
  readonly metrics?: MetricRegistry | undefined;
}

const workers = 16;
const settleLimitMs = 10_000;
/** Uids are never used again, so an owner that was gone once is gone for good; the oldest are forgotten. */
const absentKept = 1000;

/** Starts collecting; resolves when every informer has synced. */
export async function startGarbageCollector(options: GarbageCollectorOptions): Promise<void> {
  const collector = new GarbageCollector(options);
  await collector.start();
}

class GarbageCollector {
  readonly #options: GarbageCollectorOptions;
  readonly #graph = new OwnerGraph();
  readonly #queue: WorkQueue;
  /** Owners that do not exist, as `identityOf` names them: a reference that errs in kind or name may bear the uid of one who lives. */
  readonly #absent = new Set<string>();
  /** Dependents whose owner is in another namespace, as said in an event. */
  readonly #toldOf = new Set<string>();
  readonly #record: ReturnType<EventRecorder['from']>;
  #custom: CustomKindFollower | undefined;
  #remote: RemoteKindFollower | undefined;

  constructor(options: GarbageCollectorOptions) {
    this.#options = options;
    this.#record = options.events.from('garbage-collector-controller');
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
    const ends: (() => void)[] = [];
    for (const kind of kinds) {
      // Events own nothing, are owned by nobody and change most of all.
      if (kind.conversion !== null || kind.kind === 'Event' || !kind.verbs.includes('watch')) continue;
      this.#graph.add(informers(kind));
    }
    await Promise.all([...this.#graph.informers].map((i) => i.synced));
    for (const informer of this.#graph.informers) ends.push(this.#listen(informer));
    const handlers: CustomKindHandlers = {
      added: (informer) => this.#graph.add(informer),
      synced: (informer) => {
        ends.push(this.#listen(informer));
        this.#lookAtDependentsOf(informer.kind);
      },
      removed: (informer, undefinedNow) => this.#forget(informer, undefinedNow),
    };
    this.#custom = followCustomKinds(informers, handlers);
    // Nobody waits for these: a server that is away must not keep what is ours.
    this.#remote = followRemoteKinds(this.#options, handlers);
    ends.push(this.#custom.end, this.#remote.end);
    scope.onStop(() => {
      for (const end of ends) end();
    });
    scope.signal.addEventListener('abort', () => this.#queue.shutDown(), { once: true });
    for (let i = 0; i < workers; i++) scope.run('garbage collector', (signal) => this.#work(signal));
    await this.#settled(scope.signal);
  }

  #listen(informer: Informer): () => void {
    return informer.onChange({
      added: (object) => this.#look(informer.kind, object),
      updated: (old, object) => this.#changed(informer.kind, old, object),
      deleted: (object) => this.#gone(object),
    });
  }

  /** A definition goes only when all of its objects have gone, whether that was heard of or not. */
  #forget(informer: Informer, undefinedNow: boolean): void {
    this.#graph.remove(informer);
    if (!undefinedNow) return;
    const { apiVersion, kind } = informer.kind;
    for (const object of informer.list()) {
      const { name, namespace, uid } = object.metadata;
      this.#remember(identityOf({ apiVersion, kind, name, uid }, namespace));
      this.#gone(object);
    }
  }

  /** Their owners could not be judged as long as the kind was not served. */
  #lookAtDependentsOf(owners: KindDef): void {
    for (const { kind, object } of this.#graph.dependentsOfKind(owners)) this.#look(kind, object);
  }

  #look(kind: KindDef, object: KubeObject): void {
    if ((object.metadata.ownerReferences?.length ?? 0) > 0 || waitsForUs(object))
      this.#queue.add(keyFor({ kind, object }));
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
    for (const dependent of this.#graph.dependentsOf(metadata.uid)) this.#queue.add(keyFor(dependent));
    this.#wakeWaiting(metadata.ownerReferences, metadata.namespace);
  }

  #wakeWaiting(owners: readonly OwnerReference[] | undefined, namespace: string | undefined): void {
    for (const owner of owners ?? []) {
      const found = this.#graph.find(owner, namespace);
      if (found !== undefined && waitsForUs(found.object)) this.#queue.add(keyFor(found));
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const key = await this.#queue.next();
      if (key === undefined || signal.aborted) return;
      try {
        // Who waits for his dependents must see those of all kinds.
        await this.#settled(signal);
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

  /** One kind that cannot be listed does not keep all others waiting. */
  async #settled(signal: AbortSignal): Promise<void> {
    if (this.#custom === undefined || this.#custom.syncing === 0) return;
    const done = new AbortController();
    const limit = sleep(this.#options.clock, settleLimitMs, AbortSignal.any([signal, done.signal])).catch(
      () => {},
    );
    await Promise.race([this.#custom.settled(), limit]);
    done.abort();
  }

  async #process(key: string): Promise<void> {
    const found = this.#graph.at(key);
    if (found === undefined) return;
    const { kind, object } = found;
    if (waitsForUs(object)) await this.#release(kind, object);
    else await this.#judge(kind, object);
  }

  async #judge(kind: KindDef, object: KubeObject): Promise<void> {
    const { client, log } = this.#options;
    const { name, namespace, uid, ownerReferences = [] } = object.metadata;
    const owners: OwnerState[] = [];
    for (const owner of ownerReferences) owners.push(await this.#stateOf(owner, kind, object));
    const dependents = this.#graph.dependentsOf(uid);
    const verdict = judge({ object, owners, hasDependents: dependents.length > 0 });
    if (verdict.do === 'nothing') return;
    if (verdict.do === 'unlink') {
      await this.#unlink(kind, object, verdict.uids);
      return;
    }
    let { resourceVersion } = object.metadata;
    // In a circle of owners each would wait for the other.
    if (verdict.policy === 'Foreground' && dependents.some((dependent) => isWaiting(dependent.object))) {
      const unblocked = await this.#patchOwners(kind, object, {
        strategic: unblockPatch(object),
        references: unblockedReferences(object),
      });
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
    const dependents = this.#graph.dependentsOf(uid);
    if (finalizers.includes(orphanFinalizer)) {
      for (const dependent of dependents) await this.#unlink(dependent.kind, dependent.object, [uid]);
      await this.#removeFinalizer(kind, object, orphanFinalizer);
    } else if (dependents.some((dependent) => blocks(dependent.object, uid))) {
      // Each is judged by itself: it sees its owner waiting.
      for (const dependent of dependents) this.#queue.add(keyFor(dependent));
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

  #unlink(kind: KindDef, object: KubeObject, uids: readonly string[]): Promise<KubeObject | undefined> {
    return this.#patchOwners(kind, object, {
      strategic: unlinkPatch(object, uids),
      references: unlinkedReferences(object, uids),
    });
  }

  /** Custom resources, and most of other servers, know no strategic patch: they get the whole list, if they are still what was judged. undefined = it is gone. */
  async #patchOwners(
    kind: KindDef,
    { metadata }: KubeObject,
    { strategic, references }: { readonly strategic: object; readonly references: readonly OwnerReference[] },
  ): Promise<KubeObject | undefined> {
    const { name, namespace, uid, resourceVersion } = metadata;
    const objects = this.#options.client(kind);
    const ownerReferences = references.length === 0 ? null : references;
    try {
      return this.#custom?.has(kind) === true || this.#remote?.has(kind) === true
        ? await objects.patch({ name, namespace }, 'merge', {
            metadata: { uid, resourceVersion, ownerReferences },
          })
        : await objects.patch({ name, namespace }, 'strategic', strategic);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return undefined;
    }
  }

  async #stateOf(owner: OwnerReference, kind: KindDef, object: KubeObject): Promise<OwnerState> {
    const { namespace } = object.metadata;
    // Whether the owner's kind has namespaces is not known once it is served no more.
    if (this.#absent.has(identityOf(owner, namespace)) || this.#absent.has(identityOf(owner, undefined)))
      return 'absent';
    const informer = this.#graph.informerOf(owner);
    // An owner of a kind that is not served cannot be judged, nor a namespaced owner of what has no namespace: their dependents
    // are left alone.
    if (informer === undefined) return 'solid';
    const namespaced = informer.kind.scope === 'Namespaced';
    if (namespaced && namespace === undefined) {
      this.#tellOfNamespace(owner, kind, object);
      return 'solid';
    }
    const known = this.#graph.find(owner, namespace)?.object;
    if (known?.metadata.uid === owner.uid) return isWaiting(known) ? 'waiting' : 'solid';
    try {
      const fresh = await this.#options
        .client(informer.kind)
        .get(owner.name, namespaced ? namespace : undefined);
      if (fresh.metadata.uid === owner.uid) return isWaiting(fresh) ? 'waiting' : 'solid';
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    // It is there, but nobody owns across namespaces: for this dependent it does not exist.
    if (namespaced && informer.list().some((other) => other.metadata.uid === owner.uid))
      this.#tellOfNamespace(owner, kind, object);
    else this.#remember(identityOf(owner, namespaced ? namespace : undefined));
    return 'absent';
  }

  #remember(identity: string): void {
    this.#absent.add(identity);
    if (this.#absent.size > absentKept) this.#absent.delete(this.#absent.values().next().value!);
  }

  #tellOfNamespace(owner: OwnerReference, kind: KindDef, { metadata }: KubeObject): void {
    const { namespace = '', name, uid } = metadata;
    if (this.#toldOf.has(uid)) return;
    this.#toldOf.add(uid);
    if (this.#toldOf.size > absentKept) this.#toldOf.delete(this.#toldOf.values().next().value!);
    const shown = `[${owner.apiVersion}/${owner.kind}, namespace: ${namespace}, name: ${owner.name}, uid: ${owner.uid}]`;
    this.#record(
      { apiVersion: kind.apiVersion, kind: kind.kind, name, uid, ...(namespace !== '' && { namespace }) },
      'Warning',
      'OwnerRefInvalidNamespace',
      `ownerRef ${shown} does not exist in namespace ${JSON.stringify(namespace)}`,
    );
  }
}

const waitsForUs = ({ metadata }: KubeObject): boolean =>
  metadata.deletionTimestamp !== undefined &&
  (metadata.finalizers?.some((f) => f === orphanFinalizer || f === foregroundFinalizer) ?? false);

const ignoreNotFound = (error: unknown): void => {
  if (!isNotFound(error)) throw error;
};
