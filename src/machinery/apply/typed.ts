// Whether a configuration fits the schema. Stricter than decoding, and worded as structured-merge-diff words it: what a
// configuration names is owned by name, so a field that the schema does not know is refused whatever the validation level.
import type { ListSchema, ObjectSchema, Schema } from '../schema/schema.ts';
import { edgeText } from './field-set.ts';
import { isMap, itemEdge, type Json, keyOf, keysOf } from './fields.ts';

/** undefined = it fits; else what is wrong, one line for each fault. */
export function typeFaults(schema: ObjectSchema, configuration: Json): string | undefined {
  const faults: string[] = [];
  check(schema, configuration, '', faults);
  if (faults.length <= 1) return faults[0];
  return `errors:\n${faults.map((fault) => `  ${fault}`).join('\n')}`;
}

function check(schema: Schema, value: unknown, path: string, faults: string[]): void {
  if (value === null || value === undefined) return;
  const wrong = (what: string) => faults.push(path === '' ? what : `${path}: ${what}`);
  switch (schema.type) {
    case 'object':
      if (!isMap(value)) wrong(`expected map, got ${shown(value)}`);
      else checkObject(schema, value, path, faults);
      return;
    case 'map':
      if (!isMap(value)) wrong(`expected map, got ${shown(value)}`);
      else for (const key of Object.keys(value)) check(schema.values, value[key], `${path}.${key}`, faults);
      return;
    case 'list':
      if (!Array.isArray(value)) wrong(`expected list, got ${shown(value)}`);
      else checkList(schema, value, path, faults);
      return;
    case 'int32':
    case 'int64':
    case 'double':
      if (typeof value !== 'number') wrong(`expected numeric (int or float), got ${goType(value)}`);
      return;
    case 'bool':
      if (typeof value !== 'boolean') wrong(`expected boolean, got ${shown(value)}`);
      return;
    case 'string':
    case 'bytes':
      if (typeof value !== 'string') wrong(`expected string, got ${shown(value)}`);
      return;
    case 'quantity':
    case 'time':
    case 'microTime':
    case 'intOrString':
    case 'any':
      return;
  }
}

function checkObject(schema: ObjectSchema, value: Json, path: string, faults: string[]): void {
  for (const key in value) {
    const field = schema.fields.get(key);
    if (field !== undefined) check(field.schema, value[key], `${path}.${key}`, faults);
    else if (!schema.preserveUnknown) faults.push(`${path}.${key}: field not declared in schema`);
  }
}

function checkList(schema: ListSchema, items: readonly unknown[], path: string, faults: string[]): void {
  const seen = new Set<string>();
  items.forEach((item, i) => {
    if (schema.listType === 'atomic') {
      check(schema.items, item, `${path}[${i}]`, faults);
      return;
    }
    const why = unkeyed(schema, item);
    if (why !== undefined) {
      faults.push(`${path}: element ${i}: ${why}`);
      return;
    }
    const edge = itemEdge(schema, item);
    if (seen.has(edge)) faults.push(`${path}: duplicate entries for key ${edgeText(edge)}`);
    seen.add(edge);
    check(schema.items, item, `${path}${edgeText(edge)}`, faults);
  });
}

/** Why an item of a `map` or `set` list has no identity. */
function unkeyed(schema: ListSchema, item: unknown): string | undefined {
  if (schema.listType === 'set') {
    if (isMap(item)) return "associative list without keys has an element that's a map type";
    if (Array.isArray(item)) return 'not supported: associative list with lists as elements';
    return item === null ? "associative list without keys has an element that's an explicit null" : undefined;
  }
  if (item === null) return 'associative list with keys may not have a null element';
  if (!isMap(item)) return 'associative list with keys may not have non-map elements';
  const missing = keysOf(schema).find((key) => keyOf(schema, item, key) === undefined);
  return missing === undefined
    ? undefined
    : `associative list with keys has an element that omits key field ${JSON.stringify(missing)} (and doesn't have default value)`;
}

const shown = (value: unknown): string =>
  typeof value === 'object'
    ? JSON.stringify(value)
    : typeof value === 'string'
      ? value
      : `&value.valueUnstructured{Value:${String(value)}}`;

function goType(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}';
  if (isMap(value)) return 'map[string]interface {}';
  return typeof value === 'boolean' ? 'bool' : 'string';
}
