// Takes what the schema does not know out of a value: a field that nobody declared is not stored.
import {
  hasValues,
  isMap,
  itemsOf,
  type Json,
  type JsonSchema,
  preserves,
  propertyOf,
  valuesOf,
} from './json-schema.ts';

/** Every object that is a resource has them, declared or not. */
const resourceFields = new Set(['apiVersion', 'kind', 'metadata']);

/**
 * Mutates `value`. `dropped` collects the full paths of what was taken out: `spec.ports[0].foo`. The value of a whole resource has an
 * apiVersion, a kind and metadata, which stay whatever the schema says.
 */
export function prune(schema: JsonSchema, value: Json, dropped: string[]): void {
  pruneValue({ ...schema, 'x-kubernetes-embedded-resource': true }, value, '', dropped);
}

/** The same for a part of a resource: the default of a field. */
export function prunePart(schema: JsonSchema, value: unknown, dropped: string[]): void {
  pruneValue(schema, value, '', dropped);
}

const member = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

function pruneValue(schema: JsonSchema | undefined, value: unknown, path: string, dropped: string[]): void {
  if (schema !== undefined && preserves(schema)) {
    pruneKnown(schema, value, path, dropped);
    return;
  }
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    for (const [i, item] of value.entries()) pruneValue(items, item, `${path}[${i}]`, dropped);
    return;
  }
  if (!isMap(value)) return;
  for (const key of Object.keys(value)) {
    if (schema?.['x-kubernetes-embedded-resource'] === true && resourceFields.has(key)) continue;
    const property = propertyOf(schema, key);
    const here = member(path, key);
    if (property !== undefined) pruneValue(property, value[key], here, dropped);
    else if (schema !== undefined && hasValues(schema))
      pruneValue(valuesOf(schema), value[key], here, dropped);
    else {
      delete value[key];
      dropped.push(here);
    }
  }
}

/** Below what preserves the unknown, only what is declared is pruned, by its own declaration. */
function pruneKnown(schema: JsonSchema | undefined, value: unknown, path: string, dropped: string[]): void {
  if (schema === undefined) return;
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    for (const [i, item] of value.entries()) pruneKnown(items, item, `${path}[${i}]`, dropped);
    return;
  }
  if (!isMap(value)) return;
  for (const key of Object.keys(value)) {
    if (schema['x-kubernetes-embedded-resource'] === true && resourceFields.has(key)) continue;
    const property = propertyOf(schema, key);
    if (property !== undefined) pruneValue(property, value[key], member(path, key), dropped);
    else if (valuesOf(schema) !== undefined)
      pruneValue(valuesOf(schema), value[key], member(path, key), dropped);
  }
}
