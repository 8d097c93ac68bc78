// Delete: at once, or as a mark that waits for a grace period or for finalizers.
import {
  Causes,
  type DeleteOptions,
  formatTime,
  type KindDef,
  type KubeObject,
  notFound,
  type Status,
  StatusError,
  staleObject,
} from '../../machinery/index.ts';
import type { Entry } from '../../storage/index.ts';
import type { CallContext } from './context.ts';
import {
  answer,
  catchUp,
  checkPreconditions,
  commit,
  dryAnswer,
  type Place,
  type RegistryCore,
  refOf,
} from './core.ts';
import { type Answer, keyFor, mutableCopy, objectOf } from './objects.ts';
import { commitOf, inVersion } from './translated.ts';

const retries = 100;
const orphanFinalizer = 'orphan';
const foregroundFinalizer = 'foregroundDeletion';

export interface DeleteCall {
  readonly at: Place;
  readonly options: DeleteOptions;
  readonly context: CallContext;
}

/** Deletes or marks one object. 404 when it is not there. Idempotent on objects already marked. */
export async function remove(core: RegistryCore, { at, options, context }: DeleteCall): Promise<Answer> {
  const key = keyFor(at.kind, at.namespace, at.name);
  warnOfUnsaidDependents(at.kind, options, context);
  if (core.store.shared) await catchUp(core);
  for (let attempt = 0; attempt < retries; attempt++) {
    const stored = core.store.get(key);
    if (stored === undefined) throw notFound(refOf(at.kind), at.name);
    const entry = at.kind.translation === null ? stored : await inVersion(at.kind, stored);
    const current = objectOf(entry);
    checkPreconditions(at, current, options.preconditions);
    const admitted = core.admission.validate({
      operation: 'delete',
      kind: at.kind,
      namespace: at.namespace,
      name: at.name,
      subresource: '',
      object: null,
      old: current,
      context,
      undo: null,
    });
    if (admitted !== undefined) await admitted;

    const marked = planDeletion(core, { at, options, context }, entry);
    if (marked === undefined) {
      const last = lastState(core, at, entry);
      if (context.dryRun) return last === null ? deletedAnswer(at, entry) : dryAnswer(at.kind, last);
      const gone = last === null ? await removeNow(core, at, entry) : await removeLast(core, at, entry, last);
      if (gone !== undefined) return gone;
    } else {
      if (context.dryRun) return dryAnswer(at.kind, marked);
      const result =
        marked === current
          ? ({ ok: true, entry } as const)
          : await commitOf(core, at.kind, { key, object: marked, expect: entry.revision });
      if (result.ok) return answer(at.kind, result.entry!, options.orphanDependents === false ? 202 : 200);
    }
  }
  throw staleObject(refOf(at.kind), at.name);
}

/** The object as it waits for its end; undefined = nothing holds it, delete now. The current object itself = nothing changes. */
function planDeletion(
  core: RegistryCore,
  { at: { kind }, options }: DeleteCall,
  entry: Entry,
): KubeObject | undefined {
  const current = objectOf(entry);
  const { deletionTimestamp: pendingSince, deletionGracePeriodSeconds: pendingGrace = 0 } = current.metadata;
  const requested = requestedGrace(options);
  // While a grace period runs, another delete can only shorten it.
  const waiting = pendingSince !== undefined && pendingGrace > 0;
  if (waiting && (requested === undefined || requested >= pendingGrace)) return current;
  let grace = 0;
  if (waiting) grace = requested!;
  else if (pendingSince === undefined) grace = kind.gracePeriodSeconds?.(current, requested) ?? 0;

  const finalizers = wantedFinalizers(kind, current, options);
  const held = finalizers.length > 0 || (kind.deletionHeld?.(current) ?? false);
  if (!held && grace === 0) return undefined;
  const sameFinalizers = finalizers.join() === (current.metadata.finalizers ?? []).join();
  if (pendingSince !== undefined && !waiting && sameFinalizers) return current;

  const object = mutableCopy(entry);
  const { metadata } = object;
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  else delete metadata.finalizers;
  if (pendingSince === undefined) {
    // What holds itself (a namespace, a definition) is marked by its own rules, which say nothing of grace.
    if (kind.deletionHeld === null) metadata.deletionGracePeriodSeconds = grace;
    metadata.deletionTimestamp = formatTime(core.clock.nowMs() + grace * 1000);
    if (kind.generationFields.length > 0) metadata.generation = (metadata.generation ?? 0) + 1;
    kind.beginDeletion?.(object);
  } else if (waiting) {
    const started = Date.parse(pendingSince) - pendingGrace * 1000;
    metadata.deletionGracePeriodSeconds = grace;
    metadata.deletionTimestamp = formatTime(started + grace * 1000);
  }
  return object;
}

