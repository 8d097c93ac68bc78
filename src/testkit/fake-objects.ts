// What the fake transport needs to know of objects: freezing, comparing, selecting, patching.
import type { PatchType } from '../client/index.ts';
import {
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  badRequest,
  compileLabelSelector,
  formatLabelSelector,
  type KindDef,
  type KubeObject,
  type PatchResult,
  parseFieldSelector,
  parseLabelSelector,
} from '../machinery/index.ts';

/** Freezes the value and everything in it; a second time costs nothing. Returns it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
  return value;
}

/** Equal as JSON: members in any order, undefined = absent. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)]))
    if (!sameJson(left[key], right[key])) return false;
  return true;
}

/** Throws 400 on a selector that does not parse or names a field that the kind does not offer. */
export function selectionTest(
  kind: KindDef,
  query: { labelSelector?: string | undefined; fieldSelector?: string | undefined },
): (object: KubeObject) => boolean {
  const labels = parseLabelSelector(query.labelSelector ?? '');
  if (!labels.ok) throw badRequest(labels.error);
  const fields = parseFieldSelector(query.fieldSelector ?? '');
  if (!fields.ok) throw badRequest(fields.error);
  const matches = compileLabelSelector(labels.value);
  const tests = fields.value.map(({ field, operator, value }) => {
    const read = readerOf(kind, field);
    return (object: KubeObject) => (read(object) === value) === (operator === '=');
  });
  return (object) => matches(object.metadata.labels) && tests.every((test) => test(object));
}

function readerOf(kind: KindDef, field: string): (object: KubeObject) => string {
  if (field === 'metadata.name') return (object) => object.metadata.name;
  if (field === 'metadata.namespace' && kind.scope === 'Namespaced')
    return (object) => object.metadata.namespace ?? '';
  const read = kind.selectableFields[field];
  if (read === undefined) throw badRequest(`field label not supported: ${field}`);
  return read;
}

export function applyPatch(kind: KindDef, type: PatchType, current: KubeObject, patch: unknown): unknown {
  const checked = (result: PatchResult): unknown => {
    if (!result.ok) throw badRequest(result.message);
    return result.value;
  };
  if (type === 'merge') return applyMergePatch(current, patch);
  if (type === 'json') return checked(applyJsonPatch(current, patch));
  if (type === 'strategic') return checked(applyStrategicMergePatch(kind.schema, current, patch));
  throw new Error('the fake does not serve server-side apply');
}

/** Makes `field` of `to` what it is in `from`, absence included. */
export function carry(to: Record<string, unknown>, from: Record<string, unknown>, field: string): void {
  if (from[field] === undefined) delete to[field];
  else to[field] = from[field];
}

/** As far as autoscalers read it. */
export const scaleOf = (object: KubeObject): KubeObject => {
  const { spec, status } = object as KubeObject & {
    spec?: { replicas?: number; selector?: object };
    status?: { replicas?: number };
  };
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: object.metadata,
    spec: { replicas: spec?.replicas ?? 0 },
    status: { replicas: status?.replicas ?? 0, selector: formatLabelSelector(spec?.selector) },
  } as KubeObject;
};
