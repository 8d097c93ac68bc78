// Delete: at once, or as a mark that waits for a grace period or for finalizers.
import {
  badRequest,
  type DeleteOptions,
  formatTime,
  type KubeObject,
  notFound,
  type Status,
  staleObject,
} from '../../machinery/index.ts';
import type { Entry } from '../../storage/index.ts';
import type { CallContext } from './context.ts';
import {
  answer,
  checkPreconditions,
  commit,
  dryAnswer,
  type Place,
  type RegistryCore,
  refOf,
} from './core.ts';
import { type Answer, keyFor, mutableCopy, objectOf } from './objects.ts';

const retries = 100;
const orphanFinalizer = 'orphan';
const foregroundFinalizer = 'foregroundDeletion';

/** Deletes or marks one object. 404 when it is not there. Idempotent on objects already marked. */
export async function remove(
  core: RegistryCore,
  at: Place,
  options: DeleteOptions,
  context: CallContext,
): Promise<Answer> {
  const key = keyFor(at.kind, at.namespace, at.name);
  for (let attempt = 0; attempt < retries; attempt++) {
    const entry = core.store.get(key);
    if (entry === undefined) throw notFound(refOf(at.kind), at.name);
    const current = objectOf(entry);
    checkPreconditions(at, current, options.preconditions);
    core.admission.validate({
      operation: 'delete',
      kind: at.kind,
      namespace: at.namespace,
      name: at.name,
      subresource: '',
      object: null,
      old: current,
      context,
    });

    const marked = planDeletion(core, at, entry, options);
    if (marked === undefined) {
      if (context.dryRun) return deletedAnswer(at, entry);
      const gone = await removeNow(core, at, entry, current);
      if (gone !== undefined) return gone;
    } else {
      if (context.dryRun) return dryAnswer(at.kind, marked);
      const result =
        marked === current
          ? ({ ok: true, entry } as const)
          : await commit(core, { key, object: marked, expect: entry.revision });
      if (result.ok) return answer(at.kind, result.entry!);
    }
    if (options.preconditions?.resourceVersion !== undefined) throw staleObject(refOf(at.kind), at.name);
  }
  throw staleObject(refOf(at.kind), at.name);
}

/** The object as it waits for its end; undefined = nothing holds it, delete now. The current object itself = nothing changes. */
function planDeletion(
  core: RegistryCore,
  at: Place,
  entry: Entry,
  options: DeleteOptions,
): KubeObject | undefined {
  const { kind } = at;
  const current = objectOf(entry);
  const finalizers = wantedFinalizers(current, options);
  const held = finalizers.length > 0 || (kind.deletionHeld?.(current) ?? false);
  const grace = graceFor(at, current, options);
  if (!held && grace === 0) return undefined;

  const pending = current.metadata.deletionTimestamp !== undefined;
  const pendingGrace = current.metadata.deletionGracePeriodSeconds ?? 0;
  const sameFinalizers = finalizers.join() === (current.metadata.finalizers ?? []).join();
  // A second delete may only shorten the wait.
  if (pending && sameFinalizers && grace >= pendingGrace) return current;

  const object = mutableCopy(entry);
  if (finalizers.length > 0) object.metadata.finalizers = finalizers;
  else delete object.metadata.finalizers;
  if (!pending) {
    object.metadata.deletionGracePeriodSeconds = grace;
    object.metadata.deletionTimestamp = formatTime(core.clock.nowMs() + grace * 1000);
    if (kind.generationFields.length > 0) object.metadata.generation = (object.metadata.generation ?? 0) + 1;
    kind.beginDeletion?.(object);
  } else if (grace < pendingGrace) {
    const started = Date.parse(current.metadata.deletionTimestamp!) - pendingGrace * 1000;
    object.metadata.deletionGracePeriodSeconds = grace;
    object.metadata.deletionTimestamp = formatTime(started + grace * 1000);
  }
  return object;
}

function graceFor(at: Place, current: KubeObject, options: DeleteOptions): number {
  if (at.kind.gracePeriodSeconds === null) return 0;
  const requested = options.gracePeriodSeconds;
  if (requested !== undefined && requested < 0) return Math.min(1, at.kind.gracePeriodSeconds(current, 1));
  return at.kind.gracePeriodSeconds(current, requested);
}

/** What the propagation policy adds to or takes from the finalizers. */
function wantedFinalizers(object: KubeObject, options: DeleteOptions): string[] {
  const own = object.metadata.finalizers ?? [];
  const orphan = options.propagationPolicy === 'Orphan' || options.orphanDependents === true;
  const foreground = options.propagationPolicy === 'Foreground';
  const chosen = options.propagationPolicy !== undefined || options.orphanDependents !== undefined;
  if (!chosen) return own;
  const rest = own.filter((f) => f !== orphanFinalizer && f !== foregroundFinalizer);
  if (orphan) rest.push(orphanFinalizer);
  else if (foreground) rest.push(foregroundFinalizer);
  return rest;
}

/** Takes the entry out of the store. undefined = somebody changed it meanwhile. `last` is its final state. */
export async function removeNow(
  core: RegistryCore,
  at: Place,
  entry: Entry,
  last: KubeObject,
): Promise<Answer | undefined> {
  const result = await commit(core, { key: entry.key, object: null, expect: entry.revision });
  if (!result.ok)
    return result.current === undefined ? Promise.reject(notFound(refOf(at.kind), at.name)) : undefined;
  core.allocators.get(at.kind)?.release(last, undefined);
  return deletedAnswer(at, entry);
}

function deletedAnswer(at: Place, entry: Entry): Answer {
  if (at.kind.returnsDeleted) return answer(at.kind, entry);
  const object = objectOf(entry);
  const status: Status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: at.name,
      ...(at.kind.group !== '' && { group: at.kind.group }),
      kind: at.kind.plural,
      uid: object.metadata.uid,
    },
  };
  return { code: 200, entry: null, object: status as unknown as KubeObject };
}

/** Options of a delete as clients send them (body or query). */
export function checkDeleteOptions(options: DeleteOptions): DeleteOptions {
  const { propagationPolicy, orphanDependents } = options;
  if (propagationPolicy !== undefined && orphanDependents !== undefined) {
    throw badRequest(
      'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: orphanDependents and deletionPropagation cannot be both set',
    );
  }
  if (
    propagationPolicy !== undefined &&
    !['Orphan', 'Background', 'Foreground'].includes(propagationPolicy)
  ) {
    throw badRequest(
      `DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: ${JSON.stringify(propagationPolicy)}: supported values: "Background", "Foreground", "Orphan"`,
    );
  }
  return options;
}