/**
 * What has a grace period, and is to go without it, is first seen with none left; only then it is deleted. null = it has been seen so
 * before, or the kind knows no grace.
 */
function lastState(core: RegistryCore, { kind }: Place, entry: Entry): KubeObject | null {
  if (kind.gracePeriodSeconds === null) return null;
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = objectOf(entry).metadata;
  if (deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0) return null;
  const object = mutableCopy(entry);
  const { metadata } = object;
  if (deletionTimestamp === undefined) {
    metadata.deletionTimestamp = formatTime(core.clock.nowMs());
    if (kind.generationFields.length > 0) metadata.generation = (metadata.generation ?? 0) + 1;
  } else
    metadata.deletionTimestamp = formatTime(
      Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000,
    );
  metadata.deletionGracePeriodSeconds = 0;
  return object;
}

/** Deletes in two writes, as kube-apiserver does: whoever watches sees the last state first. undefined = somebody wrote in between. */
async function removeLast(
  core: RegistryCore,
  at: Place,
  entry: Entry,
  last: KubeObject,
): Promise<Answer | undefined> {
  const seen = await commit(core, { key: entry.key, object: last, expect: entry.revision });
  if (!seen.ok) return undefined;
  try {
    return await removeNow(core, at, seen.entry!);
  } catch (error) {
    // Who saw the last state may have been quicker, a node for one.
    if (error instanceof StatusError && error.code === 404) return answer(at.kind, seen.entry!);
    throw error;
  }
}

/** Less than nothing counts as one second. */
const requestedGrace = ({ gracePeriodSeconds }: DeleteOptions): number | undefined =>
  gracePeriodSeconds !== undefined && gracePeriodSeconds < 0 ? 1 : gracePeriodSeconds;

/** The finalizers with those that tell the garbage collector what becomes of the dependents. */
function wantedFinalizers({ dependents }: KindDef, object: KubeObject, options: DeleteOptions): string[] {
  const own = object.metadata.finalizers ?? [];
  const rest = own.filter((f) => f !== orphanFinalizer && f !== foregroundFinalizer);
  if (dependents === 'none') return rest;
  let chosen = chosenFinalizer(options);
  if (chosen === undefined && rest.length < own.length) return own;
  chosen ??= dependents === 'orphan' ? orphanFinalizer : '';
  if (chosen === '') return rest;
  return own.length === rest.length + 1 && own.includes(chosen) ? own : [...rest, chosen];
}

/** '' = the dependents go in the background; undefined = the options do not say. */
function chosenFinalizer({ propagationPolicy, orphanDependents }: DeleteOptions): string | undefined {
  if (orphanDependents !== undefined) return orphanDependents ? orphanFinalizer : '';
  if (propagationPolicy === undefined) return undefined;
  if (propagationPolicy === 'Orphan') return orphanFinalizer;
  return propagationPolicy === 'Foreground' ? foregroundFinalizer : '';
}

/** Who does not say what becomes of the dependents may have to hear what will. Once a request, however many objects it deletes. */
function warnOfUnsaidDependents(
  { unsaidDependentsWarning: warning }: KindDef,
  options: DeleteOptions,
  { warnings }: CallContext,
): void {
  if (warning !== '' && chosenFinalizer(options) === undefined && !warnings.includes(warning))
    warnings.push(warning);
}

/** Takes the entry out of the store. undefined = somebody changed it meanwhile. */
export async function removeNow(core: RegistryCore, at: Place, entry: Entry): Promise<Answer | undefined> {
  const result = await commit(core, { key: entry.key, object: null, expect: entry.revision });
  if (!result.ok)
    return result.current === undefined ? Promise.reject(notFound(refOf(at.kind), at.name)) : undefined;
  await core.allocators.get(at.kind)?.release(objectOf(entry));
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

/** Options of a delete as clients send them (body or query). Throws 422. */
export function checkDeleteOptions(options: DeleteOptions): DeleteOptions {
  const { propagationPolicy, orphanDependents } = options;
  const causes = new Causes();
  if (propagationPolicy !== undefined && orphanDependents !== undefined)
    causes.invalid(
      'propagationPolicy',
      propagationPolicy,
      'orphanDependents and deletionPropagation cannot be both set',
    );
  if (propagationPolicy !== undefined && !policies.includes(propagationPolicy))
    causes.notSupported('propagationPolicy', propagationPolicy, [...policies, 'nil']);
  const error = causes.toError('meta.k8s.io', 'DeleteOptions', '');
  if (error !== undefined) throw error;
  return options;
}

const policies = ['Background', 'Foreground', 'Orphan'];
