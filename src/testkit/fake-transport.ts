// THE FAKE OF Transport: a small API server in memory, for tests of informers and controllers. It has revisions, watches, conflicts,
// status isolation, finalizers, graceful deletion and history that can be lost; it has no admission, no validation, no storage
// and no subresources but status, scale (of spec.replicas), binding and eviction. It passes client/transport-contract.ts, as the real
// transports do.
//
// Like the in-process transport it hands out frozen, shared objects. Unlike it, events can be made to come late or twice.
import { kinds } from '../api/index.ts';
import type { Clock, Random } from '../base/index.ts';
import { nameSuffix } from '../base/index.ts';
import type {
  ApiResource,
  DeleteOptions,
  ListQuery,
  ListResult,
  PatchType,
  Target,
  Transport,
  WatchQuery,
  WatchSink,
  WriteOptions,
} from '../client/index.ts';
import {
  alreadyExists,
  badRequest,
  conflict,
  decodeObject,
  formatTime,
  type KindDef,
  type KubeObject,
  methodNotSupported,
  notFound,
  staleObject,
} from '../machinery/index.ts';
import { applyPatch, carry, deepFreeze, sameJson, scaleOf, selectionTest } from './fake-objects.ts';
import { FakeStore, refOf, success } from './fake-store.ts';
import { type Delivery, FakeWatches } from './fake-watches.ts';

export type { Delivery };

export type FakeVerb =
  | 'get'
  | 'list'
  | 'watch'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'deleteCollection';

export interface FakeCall {
  readonly verb: FakeVerb;
  readonly target: Target;
}

export interface FakeTransportOptions {
  readonly clock: Clock;
  readonly random: Random;
}

type Loose = KubeObject & { status?: unknown; spec?: unknown };

export class FakeTransport implements Transport {
  /** How watch events travel; may be changed at any time. */
  get delivery(): Delivery {
    return this.#watches.delivery;
  }

  set delivery(delivery: Delivery) {
    this.#watches.delivery = delivery;
  }

  /** Called before each call; what it returns is thrown. */
  failWith: ((call: FakeCall) => unknown) | null = null;
  /** What other servers serve, by GROUP/VERSION; an Error = they do not answer. */
  readonly remoteResources = new Map<string, readonly ApiResource[] | Error>();
  /** Every call made, oldest first; clear it by setting its length to 0. */
  readonly calls: FakeCall[] = [];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #watches: FakeWatches;
  readonly #store: FakeStore;

  constructor(options: FakeTransportOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#watches = new FakeWatches(options.clock);
    this.#store = new FakeStore(this.#watches);
  }

  get revision(): number {
    return this.#store.revision;
  }

  /** Forgets all changes so far: a watch from before now gets 410. */
  compact(): void {
    this.#watches.compact(this.#store.revision);
  }

  /** Ends every watch, as a server that stops or a connection that breaks. */
  cutWatches(error?: unknown): void {
    this.#watches.cut(error);
  }

  /** Loses the events that are under way. */
  dropUndelivered(): void {
    this.#watches.dropUndelivered();
  }

  /** Sends a bookmark to every watch. */
  bookmark(): void {
    this.#watches.bookmark(this.#store.revision);
  }

  /** Watches open now. */
  get watching(): number {
    return this.#watches.open;
  }

  async get(target: Target): Promise<KubeObject> {
    this.#enter('get', target);
    const object = this.#store.require(target);
    return target.subresource === 'scale' ? scaleOf(object) : object;
  }

  async list(target: Target, query: ListQuery): Promise<ListResult<KubeObject>> {
    this.#enter('list', target);
    const matches = selectionTest(target.kind, query);
    const from = query.continue === undefined ? '' : query.continue;
    const found = this.#store.under(target).filter(([key, object]) => key > from && matches(object));
    found.sort(([a], [b]) => (a < b ? -1 : 1));
    const page = query.limit === undefined || query.limit <= 0 ? found : found.slice(0, query.limit);
    return {
      items: page.map(([, object]) => object),
      resourceVersion: String(this.#store.revision),
      continue: page.length < found.length ? page.at(-1)![0] : undefined,
    };
  }

  watch(target: Target, query: WatchQuery, sink: WatchSink, signal: AbortSignal): void {
    // As over a network: nothing happens before the caller has returned.
    queueMicrotask(() => {
      if (signal.aborted) return;
      try {
        this.#enter('watch', target);
        this.#watches.start(
          { target, query },
          this.#watches.initial(query) ? this.#store.under(target).map(([, object]) => object) : [],
          sink,
          signal,
        );
      } catch (error) {
        sink.onEnd(error);
      }
    });
  }

