// Create: decode → default → note owners → mutate-admit → prepare → validate → validate-admit → commit.
import { nameSuffix } from '../../base/index.ts';
import {
  alreadyExists,
  badRequest,
  Causes,
  emptyObject,
  type KindDef,
  type KubeObject,
  StatusError,
  validateObjectMeta,
} from '../../machinery/index.ts';
import type { AdmissionRequest } from '../admission/admission.ts';
import type { WriteCall } from './call.ts';
import type { CallContext } from './context.ts';
import {
  answer,
  catchUp,
  collectWarnings,
  dryAnswer,
  metaRulesOf,
  nowText,
  type Place,
  type RegistryCore,
  refOf,
  throwIfInvalid,
} from './core.ts';
import { decodeBody } from './decode.ts';
import { type Answer, keyFor, objectOf } from './objects.ts';
import { dedupOwnerReferences } from './owner-references.ts';
import { noteOwners } from './owners.ts';
import { commitOf } from './translated.ts';
import { wholeObject } from './update-rules.ts';

/** Longest base that leaves room for the five letters of a generated name. */
const maxGeneratedBase = 58;
const generateAttempts = 8;

/** Stores a new object: a POST to the collection. */
export async function create(core: RegistryCore, { at, body, context }: WriteCall): Promise<Answer> {
  const object = decodeBody({ kind: at.kind, kinds: core.kinds }, body, context);
  return createDecoded(core, { at, object, context });
}

export interface DecodedCreate {
  readonly at: Place;
  readonly object: KubeObject;
  readonly context: CallContext;
  /** The object comes with its owners noted. */
  readonly noted?: boolean;
}

export async function createDecoded(
  core: RegistryCore,
  { at, object, context, noted }: DecodedCreate,
): Promise<Answer> {
  const { kind } = at;
  const { metadata } = object;
  if (core.store.shared) await catchUp(core);
  settleNamespace(kind, object, at.namespace);
  if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '') {
    throw new StatusError(500, 'Unknown', 'resourceVersion should not be set on objects to be created');
  }
  const generated = !metadata.name && !!metadata.generateName;
  if (generated) generateName(core, kind, object);
  if (noted !== true) {
    dedupOwnerReferences(object, 'given', context.warnings);
    noteOwners(core, { at, context }, wholeObject, { before: undefined, after: object });
  }
  const mutated = core.admission.mutate(admissionRequest({ at, object, context }));
  if (mutated !== undefined) await mutated;
  dedupOwnerReferences(object, 'admitted', context.warnings);
  prepare(core, kind, object);
  for (let attempt = 1; ; attempt++) {
    const request = admissionRequest({ at, object, context });
    const causes = new Causes();
    const allocator = core.allocators.get(kind);
    const allocation =
      allocator && (await allocator.allocate({ object, old: undefined, dryRun: context.dryRun }, causes));
    let done = false;
    try {
      validateObjectMeta(metadata, metaRulesOf(kind), causes);
      if (kind.validate !== null) kind.validate(object, undefined, causes);
      throwIfInvalid(kind, object, causes);
      if (attempt === 1) collectWarnings(kind, object, undefined, context);
      context.authorizeCreate?.();
      const admitted = core.admission.validate(request);
      if (admitted !== undefined) await admitted;
      const key = keyFor(kind, at.namespace, metadata.name);
      if (context.dryRun) {
        if (core.store.get(key) === undefined) return dryAnswer(kind, object, 201);
      } else {
        const result = await commitOf(core, kind, { key, object, expect: 0, ttlSeconds: kind.ttlSeconds });
        done = result.ok;
        if (result.ok) return answer(kind, result.entry!, 201);
      }
      if (!generated || attempt === generateAttempts) throw nameTaken(core, kind, key);
    } finally {
      if (allocation !== undefined) await allocation.end(done);
      if (!done && request.undo !== null) await request.undo();
    }
    generateName(core, kind, object);
  }
}

/** Who meets an object on its way out learns that waiting may help. */
function nameTaken(core: RegistryCore, kind: KindDef, key: string): StatusError {
  const entry = core.store.get(key);
  const error = alreadyExists(refOf(kind), key.slice(key.lastIndexOf('/') + 1));
  if (entry === undefined || objectOf(entry).metadata.deletionTimestamp === undefined) return error;
  const { code, reason, message, details } = error.toStatus();
  return new StatusError(code!, reason!, `object is being deleted: ${message}`, details);
}

/** Defaults may follow from the name (a namespace's label does), so they run again. */
function generateName(core: RegistryCore, kind: KindDef, object: KubeObject): void {
  object.metadata.name = object.metadata.generateName!.slice(0, maxGeneratedBase) + nameSuffix(core.random);
  kind.defaults?.(object);
}

const admissionRequest = ({ at, object, context }: DecodedCreate): AdmissionRequest => ({
  operation: 'create',
  kind: at.kind,
  namespace: at.namespace,
  name: object.metadata.name ?? '',
  subresource: '',
  object,
  old: null,
  context,
  undo: null,
});

/** The namespace of the request rules; a body that names another is a mistake. */
export function settleNamespace(kind: KindDef, object: KubeObject, namespace: string | undefined): void {
  const { metadata } = object;
  if (kind.scope === 'Cluster') {
    if (metadata.namespace !== undefined && metadata.namespace !== '') delete metadata.namespace;
    return;
  }
  if (namespace === undefined) throw badRequest('an empty namespace may not be set during creation');
  if (metadata.namespace !== undefined && metadata.namespace !== '' && metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  metadata.namespace = namespace;
}

/** Sets what only the server may set. */
function prepare(core: RegistryCore, kind: KindDef, object: KubeObject): void {
  const { metadata } = object;
  metadata.uid = core.random.uuid();
  metadata.creationTimestamp = nowText(core);
  if (metadata.deletionTimestamp !== undefined) delete metadata.deletionTimestamp;
  if (metadata.deletionGracePeriodSeconds !== undefined) delete metadata.deletionGracePeriodSeconds;
  if (metadata.selfLink !== undefined) delete metadata.selfLink;
  if (kind.generationFields.length > 0) metadata.generation = 1;
  else if (metadata.generation !== undefined) delete metadata.generation;
  if (kind.subresources.status && !kind.subresources.keepsStatusOnCreate) clearStatus(kind, object);
  if (kind.prepareCreate !== null) kind.prepareCreate(object, { nowMs: core.clock.nowMs() });
}

/** Status is written by controllers through its own subresource, never by authors. */
function clearStatus(kind: KindDef, object: KubeObject): void {
  const loose = object as KubeObject & { status?: unknown };
  const field = kind.schema.fields.get('status');
  if (field?.emit === 'always' && field.schema.type === 'object') loose.status = emptyObject(field.schema);
  else delete loose.status;
}
