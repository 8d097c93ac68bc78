// The shape of an object as data. Everything that must know fields (decoding, defaults, patches, OpenAPI, protobuf)
// walks these records; built-in kinds get theirs from api/generated, custom resources build them at run time.

export type ScalarType =
  | 'string'
  | 'int32'
  | 'int64'
  | 'double'
  | 'bool'
  /** base64 text in JSON */
  | 'bytes'
  | 'quantity'
  /** RFC 3339, seconds */
  | 'time'
  /** RFC 3339, microseconds */
  | 'microTime'
  | 'intOrString'
  /** any JSON value, kept as it is (RawExtension, FieldsV1, JSONSchema odds and ends) */
  | 'any';

export interface ScalarSchema {
  readonly type: ScalarType;
}

export interface ListSchema {
  readonly type: 'list';
  readonly items: Schema;
  readonly listType: 'atomic' | 'set' | 'map';
  /** The fields that identify an item of a `map` list. */
  readonly mapKeys: readonly string[];
  /** Server-side apply treats each item of a `map` list as one value. Left out = false. */
  readonly itemsAtomic?: boolean;
}

export interface MapSchema {
  readonly type: 'map';
  readonly values: Schema;
}

export type Schema = ScalarSchema | ListSchema | MapSchema | ObjectSchema;

/**
 * When an encoded object carries a field, as Kubernetes' own types do it:
 * `nonzero` leaves out "", 0, false, [], {}; `present` keeps whatever was given (a Go pointer);
 * `always` writes the zero value when nothing was given; `nullable` then writes null (a Go pointer without omitempty).
 */
export type Emit = 'nonzero' | 'present' | 'always' | 'nullable';

export interface Field {
  readonly name: string;
  readonly schema: Schema;
  readonly required: boolean;
  readonly emit: Emit;
  /** A list that is always written and has nothing in it becomes null, as one that was not given. */
  readonly emptyIsNull?: boolean;
  /** Server-side apply treats the whole value as one. */
  readonly atomic: boolean;
  /** Strategic merge: `merge`, `replace`, `retainKeys`. Empty = replace lists, merge maps. */
  readonly patchStrategy: readonly string[];
  readonly mergeKey: string | undefined;
}

/** An object with named fields. Fields are made on first use: most shapes are never touched by a given program run. */
export class ObjectSchema {
  readonly type = 'object';
  /** The short shape name, e.g. `core.v1.Container`. */
  readonly name: string;
  /** Keep unknown fields instead of pruning them. */
  readonly preserveUnknown: boolean;
  #make: (() => ReadonlyMap<string, Field>) | undefined;
  #fields: ReadonlyMap<string, Field> | undefined;
  #always: readonly Field[] | undefined;

  constructor(name: string, make: () => ReadonlyMap<string, Field>, preserveUnknown = false) {
    this.name = name;
    this.preserveUnknown = preserveUnknown;
    this.#make = make;
  }

  get fields(): ReadonlyMap<string, Field> {
    if (this.#fields === undefined) {
      this.#fields = this.#make!();
      this.#make = undefined;
    }
    return this.#fields;
  }

  /** The fields that are written even when nothing was given. */
  get always(): readonly Field[] {
    this.#always ??= [...this.fields.values()].filter((f) => f.emit === 'always' || f.emit === 'nullable');
    return this.#always;
  }

  /** The last part of the shape name: the name of the Go struct in Kubernetes' error texts. */
  get structName(): string {
    return this.name.slice(this.name.lastIndexOf('.') + 1);
  }
}

/** A field with everything unsaid at its usual value. For shapes written by hand. */
export function field(
  name: string,
  schema: Schema,
  options: Partial<Omit<Field, 'name' | 'schema'>> = {},
): Field {
  return {
    name,
    schema,
    required: false,
    emit: 'nonzero',
    atomic: false,
    patchStrategy: [],
    mergeKey: undefined,
    ...options,
  };
}

export const scalar = (type: ScalarType): ScalarSchema => ({ type });
