// Schemas as OpenAPI components, for v3 and (with another reference prefix, and without values for what is left out) v2. Names are the
// published ones, because clients look kinds up by them. Names, types and marks come from the schemas, descriptions and enumerations from
// api/descriptions.
import {
  describeShape,
  type FieldDescription,
  type PublishedShape,
  publishedShapes,
  type RequestBody,
  shape,
} from '../../api/index.ts';
import type { Field, KindDef, ObjectSchema, Schema } from '../../machinery/index.ts';
import { customDefinition, customName } from './custom-schema.ts';
import { intOrStringName, microTimeName, quantityName, singleValue, timeName } from './single-values.ts';

type Json = Record<string, unknown>;

const prefixes: Readonly<Record<string, string>> = {
  meta: 'io.k8s.apimachinery.pkg.apis.meta',
  apiextensions: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions',
  apiregistration: 'io.k8s.kube-aggregator.pkg.apis.apiregistration',
  metrics: 'io.k8s.metrics.pkg.apis.metrics',
};

/** `core.v1.Pod` → `io.k8s.api.core.v1.Pod` */
export function publishedName(shapeName: string): string {
  const [group, ...rest] = shapeName.split('.') as [string, ...string[]];
  return `${prefixes[group] ?? `io.k8s.api.${group}`}.${rest.join('.')}`;
}

const unmarked: PublishedShape = {};
const marksOf = (schema: ObjectSchema): PublishedShape => publishedShapes[schema.name] ?? unmarked;

export class Components {
  readonly #prefix: string;
  readonly #out = new Map<string, Json>();
  readonly #version: 2 | 3;

  constructor(version: 2 | 3) {
    this.#version = version;
    this.#prefix = version === 3 ? '#/components/schemas/' : '#/definitions/';
  }

  get definitions(): Json {
    return Object.fromEntries([...this.#out].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Adds a kind, its list if it can be listed, and everything they refer to. Returns the published name. */
  addKind(kind: KindDef): string {
    const { group, version } = kind;
    const name = kind.custom === null ? this.#object(kind.schema) : this.#custom(kind, kind.custom.schema);
    this.#nameKind(name, { group, kind: kind.kind, version });
    const listName = `${name}List`;
    if (kind.verbs.includes('list') && !this.#out.has(listName)) {
      this.#out.set(listName, {
        description: `A list of ${kind.kind} objects.`,
        type: 'object',
        required: ['items'],
        properties: {
          apiVersion: { description: 'The version of the API that the list is written in.', type: 'string' },
          items: {
            description: 'The objects.',
            type: 'array',
            items: this.#reference(name, this.#version === 3 ? { default: {} } : {}),
          },
          kind: { description: 'The kind of the list.', type: 'string' },
          metadata: this.#reference(this.#object(shape('meta.v1.ListMeta')), {
            description: 'Metadata of the list.',
            ...(this.#version === 3 && { default: {} }),
          }),
        },
        'x-kubernetes-group-version-kind': [{ group, kind: kind.listKind, version }],
      });
    }
    return name;
  }

  /** Adds a shape that is only sent. Returns the published name. */
  addBody({ schema, group, version, kind }: RequestBody): string {
    const name = this.#object(schema);
    this.#nameKind(name, { group, kind, version });
    return name;
  }

  /** How documents refer to a definition. */
  refTo(name: string): string {
    return this.#prefix + name;
  }

