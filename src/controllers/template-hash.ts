// The hash that names what is made from a template: a Deployment's ReplicaSets, the revisions of sets.
// Equal templates give equal hashes, whatever the order of fields.
import { safeEncode } from '../base/index.ts';

/** Members in the order of their names, at every depth; absent ones left out. */
export function canonical(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(canonical);
  const source = value as Record<string, unknown>;
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(source).sort())
    if (source[key] !== undefined) out[key] = canonical(source[key]);
  return out;
}

/** FNV-1a, 32 bits, over the canonical JSON and the number of collisions so far. */
export function templateHash(template: unknown, collisionCount: number): string {
  const text = JSON.stringify(canonical(template)) + (collisionCount === 0 ? '' : String(collisionCount));
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return safeEncode(String(hash));
}
