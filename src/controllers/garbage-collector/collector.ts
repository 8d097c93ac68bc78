// Garbage collection by owner references, over every kind. Informers are the graph: an index by owner uid gives dependents. It is
// no ordinary controller because its keys are objects of all kinds.
import type { Clock, Log, Scope } from '../../base/index.ts';
import { type Client, type Informer, type Informers, WorkQueue } from '../../client/index.ts';
import {
  isConflict,
  isNotFound,
  type KindDef,
  type KubeObject,
  keyOf,
  type OwnerReference,
} from '../../machinery/index.ts';
import { blocks, foregroundFinalizer, judge, type OwnerState, orphanFinalizer } from './plan.ts';

export interface GarbageCollectorOptions {
  readonly client: Client;
  readonly informers: Informers;
  readonly kinds: readonly KindDef[];
  readonly scope: Scope;
  readonly clock: Clock;
  readonly log: Log;
}

const workers = 16;
const byOwner = 'byOwner';

/** Kinds that never own and are never owned are not watched: they change most of all. */
const ignored = new Set(['Event', 'Lease']);

/** Starts collecting; resolves when every informer has synced. */
export async function startGarbageCollector(options: GarbageCollectorOptions): Promise<void> {
  const collector = new GarbageCollector(options);
  await collector.start();
}

class GarbageCollector {
  readonly #options: GarbageCollectorOptions;
  readonly #informers: Informer[] = [];
  readonly #byId = new Map<string, Informer>();
  readonly #queue: WorkQueue;

  constructor(options: GarbageCollectorOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({ clock: options.clock, retryMaxMs: 30_000 });
  }

  async start(): Promise<void> {
    const { kinds, informers, scope } = this.#options;
    for (const kind of kinds) {
      if (kind.conversion !== null || ignored.has(kind.kind) || !kind.verbs.includes('watch')) continue;
      const informer = informers(kind);
      informer.addIndex(byOwner, (object) => (object.metadata.ownerReferences ?? []).map((o) => o.uid));
      this.#informers.push(informer);
      this.#byId.set(idOf(kind.group, kind.kind), informer);
    }
    await Promise.all(this.#informers.map((i) => i.synced));
    const ends = this.#informers.map((informer) =>
      informer.onChange({
        added: (object) => this.#look(informer.kind, object),
        updated: (_, object) => this.#look(informer.kind, object),
        deleted: (object) => this.#gone(object),
      }),
    );
    scope.onStop(() => {
      for (const end of ends) end();
    });
    for (let i = 0; i < workers; i++) scope.run('garbage collector', (signal) => this.#work(signal));
    scope.signal.addEventListener('abort', () => this.#queue.shutDown(), { once: true });
  }

  #look(kind: KindDef, object: KubeObject): void {
    if ((object.metadata.ownerReferences?.length ?? 0) > 0 || waitsForUs(object))
      this.#queue.add(keyFor(kind, object));
  }

  /** Dependents of what is gone are looked at, and owners that waited for it. */
  #gone(object: KubeObject): void {
    this.#enqueueDependents(object.metadata.uid);
    for (const owner of object.metadata.ownerReferences ?? []) {
      const found = this.#find(owner, object.metadata.namespace);
      if (found !== undefined && waitsForUs(found.object)) this.#queue.add(keyFor(found.kind, found.object));
    }
  }

  #enqueueDependents(uid: string): void {
    for (const informer of this.#informers) {
      for (const dependent of informer.byIndex(byOwner, uid))
        this.#queue.add(keyFor(informer.kind, dependent));
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const key = await this.#queue.next();
      if (key === undefined || signal.aborted) return;
      try {
        await this.#process(key);
        this.#queue.forget(key);
      } catch (error) {
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
    if (waitsForUs(object)) {
      await this.#release(kind, object);
      return;
    }
    const verdict = judge(object, (owner) => this.#stateOf(owner, object.metadata.namespace));
    if (verdict.do === 'nothing') return;
    const { client } = this.#options;
    const { name, namespace, uid, resourceVersion } = object.metadata;
    try {
      if (verdict.do === 'unlink') {
        await client(kind).patch({ name, namespace }, 'merge', {
          metadata: { uid, resourceVersion, ownerReferences: verdict.keep },
        });
      } else {
        this.#options.log.debug('collecting', {
          kind: kind.kind,
          key: keyOf(object),
          policy: verdict.policy,
        });
        await client(kind).delete(name, namespace, {
          propagationPolicy: verdict.policy,
          preconditions: { uid, resourceVersion },
        });
      }
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** An object with the orphan or foreground finalizer: does what it waits for, then lets it go. */
  async #release(kind: KindDef, object: KubeObject): Promise<void> {
    const { client } = this.#options;
    const { uid, finalizers = [] } = object.metadata;
    const dependents = this.#informers.flatMap((i) =>
      i.byIndex(byOwner, uid).map((dependent) => ({ kind: i.kind, dependent })),
    );
    if (finalizers.includes(orphanFinalizer)) {
      for (const { kind: of, dependent } of dependents) {
        const { name, namespace, uid: own } = dependent.metadata;
        const ownerReferences = (dependent.metadata.ownerReferences ?? []).filter((o) => o.uid !== uid);
        await client(of)
          .patch({ name, namespace }, 'merge', { metadata: { uid: own, ownerReferences } })
          .catch(ignoreNotFound);
      }
      await this.#removeFinalizer(kind, object, orphanFinalizer);
      return;
    }
    const blocking = dependents.filter(({ dependent }) => blocks(dependent, uid));
    if (blocking.length === 0) {
      await this.#removeFinalizer(kind, object, foregroundFinalizer);
      return;
    }
    // Each is judged by itself: it sees its owner waiting.
    for (const { kind: of, dependent } of dependents) this.#queue.add(keyFor(of, dependent));
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

  #stateOf(owner: OwnerReference, namespace: string | undefined): OwnerState {
    const informer = this.#byId.get(idOf(groupOf(owner.apiVersion), owner.kind));
    // An owner of a kind that is not served cannot be judged; its dependents are left alone.
    if (informer === undefined) return 'solid';
    const found = this.#find(owner, namespace);
    if (found === undefined || found.object.metadata.uid !== owner.uid) return 'absent';
    const { deletionTimestamp, finalizers } = found.object.metadata;
    return deletionTimestamp !== undefined && finalizers?.includes(foregroundFinalizer) === true
      ? 'waiting'
      : 'solid';
  }

  /** Owners live in the same namespace, or have none. */
  #find(
    owner: OwnerReference,
    namespace: string | undefined,
  ): { kind: KindDef; object: KubeObject } | undefined {
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