  #nameKind(name: string, gvk: Gvk): void {
    const definition = this.#out.get(name);
    if (definition !== undefined) definition['x-kubernetes-group-version-kind'] = [gvk];
  }

  /** A kind whose author described it. */
  #custom(kind: KindDef, schema: unknown): string {
    const name = customName(kind);
    const metadata = this.#reference(this.#object(shape('meta.v1.ObjectMeta')), {
      description: "Standard object's metadata: name, namespace, labels and more.",
    });
    this.#out.set(name, customDefinition(schema, this.#version, metadata));
    return name;
  }

  #object(schema: ObjectSchema): string {
    const name = publishedName(schema.name);
    if (this.#out.has(name)) return name;
    const described = describeShape(schema.name);
    const { atomic, opaque, unions } = marksOf(schema);
    const definition: Json = {
      ...(described !== undefined && { description: described.text }),
      type: 'object',
    };
    this.#out.set(name, definition);
    const required: string[] = [];
    const properties: Json = {};
    for (const field of schema.fields.values()) {
      if (field.required) required.push(field.name);
      const told = { opaque: opaque?.[field.name], described: described?.fields.get(field.name) };
      properties[field.name] = this.#field(field, told);
    }
    if (required.length > 0) definition['required'] = required;
    if (schema.fields.size > 0) definition['properties'] = properties;
    if (schema.preserveUnknown) definition['x-kubernetes-preserve-unknown-fields'] = true;
    if (atomic) definition['x-kubernetes-map-type'] = 'atomic';
    if (unions !== undefined) definition['x-kubernetes-unions'] = JSON.parse(unions);
    return name;
  }

  #field(field: Field, { opaque, described }: Told): Json {
    const { schema } = field;
    const besides: Json = {};
    if (described !== undefined) besides['description'] = described.text;
    const value = this.#version === 3 ? defaultOf(field, described) : undefined;
    if (value !== undefined) besides['default'] = value;
    if (schema.type === 'list') {
      besides['x-kubernetes-list-type'] = schema.listType;
      if (schema.listType === 'map') besides['x-kubernetes-list-map-keys'] = schema.mapKeys;
    }
    // Only what differs from the definition of the shape.
    const atomicShape = schema.type === 'object' && marksOf(schema).atomic === true;
    if (field.atomic !== atomicShape) besides['x-kubernetes-map-type'] = field.atomic ? 'atomic' : 'granular';
    if (field.patchStrategy.length > 0)
      besides['x-kubernetes-patch-strategy'] = field.patchStrategy.join(',');
    if (field.mergeKey !== undefined) besides['x-kubernetes-patch-merge-key'] = field.mergeKey;
    return this.#value(schema, { opaque, values: described?.values }, besides);
  }

  /** A reference, and what else is to be said: OpenAPI 3 lets a reference have no siblings, v2 has always had them here. */
  #reference(name: string, besides: Json): Json {
    const $ref = this.refTo(name);
    if (this.#version === 2 || Object.keys(besides).length === 0) return { $ref, ...besides };
    return { allOf: [{ $ref }], ...besides };
  }

  #single(name: string, besides: Json): Json {
    if (!this.#out.has(name)) this.#out.set(name, singleValue(name, this.#version));
    return this.#reference(name, besides);
  }

  /** `leaf` is about what lists and maps hold in the end, `besides` about the value itself. */
  #value(schema: Schema, leaf: Leaf, besides: Json): Json {
    switch (schema.type) {
      case 'object':
        return this.#reference(this.#object(schema), besides);
      case 'list':
        return { type: 'array', items: this.#held(schema.items, leaf), ...besides };
      case 'map':
        return { type: 'object', additionalProperties: this.#held(schema.values, leaf), ...besides };
      case 'int32':
      case 'int64':
        return { type: 'integer', format: schema.type, ...besides };
      case 'double':
        return { type: 'number', format: 'double', ...besides };
      case 'bool':
        return { type: 'boolean', ...besides };
      case 'string':
        return { type: 'string', ...besides, ...(leaf.values !== undefined && { enum: leaf.values }) };
      case 'bytes':
        return { type: 'string', format: 'byte', ...besides };
      case 'quantity':
        return this.#single(quantityName, besides);
      case 'intOrString':
        return this.#single(intOrStringName, besides);
      case 'time':
        return this.#single(timeName, besides);
      case 'microTime':
        return this.#single(microTimeName, besides);
      case 'any':
        return leaf.opaque === undefined
          ? { type: 'object', ...besides }
          : this.#single(leaf.opaque, besides);
    }
  }

  /** What a list or map holds: never absent, so that it has a value by default. */
  #held(schema: Schema, leaf: Leaf): Json {
    const value = this.#version === 3 ? zeroOf(schema) : undefined;
    return this.#value(schema, leaf, value === undefined ? {} : { default: value });
  }
}

interface Gvk {
  readonly group: string;
  readonly kind: string;
  readonly version: string;
}

/** What is known of a field besides its schema. */
interface Told {
  /** The definition of a value of any form. */
  readonly opaque: string | undefined;
  readonly described: FieldDescription | undefined;
}

interface Leaf {
  readonly opaque: string | undefined;
  readonly values: readonly string[] | undefined;
}

/** What the field has when nothing was given; undefined = it is absent then. */
function defaultOf(field: Field, described: FieldDescription | undefined): unknown {
  const written = described?.default;
  if (written === undefined) return field.emit === 'always' ? zeroOf(field.schema) : undefined;
  switch (field.schema.type) {
    case 'bool':
      return written === 'true';
    case 'int32':
    case 'int64':
      return Number(written);
    default:
      return written;
  }
}

/** The zero value of what Kubernetes' types hold by value. Lists, maps and single values with a definition of their own have none. */
function zeroOf(schema: Schema): unknown {
  switch (schema.type) {
    case 'object':
      return {};
    case 'string':
      return '';
    case 'int32':
    case 'int64':
    case 'double':
      return 0;
    case 'bool':
      return false;
    default:
      return undefined;
  }
}
