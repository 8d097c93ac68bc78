// From parsed JSON to a typed object: checks types as Kubernetes' decoder does, prunes and reports unknown fields, drops
// nulls and empty values, writes what is always written. HOT: bench/decode.ts. The way to a value is a stack that becomes text
// only when there is something to report. The result is a new object, which shares only values of type `any` with the input.
import { canonicalQuantity, quantityError, quantityErrors } from '../codec/quantity.ts';
import { canonicalMicroTime, canonicalTime } from '../codec/time.ts';
import type { Field, ListSchema, MapSchema, ObjectSchema, Schema } from './schema.ts';

/** The body does not fit the shape. The message is worded as Go's decoder words it. */
export class DecodeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DecodeError';
  }
}

type Json = Record<string, unknown>;

/**
 * `unknown` collects the full paths of fields that the shape does not know: `spec.template.spec.containers[0].foo`. Throws
 * DecodeError and nothing else. Decoding the result again gives the same.
 */
export function decodeObject(schema: ObjectSchema, value: unknown, unknown: string[]): Json {
  return new Decoder(schema, unknown).object(schema, value);
}

/** An object of this shape with nothing given: `{}` and whatever is always written. */
export function emptyObject(schema: ObjectSchema): Json {
  const out: Json = {};
  fillAlways(schema, out);
  return out;
}

const goTypes: Readonly<Record<string, string>> = {
  double: 'float64',
  bytes: '[]uint8',
  quantity: 'resource.Quantity',
  time: 'v1.Time',
  microTime: 'v1.MicroTime',
  intOrString: 'intstr.IntOrString',
  any: 'runtime.RawExtension',
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

function jsonKind(value: unknown, type: string): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number' && type.startsWith('int')) return `number ${value}`;
  return value === null || value === undefined ? 'null' : typeof value;
}

/** Assigning `__proto__` would change the prototype instead. */
function setMember(object: Json, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  else object[key] = value;
}

/** One step on the way to a value: a field, the index of a list, or the key of a map. */
type Step = Field | number | string;

class Decoder {
  readonly #unknown: string[];
  /** The way to the value at hand. */
  readonly #way: Step[] = [];
  /** The innermost object on the way: the Go struct that error texts name. */
  #holder: ObjectSchema;

  constructor(schema: ObjectSchema, unknown: string[]) {
    this.#holder = schema;
    this.#unknown = unknown;
  }

  object(schema: ObjectSchema, value: unknown): Json {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      this.#mismatch(value, goType(schema));
    const outer = this.#holder;
    this.#holder = schema;
    const out: Json = {};
    const fields = schema.fields;
    for (const key in value as Json) {
      const raw = (value as Json)[key];
      const field = fields.get(key);
      if (field === undefined) {
        if (schema.preserveUnknown) setMember(out, key, raw);
        else this.#unknown.push(this.#path(key));
        continue;
      }
      if (raw === null || raw === undefined) continue;
      this.#way.push(field);
      const decoded = this.#value(field.schema, raw);
      this.#way.pop();
      if (field.emit === 'nonzero' && field.schema.type !== 'any' && isZero(decoded)) continue;
      if (field.emptyIsNull === true && isZero(decoded)) continue;
      out[key] = decoded;
    }
    fillAlways(schema, out);
    this.#holder = outer;
    return out;
  }

