// For tests: one object, everybody who writes it, and a schema with every way of owning.
import type { KubeObject, ManagedFieldsEntry } from '../meta/object-meta.ts';
import { decodeObject } from '../schema/decode.ts';
import { type Field, field, ObjectSchema, type Schema, scalar } from '../schema/schema.ts';
import { ApplyConflict, applyConfiguration } from './configuration.ts';
import { type FieldSet, paths, pathText } from './field-set.ts';
import type { Json } from './fields.ts';
import { type ManagedWrite, noteUpdate } from './managers.ts';
import { typeFaults } from './typed.ts';

const text = scalar('string');
const object = (name: string, ...fields: Field[]): ObjectSchema =>
  new ObjectSchema(name, () => new Map(fields.map((f) => [f.name, f])));
const list = (
  items: Schema,
  listType: 'atomic' | 'set' | 'map',
  mapKeys: string[] = [],
  itemsAtomic = false,
) => ({ type: 'list', items, listType, mapKeys, itemsAtomic }) as const;
const map = (values: Schema) => ({ type: 'map', values }) as const;

const port = object(
  'core.v1.ContainerPort',
  field('containerPort', scalar('int32')),
  field('protocol', text),
  field('name', text),
);
const container = object(
  'Container',
  field('name', text),
  field('image', text),
  field('args', list(text, 'atomic')),
  field('ports', list(port, 'map', ['containerPort', 'protocol'])),
);
const owner = object('Owner', field('uid', text), field('kind', text));
export const schema = object(
  'Thing',
  field('apiVersion', text),
  field('kind', text),
  field(
    'metadata',
    object(
      'ObjectMeta',
      field('name', text),
      field('namespace', text),
      field('uid', text),
      field('resourceVersion', text),
      field('labels', map(text)),
      field('annotations', map(text)),
      field('finalizers', list(text, 'set')),
      field('ownerReferences', list(owner, 'map', ['uid'], true)),
      field('managedFields', list(scalar('any'), 'atomic')),
    ),
    { emit: 'always' },
  ),
  field(
    'spec',
    object(
      'Spec',
      field('replicas', scalar('int32'), { emit: 'present' }),
      field('paused', scalar('bool')),
      field('cpu', scalar('quantity')),
      field('selector', map(text), { atomic: true }),
      field('limits', map(text)),
      field('containers', list(container, 'map', ['name']), { emit: 'always' }),
      field('security', object('Security', field('user', text), field('group', text))),
    ),
    { emit: 'always' },
  ),
  field('status', object('Status', field('phase', text), field('conditions', list(owner, 'map', ['uid'])))),
);

const same = (one: KubeObject): KubeObject => one;

/** One object and everybody who writes it. */
export class Story {
  live: KubeObject | undefined;
  nowMs = 0;

  #write(name: string, operation: 'Apply' | 'Update', subresource: string): ManagedWrite {
    this.nowMs += 1000;
    return {
      manager: { name, operation, apiVersion: 'v1', subresource },
      part: subresource === 'status' ? 'statusOnly' : 'withoutStatus',
      nowMs: this.nowMs,
      view: (version) => (version === 'v1' ? { schema, fromStored: same, toStored: same } : undefined),
    };
  }

  update(name: string, body: Json, subresource = ''): this {
    const after = read(body);
    // Decoding leaves empty lists out; the registry puts this one back.
    const given = (body['metadata'] as Json | undefined)?.['managedFields'] as
      | ManagedFieldsEntry[]
      | undefined;
    if (given?.length === 0) after.metadata.managedFields = [];
    after.metadata.managedFields ??= this.live?.metadata.managedFields;
    noteUpdate(this.#write(name, 'Update', subresource), this.live, after);
    this.live = frozen(after);
    return this;
  }

  apply(name: string, body: Json, { force = false, subresource = '' } = {}): this {
    const configuration = { apiVersion: 'v1', kind: 'Thing', ...body };
    const faults = typeFaults(schema, configuration);
    if (faults !== undefined) throw new Error(faults);
    const write = this.#write(name, 'Apply', subresource);
    this.live = frozen(applyConfiguration(write, this.live, { configuration, force }));
    return this;
  }

  conflictsOf(name: string, body: Json): string {
    try {
      this.apply(name, body);
    } catch (error) {
      if (error instanceof ApplyConflict) return error.message;
      throw error;
    }
    return '';
  }

  /** Without what is always there. */
  get body(): Json {
    const { apiVersion: _a, kind: _k, metadata, ...rest } = this.live as unknown as Json & KubeObject;
    const { managedFields: _m, ...meta } = metadata;
    return Object.keys(meta).length === 0 ? rest : { metadata: meta, ...rest };
  }

  get owners(): Record<string, string[]> {
    return Object.fromEntries(
      (this.live?.metadata.managedFields ?? []).map(({ manager, operation, subresource, fieldsV1 }) => [
        [operation === 'Apply' ? `${manager}!` : manager, subresource].filter(Boolean).join('/'),
        [...paths(fieldsV1 as FieldSet)].map(pathText),
      ]),
    );
  }

  get entries(): readonly ManagedFieldsEntry[] {
    return this.live?.metadata.managedFields ?? [];
  }
}

export function read(body: Json): KubeObject {
  return decodeObject(
    schema,
    { apiVersion: 'v1', kind: 'Thing', metadata: {}, ...body },
    [],
  ) as unknown as KubeObject;
}

export function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value))
    Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

export const story = () => new Story();
export const spec = (members: Json) => ({ spec: { containers: null, ...members } });
export const web = { name: 'web', image: 'nginx:1' };
