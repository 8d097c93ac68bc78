// Which item of an old list an item of the new one was.
import { isMap, type JsonSchema } from './json-schema.ts';

/** Items of a list are followed through its changes by their keys alone: of other lists nobody can say which item it was. */
export function earlierItems(schema: JsonSchema, old: unknown): (item: unknown) => unknown {
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(old)) return () => undefined;
  const idOf = (item: unknown) => JSON.stringify(keys.map((key) => (isMap(item) ? item[key] : undefined)));
  const byId = new Map(old.map((item) => [idOf(item), item]));
  return (item) => byId.get(idOf(item));
}
