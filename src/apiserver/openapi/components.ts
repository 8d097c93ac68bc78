// Schemas as OpenAPI components, for v3 and (with another reference prefix) v2. Names are the published ones, because clients
// look kinds up by them.
import type { Field, KindDef, ObjectSchema, Schema } from '../../machinery/index.ts';

type Json = Record<string, unknown>;

const prefixes: Readonly<Record<string, string>> = {
  meta: 'io.k8s.apimachinery.pkg.apis.meta',
  apiextensions: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions',
  apiregistration: 'io.k8s.kube-aggregator.pkg.apis.apiregistration',
};

/** `core.v1.Pod` → `io.k8s.api.core.v1.Pod` */
export function publishedName(shape: string): string {
  const [group, ...rest] = shape.split('.') as [string, ...string[]];
  return `${prefixes[group] ?? `io.k8s.api.${group}`}.${rest.join('.')}`;
}

const quantityName = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const intOrStringName = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';
const timeName = 'io.k8s.apimachinery.pkg.apis.meta.v1.Time';
const microTimeName = 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime';

/** What OpenAPI 3 can say better: a value of one type or the other. */
const alternatives: Readonly<Record<string, readonly string[]>> = {
  [quantityName]: ['string', 'number'],
  [intOrStringName]: ['integer', 'string'],
};

/** Definitions of what is a single JSON value. */
const scalarDefinitions: Readonly<Record<string, Json>> = {
  [quantityName]: { type: 'string', description: 'An amount of a resource, such as 500m or 1Gi.' },
  [intOrStringName]: {
    type: 'string',
    format: 'int-or-string',
    description: 'A number, or a name or percentage.',
  },
  [timeName]: { type: 'string', format: 'date-time', description: 'A time in RFC 3339, to the second.' },
  [microTimeName]: {
    type: 'string',
    format: 'date-time',
    description: 'A time in RFC 3339, to the microsecond.',
  },
};

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

  /** Adds a kind, its list and everything they refer to. Returns the published name. */
  addKind(kind: KindDef): string {
    const name = this.#object(kind.schema);
    const gvk = [{ group: kind.group, kind: kind.kind, version: kind.version }];
    this.#out.get(name)!['x-kubernetes-group-version-kind'] = gvk;
    const listName = `${name}List`;
    if (!this.#out.has(listName)) {
      this.#out.set(listName, {
        type: 'object',
        description: `A list of ${kind.kind} objects.`,
        required: ['items'],
        properties: {
          apiVersion: { type: 'string' },
          kind: { type: 'string' },
          metadata: this.#named('io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta', listMeta),
          items: { type: 'array', items: { $ref: this.#prefix + name } },
        },
        'x-kubernetes-group-version-kind': [
          { group: kind.group, kind: kind.listKind, version: kind.version },
        ],
      });
    }
    return name;
  }

  /** A reference to a definition that is given ready-made. */
  #named(name: string, definition: Json): Json {
    if (!this.#out.has(name)) this.#out.set(name, definition);
    return { $ref: this.#prefix + name };
  }

  #scalar(name: string): Json {
    const definition = scalarDefinitions[name]!;
    const types = this.#version === 3 ? alternatives[name] : undefined;
    if (types === undefined) return this.#named(name, definition);
    const { type: _, ...rest } = definition;
    return this.#named(name, { ...rest, oneOf: types.map((type) => ({ type })) });
  }

  #object(schema: ObjectSchema): string {
    const name = publishedName(schema.name);
    if (this.#out.has(name)) return name;
    const definition: Json = { type: 'object' };
    this.#out.set(name, definition);
    const required: string[] = [];
    const properties: Json = {};
    for (const field of schema.fields.values()) {
      if (field.required) required.push(field.name);
      properties[field.name] = this.#field(field);
    }
    if (required.length > 0) definition['required'] = required;
    if (schema.fields.size > 0) definition['properties'] = properties;
    if (schema.preserveUnknown) definition['x-kubernetes-preserve-unknown-fields'] = true;
    return name;
  }

  #field(field: Field): Json {
    const out = { ...this.#value(field.schema) };
    if (field.schema.type === 'list') {
      out['x-kubernetes-list-type'] = field.schema.listType;
      if (field.schema.listType === 'map') out['x-kubernetes-list-map-keys'] = field.schema.mapKeys;
    }
    if (field.atomic) out['x-kubernetes-map-type'] = 'atomic';
    if (field.patchStrategy.length > 0) out['x-kubernetes-patch-strategy'] = field.patchStrategy.join(',');
    if (field.mergeKey !== undefined) out['x-kubernetes-patch-merge-key'] = field.mergeKey;
    return out;
  }

  #value(schema: Schema): Json {
    switch (schema.type) {
      case 'object':
        return { $ref: this.#prefix + this.#object(schema) };
      case 'list':
        return { type: 'array', items: this.#value(schema.items) };
      case 'map':
        return { type: 'object', additionalProperties: this.#value(schema.values) };
      case 'int32':
      case 'int64':
        return { type: 'integer', format: schema.type };
      case 'double':
        return { type: 'number', format: 'double' };
      case 'bool':
        return { type: 'boolean' };
      case 'string':
        return { type: 'string' };
      case 'bytes':
        return { type: 'string', format: 'byte' };
      case 'quantity':
        return this.#scalar(quantityName);
      case 'intOrString':
        return this.#scalar(intOrStringName);
      case 'time':
        return this.#scalar(timeName);
      case 'microTime':
        return this.#scalar(microTimeName);
      case 'any':
        return { type: 'object' };
    }
  }
}

const listMeta: Json = {
  type: 'object',
  description: 'Metadata of a list.',
  properties: {
    continue: { type: 'string' },
    remainingItemCount: { type: 'integer', format: 'int64' },
    resourceVersion: { type: 'string' },
    selfLink: { type: 'string' },
  },
};