  async create(target: Target, given: unknown, options: WriteOptions): Promise<KubeObject> {
    this.#enter('create', target);
    if (target.subresource !== '') return this.#createSub(target, given);
    const { kind } = target;
    const object = this.#decode(kind, given) as Loose;
    const { metadata } = object;
    if (metadata.resourceVersion)
      throw badRequest('resourceVersion should not be set on objects to be created');
    if (kind.scope === 'Namespaced') {
      if (target.namespace === undefined)
        throw badRequest('an empty namespace may not be set during creation');
      metadata.namespace = target.namespace;
    } else delete metadata.namespace;
    if (!metadata.name) {
      if (!metadata.generateName) throw badRequest('name or generateName is required');
      metadata.name = metadata.generateName + nameSuffix(this.#random);
    }
    if (this.#store.has(kind, metadata)) throw alreadyExists(refOf(kind), metadata.name);
    metadata.uid = this.#random.uuid();
    metadata.creationTimestamp = formatTime(this.#clock.nowMs());
    delete metadata.deletionTimestamp;
    delete metadata.deletionGracePeriodSeconds;
    if (kind.generationFields.length > 0) metadata.generation = 1;
    if (kind.subresources.status && !kind.subresources.keepsStatusOnCreate) {
      const empty = this.#decode(kind, { metadata }) as Loose;
      if (empty.status === undefined) delete object.status;
      else object.status = empty.status;
    }
    kind.prepareCreate?.(object, { nowMs: this.#clock.nowMs() });
    return options.dryRun === true ? deepFreeze(object) : this.#store.commit(kind, object);
  }

  async update(target: Target, given: unknown, options: WriteOptions): Promise<KubeObject> {
    this.#enter('update', target);
    return this.#update(target, this.#decode(target.kind, given), options);
  }

  async patch(
    target: Target,
    type: PatchType,
    patch: unknown,
    options: WriteOptions & { force?: boolean },
  ): Promise<KubeObject> {
    this.#enter('patch', target);
    const current = this.#store.require(target);
    if (target.subresource === 'scale') {
      const { metadata, spec } = patch as Loose & { spec: { replicas: number } };
      const { name, uid } = current.metadata;
      const scaled: Loose = {
        ...structuredClone(current),
        metadata: { ...current.metadata, ...metadata, name, uid },
      };
      scaled.spec = { ...(scaled.spec as object), replicas: spec.replicas };
      return scaleOf(
        this.#update({ ...target, subresource: '' }, this.#decode(target.kind, scaled), options),
      );
    }
    const patched = applyPatch(target.kind, type, structuredClone(current), patch);
    return this.#update(target, this.#decode(target.kind, patched), options);
  }

  async delete(target: Target, options: DeleteOptions): Promise<KubeObject> {
    this.#enter('delete', target);
    return this.#delete(target, options);
  }

  async deleteCollection(target: Target, query: ListQuery, options: DeleteOptions): Promise<void> {
    this.#enter('deleteCollection', target);
    const matches = selectionTest(target.kind, query);
    for (const [, object] of this.#store.under(target)) {
      if (!matches(object)) continue;
      const { namespace, name } = object.metadata;
      this.#delete({ ...target, namespace, name }, options);
    }
  }

  async resources(at: { readonly group: string; readonly version: string }): Promise<readonly ApiResource[]> {
    const { group, version } = at;
    const remote = this.remoteResources.get(`${group}/${version}`);
    if (remote instanceof Error) throw remote;
    if (remote !== undefined) return remote;
    const found = kinds.filter((kind) => kind.group === group && kind.version === version);
    if (found.length === 0) throw notFound({ group: '', resource: '' }, `${group}/${version}`);
    return found.map(({ plural, kind, scope, verbs }) => ({
      name: plural,
      namespaced: scope === 'Namespaced',
      kind,
      verbs,
    }));
  }

  async close(): Promise<void> {
    this.cutWatches();
  }

  #enter(verb: FakeVerb, target: Target): void {
    const call: FakeCall = { verb, target };
    this.calls.push(call);
    const failure = this.failWith?.(call);
    if (failure !== undefined && failure !== null) throw failure;
    if (verb !== 'get' && verb !== 'update' && verb !== 'patch') return;
    if (target.subresource === 'scale' && verb !== 'update') return;
    if (target.subresource !== '' && target.subresource !== 'status')
      throw methodNotSupported(refOf(target.kind), `${verb} of ${target.subresource} by the fake`);
  }

  #decode(kind: KindDef, given: unknown): KubeObject {
    if (kind.conversion !== null) throw new Error(`the fake does not serve ${kind.apiVersion} ${kind.kind}`);
    const object = decodeObject(kind.schema, given, []) as unknown as KubeObject;
    kind.defaults?.(object);
    // In the order in which the server writes them.
    return { ...object, apiVersion: kind.apiVersion, kind: kind.kind, metadata: { ...object.metadata } };
  }

  #update(target: Target, object: Loose, options: WriteOptions): KubeObject {
    const { kind, subresource } = target;
    const old = this.#store.require(target) as Loose;
    const { metadata } = object;
    if (metadata.name !== target.name)
      throw badRequest(
        `the name of the object (${metadata.name}) does not match the name on the URL (${target.name})`,
      );
    if (metadata.resourceVersion && metadata.resourceVersion !== old.metadata.resourceVersion)
      throw staleObject(refOf(kind), target.name);
    if (metadata.uid && metadata.uid !== old.metadata.uid)
      throw conflict(
        refOf(kind),
        target.name,
        `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${old.metadata.uid}`,
      );
    for (const field of [
      'namespace',
      'uid',
      'creationTimestamp',
      'generation',
      'deletionTimestamp',
      'deletionGracePeriodSeconds',
      'resourceVersion',
    ] as const)
      carry(
        metadata as unknown as Record<string, unknown>,
        old.metadata as unknown as Record<string, unknown>,
        field,
      );
    const loose = object as unknown as Record<string, unknown>;
    const before = old as unknown as Record<string, unknown>;
    if (subresource === 'status') {
      for (const field of new Set([...Object.keys(loose), ...Object.keys(before)]))
        if (field !== 'status' && field !== 'metadata') carry(loose, before, field);
      kind.prepareStatus?.(object, old, { nowMs: this.#clock.nowMs() });
    } else {
      if (kind.subresources.status) carry(loose, before, 'status');
      kind.prepareUpdate?.(object, old, { nowMs: this.#clock.nowMs() });
      if (kind.generationFields.some((field) => !sameJson(loose[field], before[field])))
        metadata.generation = (old.metadata.generation ?? 0) + 1;
    }
    if (sameJson(object, old)) return old;
    if (options.dryRun === true) return deepFreeze(object);
    const going = metadata.deletionTimestamp !== undefined && !(metadata.deletionGracePeriodSeconds! > 0);
    if (going && (metadata.finalizers?.length ?? 0) === 0 && !kind.deletionHeld?.(object))
      return this.#store.remove(kind, object);
    return this.#store.commit(kind, object);
  }

  #delete(target: Target, options: DeleteOptions): KubeObject {
    const { kind } = target;
    const current = this.#store.require(target);
    const { uid, resourceVersion } = options.preconditions ?? {};
    const refuse = (what: string, wanted: string, has: string) =>
      conflict(
        refOf(kind),
        target.name,
        `Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${has}`,
      );
    if (uid !== undefined && uid !== current.metadata.uid) throw refuse('UID', uid, current.metadata.uid);
    if (resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion)
      throw refuse('ResourceVersion', resourceVersion, current.metadata.resourceVersion);
    const object = structuredClone(current);
    const { metadata } = object;
    const finalizers = new Set(metadata.finalizers);
    if (options.propagationPolicy === 'Foreground') finalizers.add('foregroundDeletion');
    if (options.propagationPolicy === 'Orphan') finalizers.add('orphan');
    const graceSeconds = kind.gracePeriodSeconds?.(current, options.gracePeriodSeconds) ?? 0;
    const held = finalizers.size > 0 || kind.deletionHeld?.(current) === true;
    if (options.dryRun === true) return current;
    if (!held && graceSeconds === 0) return this.#store.remove(kind, object);
    if (finalizers.size > 0) metadata.finalizers = [...finalizers];
    if (metadata.deletionTimestamp === undefined) {
      metadata.deletionTimestamp = formatTime(this.#clock.nowMs() + graceSeconds * 1000);
      metadata.deletionGracePeriodSeconds = graceSeconds;
      if (kind.generationFields.length > 0) metadata.generation = (metadata.generation ?? 0) + 1;
      kind.beginDeletion?.(object);
    } else if (graceSeconds < (metadata.deletionGracePeriodSeconds ?? 0))
      metadata.deletionGracePeriodSeconds = graceSeconds;
    if (sameJson(object, current)) return current;
    return this.#store.commit(kind, object);
  }

  #createSub(target: Target, given: unknown): KubeObject {
    const { kind } = target;
    const body = given as { target?: { name?: string }; deleteOptions?: DeleteOptions };
    if (kind.kind === 'Pod' && target.subresource === 'binding') {
      const pod = structuredClone(this.#store.require(target)) as KubeObject & {
        spec: { nodeName?: string };
      };
      if (pod.spec.nodeName)
        throw conflict(
          refOf(kind),
          target.name,
          `pod ${target.name} is already assigned to node "${pod.spec.nodeName}"`,
        );
      pod.spec.nodeName = body.target?.name ?? '';
      this.#store.commit(kind, pod);
    } else if (kind.kind === 'Pod' && target.subresource === 'eviction') {
      this.#delete({ ...target, subresource: '' }, body.deleteOptions ?? {});
    } else throw methodNotSupported(refOf(kind), `create of ${target.subresource} by the fake`);
    return success();
  }
}
