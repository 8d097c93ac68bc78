// From parsed JSON to a typed object: checks types as Kubernetes' decoder does, prunes and reports unknown fields, drops
// nulls and empty values, writes what is always written. HOT: bench/decode.ts. The result is a new object; the input is not changed.
import { canonicalQuantity } from '../codec/quantity.ts';
import { canonicalMicroTime, canonicalTime } from '../codec/time.ts';
import type { ListSchema, MapSchema, ObjectSchema, Schema } from './schema.ts';

/** The body does not fit the shape. The message is worded as Go's decoder words it. */
export class DecodeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DecodeError';
  }
}

type Json = Record<string, unknown>;

/** `unknown` collects the full paths of fields that the shape does not know: `spec.template.spec.containers[0].foo`. */
export function decodeObject(schema: ObjectSchema, value: unknown, unknown: string[]): Json {
  return object(schema, value, '', schema.structName, unknown);
}

/** An object of this shape with nothing given: `{}` and whatever is always written. */
export function emptyObject(schema: ObjectSchema): Json {
  const out: Json = {};
  fillAlways(schema, out);
  return out;
}

const jsonKind = (value: unknown): string => {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value;
};

function mismatch(value: unknown, path: string, struct: string, goType: string): never {
  const kind = jsonKind(value);
  const shown =
    kind === 'number' && !goType.startsWith('[') && !goType.startsWith('map')
      ? `number${goType.startsWith('int') ? ` ${String(value)}` : ''}`
      : kind;
  throw new DecodeError(
    `json: cannot unmarshal ${shown} into Go struct field ${struct}.${path} of type ${goType}`,
  );
}

const goTypes: Record<string, string> = {
  string: 'string',
  int32: 'int32',
  int64: 'int64',
  double: 'float64',
  bool: 'bool',
  bytes: '[]uint8',
};

function goType(schema: Schema): string {
  switch (schema.type) {
    case 'object':
      return schema.name.replace(/^(\w+)\.(\w+)\.(\w+)$/, (_, _group, version, name) => `${version}.${name}`);
    case 'list':
      return `[]${goType(schema.items)}`;
    case 'map':
      return `map[string]${goType(schema.values)}`;
    default:
      return goTypes[schema.type] ?? schema.type;
  }
}

function object(schema: ObjectSchema, value: unknown, path: string, struct: string, unknown: string[]): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    mismatch(value, path, struct, goType(schema));
  const out: Json = {};
  const fields = schema.fields;
  for (const key in value as Json) {
    const raw = (value as Json)[key];
    const field = fields.get(key);
    const at = path === '' ? key : `${path}.${key}`;
    if (field === undefined) {
      if (schema.preserveUnknown) out[key] = raw;
      else unknown.push(at);
      continue;
    }
    if (raw === null || raw === undefined) continue;
    const decoded = decodeValue(field.schema, raw, at, path === '' ? struct : schema.structName, unknown);
    if (field.emit === 'nonzero' && isZero(decoded)) continue;
    out[key] = decoded;
  }
  fillAlways(schema, out);
  return out;
}

function fillAlways(schema: ObjectSchema, out: Json): void {
  const always = schema.always;
  for (let i = 0; i < always.length; i++) {
    const field = always[i]!;
    if (out[field.name] === undefined) out[field.name] = zero(field.schema);
  }
}

function zero(schema: Schema): unknown {
  switch (schema.type) {
    case 'object':
      return emptyObject(schema);
    case 'string':
    case 'bytes':
      return '';
    case 'int32':
    case 'int64':
    case 'double':
    case 'intOrString':
      return 0;
    case 'bool':
      return false;
    case 'quantity':
      return '0';
    default:
      return null;
  }
}

function isZero(value: unknown): boolean {
  if (value === '' || value === 0 || value === false) return true;
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.length === 0;
  for (const _ in value) return false;
  return true;
}

/** Decodes one value. `struct` is the Go struct that holds it, for error texts. */
export function decodeValue(
  schema: Schema,
  value: unknown,
  path: string,
  struct: string,
  unknown: string[],
): unknown {
  switch (schema.type) {
    case 'string':
      if (typeof value !== 'string') mismatch(value, path, struct, 'string');
      return value;
    case 'bytes':
      if (typeof value !== 'string') mismatch(value, path, struct, '[]uint8');
      return bytes(value);
    case 'int32':
    case 'int64':
      if (typeof value !== 'number' || !Number.isInteger(value)) mismatch(value, path, struct, schema.type);
      if (schema.type === 'int32' && (value > 2147483647 || value < -2147483648))
        mismatch(value, path, struct, 'int32');
      return value;
    case 'double':
      if (typeof value !== 'number') mismatch(value, path, struct, 'float64');
      return value;
    case 'bool':
      if (typeof value !== 'boolean') mismatch(value, path, struct, 'bool');
      return value;
    case 'quantity':
      return quantity(value);
    case 'time':
      return time(value, path, struct, canonicalTime, 'Time');
    case 'microTime':
      return time(value, path, struct, canonicalMicroTime, 'MicroTime');
    case 'intOrString':
      if (typeof value === 'string') return value;
      if (typeof value !== 'number' || !Number.isInteger(value))
        mismatch(value, path, struct, 'intstr.IntOrString');
      return value;
    case 'any':
      return value;
    case 'list':
      return list(schema, value, path, struct, unknown);
    case 'map':
      return map(schema, value, path, struct, unknown);
    case 'object':
      return object(schema, value, path, struct, unknown);
  }
}

function list(
  schema: ListSchema,
  value: unknown,
  path: string,
  struct: string,
  unknown: string[],
): unknown[] {
  if (!Array.isArray(value)) mismatch(value, path, struct, goType(schema));
  const out: unknown[] = new Array(value.length);
  for (let i = 0; i < value.length; i++) {
    const item = value[i];
    // null inside a list is the zero value, as Go decodes it
    out[i] =
      item === null || item === undefined
        ? zero(schema.items)
        : decodeValue(schema.items, item, `${path}[${i}]`, struct, unknown);
  }
  return out;
}

function map(schema: MapSchema, value: unknown, path: string, struct: string, unknown: string[]): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    mismatch(value, path, struct, goType(schema));
  const out: Json = {};
  for (const key in value as Json) {
    const item = (value as Json)[key];
    const decoded =
      item === null || item === undefined
        ? zero(schema.values)
        : decodeValue(schema.values, item, `${path}.${key}`, struct, unknown);
    if (key === '__proto__')
      Object.defineProperty(out, key, {
        value: decoded,
        enumerable: true,
        writable: true,
        configurable: true,
      });
    else out[key] = decoded;
  }
  return out;
}

function quantity(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : value;
  const canonical = typeof text === 'string' ? canonicalQuantity(text) : undefined;
  if (canonical === undefined) {
    throw new DecodeError(
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
  }
  return canonical;
}

function time(
  value: unknown,
  path: string,
  struct: string,
  parse: (text: string) => string | undefined,
  goName: string,
): string {
  if (typeof value !== 'string') mismatch(value, path, struct, `v1.${goName}`);
  const canonical = parse(value);
  if (canonical === undefined) {
    throw new DecodeError(
      `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(value)} as "2006"`,
    );
  }
  return canonical;
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Go ignores line breaks in base64 and refuses everything else. */
function bytes(value: string): string {
  const text = value.replace(/[\r\n]/g, '');
  if (base64.test(text)) return text;
  const bad = text.search(/[^A-Za-z0-9+/]/);
  throw new DecodeError(
    `illegal base64 data at input byte ${bad < 0 ? text.length - (text.length % 4) : bad}`,
  );
}
