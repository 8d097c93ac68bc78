// Equality as the API sees it: what is absent, null or empty is the same, because the wire form drops it. The exceptions are
// selectors, where {} takes everything and nothing takes nothing, and emptyDir, where {} is the whole content.

const meansSomething = (field: string): boolean =>
  field === 'emptyDir' || (field !== 'nodeSelector' && /[sS]elector$/.test(field));

function isNothing(value: unknown, field: string): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value !== 'object') return false;
  if (Array.isArray(value)) return value.length === 0;
  if (meansSomething(field)) return false;
  for (const key in value) if (!isNothing((value as Record<string, unknown>)[key], key)) return false;
  return true;
}

/** Deep equality of two JSON values. */
export const semanticEqual = (a: unknown, b: unknown): boolean => equal(a, b, '');

function equal(a: unknown, b: unknown, field: string): boolean {
  if (a === b) return true;
  if (isNothing(a, field) || isNothing(b, field)) return isNothing(a, field) && isNothing(b, field);
  if (typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, i) => equal(item, b[i], ''));
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key in left)
    if (!equal(left[key], Object.hasOwn(right, key) ? right[key] : undefined, key)) return false;
  for (const key in right) if (!Object.hasOwn(left, key) && !isNothing(right[key], key)) return false;
  return true;
}
