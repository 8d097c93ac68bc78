// Fills in what an author left out, and takes out the nulls that a field may not have.
import { hasValues, isMap, itemsOf, type JsonSchema, propertyOf, valuesOf } from './json-schema.ts';

/** Mutates `value`; idempotent. A null where none is allowed counts as left out. */
export function applyDefaults(schema: JsonSchema | undefined, value: unknown): void {
  if (schema === undefined) return;
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    for (let i = 0; i < value.length; i++) {
      if (value[i] === null && replaces(items)) value[i] = structuredClone(items.default);
      applyDefaults(items, value[i]);
    }
    return;
  }
  if (!isMap(value)) return;
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    if (
      property.default !== undefined &&
      (!Object.hasOwn(value, name) || (value[name] === null && !property.nullable))
    )
      value[name] = structuredClone(property.default);
  for (const key of Object.keys(value)) {
    const property = propertyOf(schema, key);
    const below = property ?? (hasValues(schema) ? valuesOf(schema) : undefined);
    if (value[key] !== null) applyDefaults(below, value[key]);
    else if (property !== undefined && !property.nullable) delete value[key];
    else if (property === undefined && replaces(below)) value[key] = structuredClone(below.default);
  }
}

const replaces = (schema: JsonSchema | undefined): schema is JsonSchema =>
  schema !== undefined && !schema.nullable && schema.default !== undefined;

/** Whether anything in a schema has a default. */
export function hasDefaults(schema: JsonSchema | undefined): boolean {
  if (schema === undefined) return false;
  if (schema.default !== undefined) return true;
  return (
    hasDefaults(itemsOf(schema)) ||
    hasDefaults(valuesOf(schema)) ||
    Object.values(schema.properties ?? {}).some(hasDefaults)
  );
}
