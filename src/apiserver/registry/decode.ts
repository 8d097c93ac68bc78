// The first step of every write: from a body to an object of the kind, with the kind's defaults.
import {
  badRequest,
  type Conversion,
  DecodeError,
  decodeObject,
  type KindDef,
  type KubeObject,
} from '../../machinery/index.ts';
import type { CallContext } from './context.ts';

/** A parsed body, and the duplicate fields its text had. */
export interface Body {
  readonly value: unknown;
  readonly duplicates: readonly string[];
}

/** `Deployment in version "v1" cannot be handled as a Deployment: …` */
export const undecodable = (kind: KindDef, why: string): Error =>
  badRequest(`${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${why}`);

/**
 * Decodes and defaults. Throws 400 when the body is of another kind, does not fit the shape or, under Strict, has unknown or
 * duplicate fields; under Warn those become warnings.
 */
export function decodeBody(kind: KindDef, body: Body, context: CallContext): KubeObject {
  const value = body.value as Record<string, unknown> | null;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw undecodable(
      kind,
      `json: cannot unmarshal ${Array.isArray(value) ? 'array' : typeof value} into Go value of type ${kind.version}.${kind.kind}`,
    );
  }
  checkTypeMeta(kind, value);
  const unknown: string[] = [];
  let object: KubeObject;
  try {
    object = decodeObject(kind.schema, value, unknown) as unknown as KubeObject;
  } catch (error) {
    if (error instanceof DecodeError) throw undecodable(kind, error.message);
    throw error;
  }
  reportStrict(kind, unknown, body.duplicates, context);
  object.apiVersion = kind.apiVersion;
  object.kind = kind.kind;
  const stored = kind.conversion === null ? object : toStored(kind.conversion, object);
  if (kind.defaults !== null) kind.defaults(stored);
  return stored;
}

const toStored = (conversion: Conversion, object: KubeObject): KubeObject => conversion.toStored(object);

function checkTypeMeta(kind: KindDef, value: Record<string, unknown>): void {
  const { apiVersion, kind: named } = value;
  if (named !== undefined && named !== '' && named !== kind.kind) {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind.kind}): ${describe(apiVersion, named)}`,
    );
  }
  if (apiVersion !== undefined && apiVersion !== '' && apiVersion !== kind.apiVersion) {
    throw badRequest(
      `the API version in the data (${String(apiVersion)}) does not match the expected API version (${kind.apiVersion})`,
    );
  }
}

const describe = (apiVersion: unknown, kind: unknown): string =>
  `no kind "${String(kind)}" is registered for version "${String(apiVersion)}"`;

function reportStrict(
  kind: KindDef,
  unknown: readonly string[],
  duplicates: readonly string[],
  context: CallContext,
): void {
  if (context.fieldValidation === 'Ignore' || (unknown.length === 0 && duplicates.length === 0)) return;
  const texts = [
    ...duplicates.map((f) => `duplicate field "${f}"`),
    ...unknown.map((f) => `unknown field "${f}"`),
  ];
  if (context.fieldValidation === 'Strict')
    throw undecodable(kind, `strict decoding error: ${texts.join(', ')}`);
  context.warnings.push(...texts);
}
