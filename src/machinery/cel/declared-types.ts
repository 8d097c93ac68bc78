// Types for the checker, made of schemas: with them it knows that a field is not there before anything runs. Values are never evaluated
// with these types. What Kubernetes gives no type is not to be seen by its expressions; only what is any JSON is of any type.
import type { ObjectSchema, ScalarType, Schema } from '../schema/schema.ts';
import { itemsOf, type JsonSchema, valuesOf } from '../structural/json-schema.ts';
import { escapedName } from './values.ts';

const timestamp = 'google.protobuf.Timestamp';

const scalarTypes: Readonly<Record<ScalarType, string>> = {
  string: 'string',
  int32: 'int',
  int64: 'int',
  double: 'double',
  bool: 'bool',
  bytes: 'bytes',
  quantity: 'dyn',
  time: timestamp,
  microTime: timestamp,
  intOrString: 'dyn',
  any: 'dyn',
};

const textTypes: Readonly<Record<string, string>> = {
  byte: 'bytes',
  duration: 'google.protobuf.Duration',
  date: timestamp,
  'date-time': timestamp,
};

/** Fields by their names in expressions, with the names of their types. */
type Fields = Record<string, string>;

/** What no value is an instance of. */
class Declared {}

/** What of an environment is used: whoever looks at types of this file need not know the evaluator's. */
export interface TypeRegister {
  registerType(name: string, type: never): unknown;
}

/** Declares the type of an object and names it. */
export type Declare = (types: DeclaredTypes, name: string) => string;

/** Of the objects that an expression sees. */
export interface ObjectTypes {
  /** Left out = any. */
  readonly object?: Declare | undefined;
  readonly params?: Declare | undefined;
}

export class DeclaredTypes {
  readonly #environment: TypeRegister;
  /** A shape is declared where it is first found. Inside itself it is of any type. */
  readonly #known = new Map<Schema, string>();

  constructor(environment: TypeRegister) {
    this.#environment = environment;
  }

  declare(name: string, fields: Fields): string {
    this.#environment.registerType(name, { ctor: Declared, fields } as never);
    return name;
  }

  /** The type of a shape of the API. */
  ofShape(name: string, schema: Schema): string {
    switch (schema.type) {
      case 'list':
        return `list<${this.ofShape(`${name}.@idx`, schema.items)}>`;
      case 'map':
        return `map<string, ${this.ofShape(`${name}.@elem`, schema.values)}>`;
      case 'object': {
        const known = this.#known.get(schema);
        if (known !== undefined) return known;
        this.#known.set(schema, 'dyn');
        const fields = this.fieldsOfShape(name, schema);
        const isAny = schema.preserveUnknown && Object.keys(fields).length === 0;
        const type = isAny ? 'dyn' : this.declare(name, fields);
        this.#known.set(schema, type);
        return type;
      }
      default:
        return scalarTypes[schema.type];
    }
  }

  fieldsOfShape(name: string, schema: ObjectSchema): Fields {
    const fields: Fields = {};
    for (const { name: field, schema: of } of schema.fields.values()) {
      const key = escapedName(field);
      if (key !== undefined) fields[key] = this.ofShape(`${name}.${key}`, of);
    }
    return fields;
  }

  /** The type of a schema of a custom resource; undefined = expressions do not see such values. */
  ofSchema(name: string, schema: JsonSchema): string | undefined {
    if (schema['x-kubernetes-int-or-string'] === true) return 'dyn';
    switch (schema.type) {
      case 'array': {
        const items = itemsOf(schema);
        const type = items && this.ofSchema(`${name}.@idx`, items);
        return type && `list<${type}>`;
      }
      case 'object': {
        const values = valuesOf(schema);
        if (values === undefined || schema.properties !== undefined)
          return this.declare(name, this.fieldsOfSchema(name, schema));
        const type = this.ofSchema(`${name}.@elem`, values);
        return type && `map<string, ${type}>`;
      }
      case 'string':
        return textTypes[schema.format ?? ''] ?? 'string';
      case 'boolean':
        return 'bool';
      case 'number':
        return 'double';
      case 'integer':
        return 'int';
      default:
        return undefined;
    }
  }

  /** Of a resource, its identity too. */
  fieldsOfSchema(name: string, schema: JsonSchema): Fields {
    const fields: Fields = schema['x-kubernetes-embedded-resource'] === true ? this.identity(name) : {};
    for (const [property, of] of Object.entries(schema.properties ?? {})) {
      const key = escapedName(property);
      if (key === undefined || Object.hasOwn(fields, key)) continue;
      const type = this.ofSchema(`${name}.${key}`, of);
      if (type !== undefined) fields[key] = type;
    }
    return fields;
  }

  /** What can be looked at of every resource. */
  identity(name: string): Fields {
    return {
      apiVersion: 'string',
      kind: 'string',
      metadata: this.declare(`${name}.metadata`, { name: 'string', generateName: 'string' }),
    };
  }
}

const simple = /^(int|uint|double|string|bool|bytes)$/;
const ofSimple =
  /^(list<(int|uint|double|string|bool|bytes)>|map<string, (int|uint|double|string|bool|bytes)>)$/;

/**
 * Whether a fault that the checker found with declared types is one in CEL as well. It is stricter about objects, null and what is made
 * of both than CEL is.
 */
export function isCertain(error: unknown): boolean {
  const { code, summary = '' } = (error ?? {}) as { code?: string; summary?: string };
  if (code === 'no_such_key' || code === 'unknown_variable') return true;
  if (code === 'cannot_index_type') return simple.test(/'(.+)'/.exec(summary)?.[1] ?? '');
  if (code !== 'no_such_overload') return false;
  const [, left = '', right = ''] =
    /^no such overload: (.+) (?:==|!=|<=|>=|<|>|in|[-+*/%]) (.+)$/.exec(summary) ?? [];
  return [left, right].every((type) => simple.test(type) || ofSimple.test(type));
}