  #value(schema: Schema, value: unknown): unknown {
    switch (schema.type) {
      case 'string':
        if (typeof value !== 'string') this.#mismatch(value, 'string');
        return value;
      case 'object':
        return this.object(schema, value);
      case 'list':
        return this.#list(schema, value);
      case 'map':
        return this.#map(schema, value);
      case 'int32':
      case 'int64':
        return this.#integer(value, schema.type);
      case 'bool':
        if (typeof value !== 'boolean') this.#mismatch(value, 'bool');
        return value;
      case 'double':
        if (typeof value !== 'number') this.#mismatch(value, 'float64');
        return value;
      case 'bytes':
        if (typeof value !== 'string') this.#mismatch(value, '[]uint8');
        return bytes(value);
      case 'quantity':
        return quantity(value);
      case 'time':
        if (typeof value !== 'string') this.#mismatch(value, 'string');
        return canonicalTime(value) ?? noTime(value, '2006-01-02T15:04:05Z07:00');
      case 'microTime':
        if (typeof value !== 'string') this.#mismatch(value, 'string');
        return canonicalMicroTime(value) ?? noTime(value, '2006-01-02T15:04:05.000000Z07:00');
      case 'intOrString':
        return typeof value === 'string' ? value : this.#integer(value, 'int32');
      case 'any':
        return value;
    }
  }

  #integer(value: unknown, type: 'int32' | 'int64'): number {
    if (typeof value !== 'number' || !Number.isInteger(value)) this.#mismatch(value, type);
    const limit = type === 'int32' ? 2 ** 31 : 2 ** 63;
    if (value >= limit || value < -limit) this.#mismatch(value, type);
    return value === 0 ? 0 : value;
  }

  #list(schema: ListSchema, value: unknown): unknown[] {
    if (!Array.isArray(value)) this.#mismatch(value, goType(schema));
    const out: unknown[] = new Array(value.length);
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      this.#way.push(i);
      // null inside a list is the zero value, as Go decodes it
      out[i] = item === null || item === undefined ? zero(schema.items) : this.#value(schema.items, item);
      this.#way.pop();
    }
    return out;
  }

  #map(schema: MapSchema, value: unknown): Json {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      this.#mismatch(value, goType(schema));
    const out: Json = {};
    for (const key in value as Json) {
      const item = (value as Json)[key];
      this.#way.push(key);
      setMember(
        out,
        key,
        item === null || item === undefined ? zero(schema.values) : this.#value(schema.values, item),
      );
      this.#way.pop();
    }
    return out;
  }

  /** The full path of a member of the object at hand. */
  #path(member: string): string {
    let path = '';
    for (const step of this.#way) {
      if (typeof step === 'number') path += `[${step}]`;
      else path += `${path === '' ? '' : '.'}${typeof step === 'string' ? step : step.name}`;
    }
    return path === '' ? member : `${path}.${member}`;
  }

  /** Go names the fields on the way, without indexes and map keys. */
  #mismatch(value: unknown, type: string): never {
    const names = this.#way.filter((step) => typeof step === 'object').map((step) => (step as Field).name);
    const target =
      names.length === 0 ? 'Go value' : `Go struct field ${this.#holder.structName}.${names.join('.')}`;
    throw new DecodeError(`json: cannot unmarshal ${jsonKind(value, type)} into ${target} of type ${type}`);
  }
}

function fillAlways(schema: ObjectSchema, out: Json): void {
  const always = schema.always;
  for (let i = 0; i < always.length; i++) {
    const field = always[i]!;
    if (out[field.name] === undefined)
      out[field.name] = field.emit === 'nullable' ? null : zero(field.schema);
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

function quantity(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string') throw new DecodeError(quantityErrors.format);
  const canonical = canonicalQuantity(text);
  if (canonical === undefined) throw new DecodeError(quantityError(text.trim()) ?? quantityErrors.format);
  return canonical;
}

function noTime(value: string, layout: string): never {
  const shown = JSON.stringify(value);
  throw new DecodeError(`parsing time ${shown} as "${layout}": cannot parse ${shown} as "2006"`);
}

const base64 = /^[A-Za-z0-9+/]*(?:[AQgw]==|[AEIMQUYcgkosw048]=)?$/;
const looseBase64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Go ignores line breaks in base64 and refuses everything else that is not part of it. */
function bytes(value: string): string {
  if (value.length % 4 === 0 && base64.test(value)) return value;
  const text = value.replace(/[\r\n]/g, '');
  if (text.length % 4 === 0 && looseBase64.test(text)) return Buffer.from(text, 'base64').toString('base64');
  const bad = text.search(/[^A-Za-z0-9+/]/);
  throw new DecodeError(
    `illegal base64 data at input byte ${bad < 0 ? text.length - (text.length % 4) : bad}`,
  );
}
