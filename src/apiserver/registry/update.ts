// Update: the wanted state is made from the current one by `change`, then goes through the same steps as a create. Lost races
// are run again; a caller who named the version it started from then learns that it is gone.
import {
  Causes,
  conflict,
  type KubeObject,
  notFound,
  staleObject,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from '../../machinery/index.ts';
import type { Entry } from '../../storage/index.ts';
import type { AdmissionRequest } from '../admission/admission.ts';
import type { WriteCall } from './call.ts';
import type { CallContext } from './context.ts';
import {
  answer,
  catchUp,
  checkNames,
  collectWarnings,
  dryAnswer,
  metaRulesOf,
  type Place,
  parseRevision,
  type RegistryCore,
  refOf,
  throwIfInvalid,
} from './core.ts';
import { createDecoded, settleNamespace } from './create.ts';
import { decodeBody } from './decode.ts';
import { removeNow } from './delete.ts';
import { type Answer, keyFor, objectOf, sameJson } from './objects.ts';
import { dedupOwnerReferences } from './owner-references.ts';
import { changesNothing, noteOwners } from './owners.ts';
import { commitOf, inVersion } from './translated.ts';
import { carry, type UpdateRules, wholeObject } from './update-rules.ts';

/** PUT of a whole object, or of the part that a subresource shows. */
export async function update(
  core: RegistryCore,
  { at, body, context }: WriteCall,
  rules: UpdateRules = wholeObject,
): Promise<Answer> {
  const decode = (said: CallContext): KubeObject => {
    const object = decodeBody({ kind: at.kind, kinds: core.kinds }, body, said);
    checkNames(at, object.metadata);
    settleNamespace(at.kind, object, at.namespace);
    dedupOwnerReferences(object, 'given', said.warnings);
    return object;
  };
  let wanted: KubeObject | undefined = decode(context);
  const key = keyFor(at.kind, at.namespace, at.name);
  if (rules === wholeObject && at.kind.createOnUpdate && core.store.get(key) === undefined) {
    const { uid } = wanted.metadata;
    if (uid !== undefined && uid !== '') throw otherUid(at, uid, '');
    wanted.metadata.resourceVersion = '';
    return createDecoded(core, { at, object: wanted, context });
  }
  return applyUpdate(core, { at, context }, rules, () => {
    const object = wanted ?? decode({ ...context, warnings: [] });
    wanted = undefined;
    return object;
  });
}

const retries = 100;

/**
 * Commits what `change` makes of the newest version. `change` is called again after a lost race; the object it returns is the
 * registry's from then on. A resourceVersion in that object must be the current one; '' or none means the newest.
 */
export async function applyUpdate(
  core: RegistryCore,
  { at, context }: { at: Place; context: CallContext },
  rules: UpdateRules,
  change: (current: Entry) => KubeObject,
): Promise<Answer> {
  const { kind } = at;
  const key = keyFor(kind, at.namespace, at.name);
  if (core.store.shared) await catchUp(core);
  for (let attempt = 0; attempt < retries; attempt++) {
    const stored = core.store.get(key);
    if (stored === undefined) throw notFound(refOf(kind), at.name);
    const entry = kind.translation === null ? stored : await inVersion(kind, stored);
    const old = objectOf(entry);
    const object = change(entry);
    requireVersion(at, object);
    checkVersion(at, object, old);
    keepServerFields(object, old);
    if (rules.noted !== true) noteOwners(core, { at, context }, rules, { before: old, after: object });
    const request: AdmissionRequest = {
      operation: 'update',
      kind,
      namespace: at.namespace,
      name: at.name,
      subresource: rules.subresource,
      object,
      old,
      context,
      undo: null,
    };
    const mutated = core.admission.mutate(request);
    if (mutated !== undefined) await mutated;
    // Said once: the attempts after a lost race would say it again.
    dedupOwnerReferences(object, 'admitted', attempt === 0 ? context.warnings : []);
    rules.prepare(kind, object, old, { nowMs: core.clock.nowMs() });
    if (rules.desired) raiseGeneration(kind.generationFields, object, old);

    const causes = new Causes();
    const allocator = rules.desired ? core.allocators.get(kind) : undefined;
    const allocation =
      allocator && (await allocator.allocate({ object, old, dryRun: context.dryRun }, causes));
    let done = false;
    try {
      validateObjectMeta(object.metadata, metaRulesOf(kind), causes);
      validateObjectMetaUpdate(object.metadata, old.metadata, causes);
      rules.validate(kind, object, old, causes);
      throwIfInvalid(kind, object, causes);
      if (rules.desired && attempt === 0) collectWarnings(kind, object, old, context);
      const admitted = core.admission.validate(request);
      if (admitted !== undefined) await admitted;
      if (context.dryRun) return dryAnswer(kind, object);
      if (changesNothing(object, old) && kind.translation?.isOutdated(objectOf(stored)) !== true)
        return answer(kind, entry);
      if (releasesDeletion(kind.deletionHeld, object)) {
        const gone = await removeNow(core, at, entry);
        // Who wrote the object expects an object, not a Status that tells of its deletion.
        if (gone !== undefined) return dryAnswer(kind, object);
      } else {
        const result = await commitOf(core, kind, {
          key,
          object,
          expect: entry.revision,
          ttlSeconds: kind.ttlSeconds,
        });
        if (result.ok) {
          done = true;
          return answer(kind, result.entry!);
        }
      }
    } finally {
      if (allocation !== undefined) await allocation.end(done);
      if (!done && request.undo !== null) await request.undo();
    }
  }
  throw staleObject(refOf(kind), at.name);
}

const otherUid = (at: Place, wanted: string, found: string) =>
  conflict(
    refOf(at.kind),
    at.name,
    `Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${found}`,
  );

/** Some kinds are only replaced by who says which version he saw. */
function requireVersion({ kind, name }: Place, { metadata }: KubeObject): void {
  if (kind.unconditionalUpdate || parseRevision(metadata.resourceVersion ?? '') !== 0) return;
  const causes = new Causes();
  // Kubernetes prints the number that it found as Go does, and names the resource where the kind belongs.
  causes.list.push({
    reason: 'FieldValueInvalid',
    message: 'Invalid value: 0x0: must be specified for an update',
    field: 'metadata.resourceVersion',
  });
  throw causes.toError(kind.group, kind.plural, name)!;
}

/** Who named no version means the newest: from here on, rules see an object that says which one it replaces. */
function checkVersion(at: Place, { metadata }: KubeObject, old: KubeObject): void {
  const { resourceVersion: given, uid } = metadata;
  if (uid !== undefined && uid !== '' && uid !== old.metadata.uid) throw otherUid(at, uid, old.metadata.uid);
  if (given !== undefined && parseRevision(given) !== 0 && given !== old.metadata.resourceVersion)
    throw staleObject(refOf(at.kind), at.name);
  metadata.resourceVersion = old.metadata.resourceVersion;
}

/** What an update may not change, whatever it says. */
function keepServerFields({ metadata }: KubeObject, old: KubeObject): void {
  metadata.uid = old.metadata.uid;
  metadata.creationTimestamp = old.metadata.creationTimestamp;
  carry(metadata, old.metadata, 'generation');
  // A deletion is never taken back, and only a delete begins one: the rules for metadata refuse what says otherwise.
  if (old.metadata.deletionTimestamp !== undefined) carry(metadata, old.metadata, 'deletionTimestamp');
  if (metadata.deletionGracePeriodSeconds === undefined)
    carry(metadata, old.metadata, 'deletionGracePeriodSeconds');
  delete metadata.selfLink;
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
