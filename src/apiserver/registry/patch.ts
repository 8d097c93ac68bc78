// Patch: the wanted object is the current one with the patch applied; from there on it is an update.
import {
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  badRequest,
  entityTooLarge,
  type KindDef,
  type KubeObject,
  type PatchProblem,
  StatusError,
  unsupportedMediaType,
} from '../../machinery/index.ts';
import type { CallContext } from './context.ts';
import type { Place, RegistryCore } from './core.ts';
import { type Body, decodeBody, undecodable } from './decode.ts';
import { type Answer, objectOf } from './objects.ts';
import { applyUpdate } from './update.ts';

export type PatchType = 'json' | 'merge' | 'strategic';

/** Applies a patch to an object, or to the part of it that a subresource shows. */
export async function patch(
  core: RegistryCore,
  at: Place,
  type: PatchType,
  body: Body,
  context: CallContext,
  subresource = '',
): Promise<Answer> {
  if (context.fieldValidation !== 'Ignore' && body.duplicates.length > 0)
    reportDuplicates(at.kind, body, context);
  let first = true;
  return applyUpdate(core, at, context, {
    subresource,
    change: (entry) => {
      const current = outward(at.kind, objectOf(entry));
      const patched = applyPatch(at.kind, type, current, body.value);
      // Warnings of the first attempt stand for all.
      const object = decodeBody(
        at.kind,
        { value: patched, duplicates: [] },
        first ? context : { ...context, warnings: [] },
      );
      first = false;
      if (object.metadata.name !== at.name) {
        throw badRequest(
          `the name of the object (${object.metadata.name ?? ''}) does not match the name on the URL (${at.name})`,
        );
      }
      if (at.namespace !== undefined) object.metadata.namespace = at.namespace;
      return object;
    },
  });
}

const outward = (kind: KindDef, object: KubeObject): KubeObject =>
  kind.conversion === null ? object : kind.conversion.fromStored(object);

export function applyPatch(kind: KindDef, type: PatchType, current: KubeObject, patchBody: unknown): unknown {
  switch (type) {
    case 'json': {
      const result = applyJsonPatch(current, patchBody);
      if (result.ok) return result.value;
      throw patchFailure(result.problem, result.message);
    }
    case 'merge':
      requireObject(patchBody);
      return applyMergePatch(current, patchBody);
    case 'strategic': {
      requireObject(patchBody);
      const result = applyStrategicMergePatch(kind.schema, current, patchBody);
      if (result.ok) return result.value;
      throw patchFailure(result.problem, result.message);
    }
    default:
      throw unsupportedMediaType(`the patch type ${String(type)} is not supported`);
  }
}

function patchFailure(problem: PatchProblem, message: string): StatusError {
  switch (problem) {
    case 'malformed':
      return badRequest(message);
    case 'tooLarge':
      return entityTooLarge(message);
    case 'unprocessable':
      return new StatusError(
        422,
        'Invalid',
        `the server rejected our request due to an error in our request: ${message}`,
        {},
      );
  }
}

function requireObject(value: unknown): asserts value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest('error decoding patch: json: cannot unmarshal the patch into an object');
  }
}

function reportDuplicates(kind: KindDef, body: Body, context: CallContext): void {
  const texts = body.duplicates.map((f) => `duplicate field "${f}"`);
  if (context.fieldValidation === 'Strict')
    throw undecodable(kind, `strict decoding error: ${texts.join(', ')}`);
  context.warnings.push(...texts);
}
