// Server-side apply: PATCH with application/apply-patch+yaml. The configuration is laid over the newest version and owned by its
// applier; what is missing is created.
import {
  ApplyConflict,
  applyConfiguration,
  badRequest,
  conflict,
  DecodeError,
  describeManager,
  isAlreadyExists,
  type KindDef,
  type KubeObject,
  pathText,
  StatusError,
  typeFaults,
} from '../../machinery/index.ts';
import type { Body, WriteCall } from './call.ts';
import type { CallContext } from './context.ts';
import { catchUp, checkNames, type Place, type RegistryCore, refOf } from './core.ts';
import { createDecoded } from './create.ts';
import { settled } from './decode.ts';
import { type Answer, keyFor, objectOf } from './objects.ts';
import { managedWrite } from './owners.ts';
import { applyUpdate } from './update.ts';
import { type UpdateRules, wholeObject } from './update-rules.ts';

type Json = Record<string, unknown>;

/** Applies to an object, or to the part of it that a subresource shows; only the whole object is created. */
export async function apply(
  core: RegistryCore,
  call: WriteCall,
  rules: UpdateRules = wholeObject,
): Promise<Answer> {
  const { at, body, context } = call;
  const configuration = readConfiguration(at.kind, body, context);
  if (core.store.shared) await catchUp(core);
  const missing = () => core.store.get(keyFor(at.kind, at.namespace, at.name)) === undefined;
  if (rules === wholeObject && missing()) {
    try {
      return await createApplied(core, call, configuration);
    } catch (error) {
      // Somebody else was faster: then it is there to be changed.
      if (!isAlreadyExists(error) || missing()) throw error;
    }
  }
  return applyToLive(core, call, rules, configuration);
}

/** Applies to what is there. `configuration` has been read by `readConfiguration`, or is made of one. */
export function applyToLive(
  core: RegistryCore,
  call: { readonly at: Place; readonly context: CallContext },
  rules: UpdateRules,
  configuration: Json,
): Promise<Answer> {
  // Their owners come with the objects that this makes.
  return applyUpdate(core, call, { ...rules, noted: true }, (entry) =>
    applied(core, call, rules, { live: objectOf(entry), configuration }),
  );
}

function createApplied(core: RegistryCore, call: WriteCall, configuration: Json): Promise<Answer> {
  const { at, context } = call;
  const object = applied(core, call, wholeObject, { live: undefined, configuration });
  const { uid } = object.metadata;
  if (uid !== undefined && uid !== '')
    throw conflict(
      refOf(at.kind),
      at.name,
      `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
    );
  return createDecoded(core, { at, object, context, noted: true });
}

/** The new object as it will be stored. */
function applied(
  core: RegistryCore,
  call: { readonly at: Place; readonly context: CallContext },
  rules: UpdateRules,
  { live, configuration }: { live: KubeObject | undefined; configuration: Json },
): KubeObject {
  const { at, context } = call;
  const write = managedWrite(core, call, { rules, operation: 'Apply' });
  try {
    const object = applyConfiguration(write, live, { configuration, force: context.force ?? false });
    checkNames(at, object.metadata);
    if (at.namespace !== undefined) object.metadata.namespace = at.namespace;
    return settled(at.kind, object);
  } catch (error) {
    if (error instanceof ApplyConflict) throw applyConflict(error);
    if (error instanceof DecodeError)
      throw unfit(
        `failed to convert new typed object (${described(at.kind, configuration)}) to object: ${error.message}`,
      );
    throw error;
  }
}

/** Checks what has no meaning in a configuration before anything is looked at. */
export function readConfiguration(
  kind: Pick<KindDef, 'group' | 'version' | 'kind' | 'schema'>,
  body: Body,
  context: CallContext,
): Json {
  const value = (body.value ?? {}) as Json;
  if (typeof value !== 'object' || Array.isArray(value))
    throw badRequest(
      `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${Array.isArray(value) ? 'array' : typeof value} into Go value of type map[string]interface {}`,
    );
  const type = typeText(value);
  if (type !== `${kind.group}/${kind.version}, Kind=${kind.kind}`)
    throw badRequest(`invalid object type: ${type}`);
  if (Array.isArray((value['metadata'] as Json | null | undefined)?.['managedFields']))
    throw badRequest('metadata.managedFields must be nil');
  const faults = typeFaults(kind.schema, value);
  if (faults !== undefined)
    throw unfit(`failed to create typed patch object (${described(kind, value)}): ${faults}`);
  const twice = body.duplicates.map((field) => `duplicate field "${field}"`).join(', ');
  if (twice !== '' && context.fieldValidation === 'Strict')
    throw badRequest(`error strict decoding YAML: ${twice}`);
  if (twice !== '' && context.fieldValidation === 'Warn') context.warnings.push(twice);
  return value;
}

/** Kubernetes answers so, although it is the configuration that is at fault. */
const unfit = (message: string) => new StatusError(500, 'Unknown', message);

function typeText({ apiVersion, kind }: Json): string {
  const text = typeof apiVersion === 'string' ? apiVersion : '';
  return `${text.includes('/') ? text : `/${text}`}, Kind=${typeof kind === 'string' ? kind : ''}`;
}

function described(kind: Pick<KindDef, 'group' | 'version' | 'kind'>, configuration: Json): string {
  const { name, namespace } = (configuration['metadata'] ?? {}) as { name?: unknown; namespace?: unknown };
  return `${String(namespace ?? '')}/${String(name ?? '')}; ${kind.group}/${kind.version}, Kind=${kind.kind}`;
}

const applyConflict = ({ message, conflicts }: ApplyConflict) =>
  new StatusError(409, 'Conflict', message, {
    causes: conflicts.map(({ manager, path }) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${describeManager(manager)}`,
      field: pathText(path),
    })),
  });
