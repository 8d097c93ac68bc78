// Update of an object or its status: the new state is made from the old one by `change`, then goes through the same steps
// as a create. Lost races are run again unless the caller named the version it started from.
import {
  badRequest,
  Causes,
  conflict,
  type KubeObject,
  notFound,
  staleObject,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from '../../machinery/index.ts';
import type { Entry } from '../../storage/index.ts';
import type { CallContext } from './context.ts';
import {
  answer,
  collectWarnings,
  commit,
  dryAnswer,
  type Place,
  parseRevision,
  type RegistryCore,
  refOf,
  throwIfInvalid,
} from './core.ts';
import { createDecoded, settleNamespace } from './create.ts';
import { type Body, decodeBody } from './decode.ts';
import { removeNow } from './delete.ts';
import { type Answer, keyFor, objectOf, sameJson } from './objects.ts';

/** What an update does to the current object. */
export interface UpdatePlan {
  readonly subresource: string;
  /** The wanted object, made from the current one (a fresh copy is passed only on request). Called again after a lost race. */
  readonly change: (current: Entry) => KubeObject;
}

type WithStatus = KubeObject & { status?: unknown };

/** PUT of a whole object, or of its status when `subresource` is 'status'. */
export async function update(
  core: RegistryCore,
  at: Place,
  body: Body,
  context: CallContext,
  subresource = '',
): Promise<Answer> {
  const wanted = decodeBody(at.kind, body, context);
  if (wanted.metadata.name !== undefined && wanted.metadata.name !== '' && wanted.metadata.name !== at.name) {
    throw badRequest(
      `the name of the object (${wanted.metadata.name}) does not match the name on the URL (${at.name})`,
    );
  }
  wanted.metadata.name = at.name;
  if (
    at.kind.scope === 'Namespaced' &&
    wanted.metadata.namespace !== undefined &&
    wanted.metadata.namespace !== '' &&
    wanted.metadata.namespace !== at.namespace
  ) {
    throw badRequest(
      `the namespace of the object (${wanted.metadata.namespace}) does not match the namespace on the URL (${at.namespace})`,
    );
  }
  settleNamespace(at.kind, wanted, at.namespace);
  if (
    subresource === '' &&
    at.kind.createOnUpdate &&
    core.store.get(keyFor(at.kind, at.namespace, at.name)) === undefined
  ) {
    return createDecoded(core, at, wanted, context);
  }
  const pristine = wanted;
  const pinnedTo = wanted.metadata.resourceVersion;
  let used = false;
  return applyUpdate(core, at, context, {
    subresource,
    change: () => {
      const object = used ? structuredClone(pristine) : pristine;
      used = true;
      // The attempt before has filled in the version that it lost to.
      object.metadata.resourceVersion = pinnedTo;
      return object;
    },
  });
}

const retries = 100;

/** Runs `plan.change` on the newest version until it is committed. A resourceVersion in the wanted object must be the current one. */
export async function applyUpdate(
  core: RegistryCore,
  at: Place,
  context: CallContext,
  plan: UpdatePlan,
): Promise<Answer> {
  const { kind } = at;
  const key = keyFor(kind, at.namespace, at.name);
  const ref = refOf(kind);
  for (let attempt = 0; attempt < retries; attempt++) {
    const entry = core.store.get(key);
    if (entry === undefined) throw notFound(ref, at.name);
    const old = objectOf(entry);
    const object = plan.change(entry);
    const given = object.metadata.resourceVersion;
    const pinned = given !== undefined && given !== '' && parseRevision(given) !== 0;
    if (pinned && given !== old.metadata.resourceVersion) throw staleObject(ref, at.name);
    if (
      object.metadata.uid !== undefined &&
      object.metadata.uid !== '' &&
      object.metadata.uid !== old.metadata.uid
    ) {
      throw conflict(
        ref,
        at.name,
        `Precondition failed: UID in precondition: ${object.metadata.uid}, UID in object meta: ${old.metadata.uid}`,
      );
    }
    keepServerFields(object, old);
    // Who named no version means the newest: from here on, rules see an object that says which one it replaces.
    object.metadata.resourceVersion = old.metadata.resourceVersion;
    const request = {
      operation: 'update',
      kind,
      namespace: at.namespace,
      name: at.name,
      subresource: plan.subresource,
      object,
      old,
      context,
    } as const;
    core.admission.mutate(request);
    if (plan.subresource === 'status') {
      keepAllButStatus(kind.schema.fields.keys(), object, old);
      kind.prepareStatus?.(object, old);
    } else if (plan.subresource === '') prepare(core, at, object, old);
    if (plan.subresource !== 'status' && plan.subresource !== 'binding')
      raiseGeneration(kind.generationFields, object, old);

    const causes = new Causes();
    const undo =
      plan.subresource === '' ? core.allocators.get(kind)?.allocate(object, old, causes) : undefined;
    try {
      validateObjectMeta(
        object.metadata,
        { namespaced: kind.scope === 'Namespaced', nameRule: kind.nameRule },
        causes,
      );
      validateObjectMetaUpdate(object.metadata, old.metadata, causes);
      if (plan.subresource === 'status') {
        if (kind.validateStatus !== null) kind.validateStatus(object, old, causes);
      } else if (kind.validate !== null && plan.subresource === '') kind.validate(object, old, causes);
      throwIfInvalid(kind, object, causes);
      if (plan.subresource === '') collectWarnings(kind, object, old, context);
      core.admission.validate(request);
      if (context.dryRun) {
        undo?.();
        return dryAnswer(kind, object);
      }
      if (sameJson(object, old)) {
        undo?.();
        return answer(kind, entry);
      }
      if (releasesDeletion(kind.deletionHeld, object)) {
        const gone = await removeNow(core, at, entry, object);
        if (gone !== undefined) return gone;
      } else {
        const result = await commit(core, {
          key,
          object,
          expect: entry.revision,
          ttlSeconds: kind.ttlSeconds,
        });
        if (result.ok) {
          core.allocators.get(kind)?.release(old, object);
          return answer(kind, result.entry!);
        }
      }
    } catch (error) {
      undo?.();
      throw error;
    }
    undo?.();
    if (pinned) throw staleObject(ref, at.name);
  }
  throw staleObject(ref, at.name);
}

/** What an update may not change, whatever it says. */
function keepServerFields(object: KubeObject, old: KubeObject): void {
  const { metadata } = object;
  metadata.uid = old.metadata.uid;
  metadata.creationTimestamp = old.metadata.creationTimestamp;
  carry(metadata, old.metadata, 'generation');
  carry(metadata, old.metadata, 'deletionTimestamp');
  carry(metadata, old.metadata, 'deletionGracePeriodSeconds');
  delete metadata.selfLink;
}

function carry<K extends string>(
  to: Partial<Record<K, unknown>>,
  from: Partial<Record<K, unknown>>,
  field: K,
): void {
  if (from[field] === undefined) delete to[field];
  else to[field] = from[field];
}

function keepAllButStatus(fields: Iterable<string>, object: KubeObject, old: KubeObject): void {
  for (const field of fields) {
    if (field === 'status' || field === 'metadata') continue;
    carry(object as unknown as Record<string, unknown>, old as unknown as Record<string, unknown>, field);
  }
}

function prepare(core: RegistryCore, at: Place, object: WithStatus, old: WithStatus): void {
  if (at.kind.subresources.status) carry(object as Partial<Record<'status', unknown>>, old, 'status');
  if (at.kind.prepareUpdate !== null) at.kind.prepareUpdate(object, old, { nowMs: core.clock.nowMs() });
}

function raiseGeneration(fields: readonly string[], object: KubeObject, old: KubeObject): void {
  if (fields.length === 0) return;
  const now = object as unknown as Record<string, unknown>;
  const before = old as unknown as Record<string, unknown>;
  if (fields.some((f) => !sameJson(now[f], before[f])))
    object.metadata.generation = (old.metadata.generation ?? 0) + 1;
}

/** The last finalizer went: the deletion that waited for it happens now. */
function releasesDeletion(held: ((object: KubeObject) => boolean) | null, object: KubeObject): boolean {
  const { deletionTimestamp, finalizers, deletionGracePeriodSeconds } = object.metadata;
  if (deletionTimestamp === undefined || (finalizers?.length ?? 0) > 0) return false;
  if ((deletionGracePeriodSeconds ?? 0) > 0) return false;
  return held === null || !held(object);
}
