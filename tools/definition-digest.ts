// A short digest of what an OpenAPI v2 definition says besides prose: types, formats, required fields, references, x-kubernetes-*. The
// generator writes those of the published definitions down, and a test compares the server's own with them.
import { createHash } from 'node:crypto';

/** The same for definitions that differ in descriptions, enumerations and the order of members only. */
export function definitionDigest(definition: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(normal(definition)))
    .digest('hex')
    .slice(0, 12);
}

/** Published definitions have neither enumerations nor defaults, whatever the server that printed them knows. */
const prose = new Set(['description', 'enum', 'default']);

function normal(value: unknown, key?: string): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => normal(item));
    return key === 'required' ? items.sort() : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  // Below `properties` the keys are names of fields, and a field may be called description.
  const members = Object.entries(value).filter(([name]) => key === 'properties' || !prose.has(name));
  return Object.fromEntries(
    members
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, below]) => [name, normal(below, key === 'properties' ? undefined : name)]),
  );
}
