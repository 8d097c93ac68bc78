// What a patch comes to. A patch that does not apply is an expected outcome, so it is a value; the API server words the Status.

/**
 * Why a patch failed. `malformed`: it is no patch of its type (400). `unexplained`: so is this,
 * but Kubernetes answers as if the fault were its own (500). `tooLarge`: too many operations (413).
 * `unprocessable`: it does not apply to this object (422).
 */
export type PatchProblem = 'malformed' | 'unexplained' | 'tooLarge' | 'unprocessable';

export type PatchResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: PatchProblem; readonly message: string };

/** Carries the failure out of a recursive application; it never leaves this folder. */
export class PatchError extends Error {
  readonly problem: PatchProblem;

  constructor(problem: PatchProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}

export function attempt(apply: () => unknown): PatchResult {
  try {
    return { ok: true, value: apply() };
  } catch (error) {
    if (error instanceof PatchError) return { ok: false, problem: error.problem, message: error.message };
    throw error;
  }
}

export type Json = Record<string, unknown>;

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Sets a member by any name: assigning `__proto__` would change the prototype instead. */
export function setMember(object: Json, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  else object[key] = value;
}

/** A member of its own, or undefined: never what every object inherits. JSON has no undefined of its own. */
export const memberOf = (object: Json, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined;

/** Own members in a new object, whatever their names. */
export function copyObject(object: Json): Json {
  const out: Json = {};
  for (const key of Object.keys(object)) setMember(out, key, object[key]);
  return out;
}

/** Equality of JSON values; the order of members does not count. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => equalJson(item, b[i]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equalJson(a[key], b[key]))
  );
}
