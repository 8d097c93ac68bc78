// The first step of every write: from a body to an object of the kind, with the kind's defaults.
import type { RequestBody } from '../../api/index.ts';
import {
  badRequest,
  type CustomKind,
  DecodeError,
  decodeObject,
  type KindDef,
  type KubeObject,
  type ObjectSchema,
} from '../../machinery/index.ts';
import type { Body } from './call.ts';
import type { CallContext } from './context.ts';
import type { KindTable } from './kind-table.ts';

/** What a body should be. */
interface Expected {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: ObjectSchema;
  readonly custom?: CustomKind | null;
}

const apiVersionOf = ({ group, version }: Expected): string =>
  group === '' ? version : `${group}/${version}`;

/** `Deployment in version "v1" cannot be handled as a Deployment: …` */
export const undecodable = (expected: Omit<Expected, 'schema'>, why: string): Error =>
  badRequest(
    `${expected.kind} in version ${JSON.stringify(expected.version)} cannot be handled as a ${expected.kind}: ${why}`,
  );

/**
 * Decodes and defaults. Throws 400 when the body is of another kind, does not fit the shape or, under Strict, has unknown or
 * duplicate fields; under Warn those become warnings. `kinds` is asked only to word the refusal of another kind's object.
 */
export function decodeBody(
  { kind, kinds }: { kind: KindDef; kinds: KindTable },
  body: Body,
  context: CallContext,
): KubeObject {
  const value = requireObject(kind, body.value);
  checkTypeMeta(kind, value, kinds);
  const { object, unknown } = decodeShape(kind, value);
  reportStrict(kind, strictTexts(unknown, body.duplicates), context);
  keepReset(value, object);
  return settled(kind, object);
}

/** The body of a subresource that is no stored kind: a Binding, an Eviction, a Scale. Without a type it is taken for the right one. */
export function decodeRequestBody<T>(expected: RequestBody, body: Body, context: CallContext): T {
  const value = requireObject(expected, body.value);
  const { apiVersion, kind } = value;
  const foreign =
    (kind !== undefined && kind !== '' && kind !== expected.kind) ||
    (apiVersion !== undefined && apiVersion !== '' && apiVersion !== apiVersionOf(expected));
  if (foreign) throw otherKind(expected, value);
  const { object, unknown } = decodeShape(expected, value);
  reportStrict(expected, strictTexts(unknown, body.duplicates), context);
  object.apiVersion = apiVersionOf(expected);
  object.kind = expected.kind;
  return object as T;
}

/** The same for what a patch came to: its faults are for the caller to word. */
export function decodePatched(kind: KindDef, value: unknown): { object: KubeObject; strict: string[] } {
  const unknown: string[] = [];
  const object =
    kind.custom === null
      ? (decodeObject(kind.schema, value, unknown) as unknown as KubeObject)
      : kind.custom.decode(value, unknown);
  keepReset(value, object);
  return { object: settled(kind, object), strict: strictTexts(unknown, []) };
}

function requireObject(expected: Expected, value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  const what = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  throw badRequest(
    `the object provided is unrecognized (must be of type ${expected.kind}): couldn't get version/kind; json parse error: json: cannot unmarshal ${what} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
  );
}

function decodeShape(expected: Expected, value: unknown): { object: KubeObject; unknown: string[] } {
  const unknown: string[] = [];
  try {
    const object = expected.custom
      ? expected.custom.decode(value, unknown)
      : (decodeObject(expected.schema, value, unknown) as unknown as KubeObject);
    return { object, unknown };
  } catch (error) {
    if (error instanceof DecodeError) throw undecodable(expected, error.message);
    throw error;
  }
}

/** `managedFields: []` asks to forget who owns what; decoding leaves empty lists out. */
function keepReset(value: unknown, object: KubeObject): void {
  const given = (value as { metadata?: { managedFields?: unknown } }).metadata?.managedFields;
  if (Array.isArray(given) && given.length === 0) object.metadata.managedFields = [];
}

/** As it will be stored, with the kind's defaults. */
export function settled(kind: KindDef, object: KubeObject): KubeObject {
  object.apiVersion = kind.apiVersion;
  object.kind = kind.kind;
  const stored = kind.conversion === null ? object : kind.conversion.toStored(object);
  if (kind.defaults !== null) kind.defaults(stored);
  return stored;
}

function checkTypeMeta(kind: KindDef, value: Record<string, unknown>, kinds: KindTable): void {
  const { apiVersion, kind: named } = value;
  const sameKind = named === undefined || named === '' || named === kind.kind;
  const sameVersion = apiVersion === undefined || apiVersion === '' || apiVersion === kind.apiVersion;
  if (sameKind && sameVersion) return;
  const given = String(apiVersion ?? kind.apiVersion);
  const known = kinds.all.find((k) => k.apiVersion === given && k.kind === (named ?? kind.kind));
  if (known === undefined) throw otherKind(kind, value);
  if (known.group === kind.group && known.kind === kind.kind)
    throw badRequest(
      `the API version in the data (${given}) does not match the expected API version (${kind.apiVersion})`,
    );
  const from = `${known.version}.${known.kind}`;
  const to = `${kind.group === '' ? 'core' : kind.group.split('.')[0]}.${kind.kind}`;
  throw badRequest(
    `${known.kind} in version ${JSON.stringify(known.version)} cannot be handled as a ${kind.kind}: converting (${from}) to (${to}): unknown conversion`,
  );
}

function otherKind(expected: Expected, value: Record<string, unknown>): Error {
  const kind = typeof value['kind'] === 'string' && value['kind'] !== '' ? value['kind'] : expected.kind;
  const apiVersion = String(value['apiVersion'] ?? apiVersionOf(expected));
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1);
  return badRequest(
    `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${expected.kind}: no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`,
  );
}

export const strictTexts = (unknown: readonly string[], duplicates: readonly string[]): string[] => [
  ...duplicates.map((f) => `duplicate field "${f}"`),
  ...unknown.map((f) => `unknown field "${f}"`),
];

function reportStrict(expected: Expected, texts: readonly string[], context: CallContext): void {
  if (context.fieldValidation === 'Ignore' || texts.length === 0) return;
  if (context.fieldValidation === 'Strict')
    throw undecodable(expected, `strict decoding error: ${texts.join(', ')}`);
  context.warnings.push(...texts);
}
