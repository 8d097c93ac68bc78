// JSON merge patch (RFC 7386): members replace members, null removes them, lists are replaced whole.
import { copyObject, isObject, type Json, memberOf, setMember } from './result.ts';

/**
 * The object with the patch applied. Neither argument is changed; parts that the patch does not touch are shared with the
 * original, and values it brings are shared with the patch.
 */
export function applyMergePatch(original: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const out: Json = isObject(original) ? copyObject(original) : {};
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === null) delete out[key];
    else setMember(out, key, isObject(value) ? applyMergePatch(memberOf(out, key), value) : value);
  }
  return out;
}
