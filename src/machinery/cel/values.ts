// A JSON value as expressions see it, by its schema: whole numbers are integers, texts of some formats are times, durations and bytes,
// names that are no identifiers are escaped, and what the schema does not name is not there.
import {
  isMap,
  itemsOf,
  type Json,
  type JsonSchema,
  propertyOf,
  valuesOf,
} from '../structural/json-schema.ts';

const identifier = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const escapable = /^[a-zA-Z_./-][a-zA-Z0-9_./-]*$/;
const keywords = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** The name of a property in expressions; undefined = it has none. */
export function escapedName(name: string): string | undefined {
  if (keywords.has(name)) return `__${name}__`;
  if (identifier.test(name) && !name.includes('__')) return name;
  if (!escapable.test(name)) return undefined;
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
}

/** What can be looked at of a resource besides what its schema names: who it is. */
const identity: JsonSchema = {
  type: 'object',
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: {
      type: 'object',
      properties: { name: { type: 'string' }, generateName: { type: 'string' } },
    },
  },
};

export interface CelValueOptions {
  /** The whole resource: it has a kind and a name. */
  readonly root: boolean;
  /** Makes a duration of its text. */
  readonly duration: (text: string) => unknown;
  /** Hears how many members each list and map has. */
  readonly counted: (members: number) => void;
}

export function celValue(schema: JsonSchema | undefined, value: unknown, options: CelValueOptions): unknown {
  switch (typeof value) {
    case 'number':
      return schema?.type === 'number' || !Number.isInteger(value) ? value : BigInt(value);
    case 'string':
      return textValue(schema, value, options);
  }
  const inner = { ...options, root: false };
  if (Array.isArray(value)) {
    options.counted(value.length);
    const items = itemsOf(schema);
    return value.map((item) => celValue(items, item, inner));
  }
  if (!isMap(value)) return value;
  const out: Json = {};
  const values = valuesOf(schema);
  // Without a schema it is any JSON, as the value of a map of anything.
  if (schema?.properties === undefined && (values !== undefined || schema?.additionalProperties === true)) {
    const keys = Object.keys(value);
    options.counted(keys.length);
    for (const key of keys) out[key] = celValue(values, value[key], inner);
    return new Map(Object.entries(out));
  }
  if (options.root || schema?.['x-kubernetes-embedded-resource'] === true)
    Object.assign(out, celValue(identity, value, inner));
  for (const [name, property] of Object.entries(schema?.properties ?? {})) {
    if (name === 'metadata' && options.root) continue;
    const key = escapedName(name);
    const member = value[name];
    if (key === undefined || !Object.hasOwn(value, name)) continue;
    // Null stands for nothing.
    if (member === null && propertyOf(schema, name)?.nullable === true) continue;
    out[key] = celValue(property, member, inner);
  }
  return out;
}

function textValue(schema: JsonSchema | undefined, text: string, { duration }: CelValueOptions): unknown {
  if (schema?.type !== 'string') return text;
  switch (schema.format) {
    case 'date':
    case 'date-time':
      return new Date(text);
    case 'duration':
      return duration(text);
    case 'byte':
      return new Uint8Array(Buffer.from(text, 'base64'));
    default:
      return text;
  }
}
