// Patch: the wanted object is the current one with the patch applied; from there on it is an update.
import {
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  badRequest,
  Causes,
  DecodeError,
  entityTooLarge,
  goText,
  invalid,
  type KindDef,
  type KubeObject,
  type PatchProblem,
  StatusError,
  unsupportedMediaType,
} from '../../machinery/index.ts';
import { apply } from './apply.ts';
import type { WriteCall } from './call.ts';
import type { CallContext } from './context.ts';
import { checkNames, type Place, type RegistryCore } from './core.ts';
import { decodePatched, strictTexts } from './decode.ts';
import { type Answer, objectOf } from './objects.ts';
import { applyUpdate } from './update.ts';
import { type UpdateRules, wholeObject } from './update-rules.ts';

/** Of these an `apply` alone does not say how to change the object, but what it should be (apply.ts). */
export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface PatchCall extends WriteCall {
  readonly type: PatchType;
}

/** Applies a patch to an object, or to the part of it that a subresource shows. */
export async function patch(
  core: RegistryCore,
  call: PatchCall,
  rules: UpdateRules = wholeObject,
): Promise<Answer> {
  const { at, body, type, context } = call;
  if (type === 'apply') return apply(core, call, rules);
  if (type === 'strategic' && at.kind.custom !== null)
    throw unsupportedMediaType(
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
    );
  let attempts = 0;
  return applyUpdate(core, call, rules, (entry) => {
    const patched = applyPatch(call, at.kind, outward(at.kind, objectOf(entry)));
    const { object, strict } = decodeResult(at, type, patched, body.value);
    // Said once: the attempts after a lost race would say it again.
    if (attempts++ === 0)
      reportStrict(context, [...strictTexts([], body.duplicates), ...strict], () =>
        shownPatch(type, patched, body.value),
      );
    checkNames(at, object.metadata);
    if (at.namespace !== undefined) object.metadata.namespace = at.namespace;
    return object;
  });
}

const outward = (kind: KindDef, object: KubeObject): KubeObject =>
  kind.conversion === null ? object : kind.conversion.fromStored(object);

/**
 * What `current` becomes; `kind` is what it is. The result shares parts with it and must be decoded before it is changed. The 422 of
 * a patch that does not apply is Kubernetes' own, which does not say why.
 */
export function applyPatch(
  { type, body }: Pick<PatchCall, 'type' | 'body'>,
  kind: KindDef,
  current: KubeObject,
): unknown {
  const { value } = body;
  if (type !== 'json') requireObject(value);
  if (type === 'merge') return applyMergePatch(current, value);
  const result =
    type === 'json'
      ? applyJsonPatch(current, value)
      : applyStrategicMergePatch(kind.schema, current, value as Record<string, unknown>);
  if (result.ok) return result.value;
  throw patchFailure(result.problem, result.message);
}

function decodeResult(
  at: Place,
  type: PatchType,
  patched: unknown,
  patchBody: unknown,
): ReturnType<typeof decodePatched> {
  const { apiVersion, kind } = (patched ?? {}) as { apiVersion?: unknown; kind?: unknown };
  if (kind !== at.kind.kind || apiVersion !== at.kind.apiVersion)
    throw badRequest(
      `a patch cannot change apiVersion and kind: the result is ${String(apiVersion)}, Kind=${String(kind)}, the object is ${at.kind.apiVersion}, Kind=${at.kind.kind}`,
    );
  try {
    return decodePatched(at.kind, patched);
  } catch (error) {
    if (error instanceof DecodeError) throw invalidPatch(shownPatch(type, patched, patchBody), error.message);
    throw error;
  }
}

/** Kubernetes shows a strategic patch as Go prints a map, and otherwise the whole result. */
const shownPatch = (type: PatchType, patched: unknown, patchBody: unknown): string =>
  type === 'strategic' ? goText(patchBody) : JSON.stringify(patched);

function invalidPatch(shown: string, why: string): StatusError {
  const causes = new Causes();
  causes.invalid('patch', shown, why);
  return invalid('', '', '', causes.list);
}

function patchFailure(problem: PatchProblem, message: string): StatusError {
  switch (problem) {
    case 'malformed':
      return badRequest(message);
    case 'unexplained':
      return new StatusError(500, 'Unknown', message);
    case 'tooLarge':
      return entityTooLarge(message);
    case 'unprocessable':
      return new StatusError(
        422,
        'Invalid',
        'the server rejected our request due to an error in our request',
        {},
      );
  }
}

function requireObject(value: unknown): asserts value is Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  const what = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  throw badRequest(
    `error decoding patch: json: cannot unmarshal ${what} into Go value of type map[string]interface {}`,
  );
}

function reportStrict(context: CallContext, texts: readonly string[], shown: () => string): void {
  if (context.fieldValidation === 'Ignore' || texts.length === 0) return;
  if (context.fieldValidation === 'Strict')
    throw invalidPatch(shown(), `strict decoding error: ${texts.join(', ')}`);
  context.warnings.push(...texts);
}
