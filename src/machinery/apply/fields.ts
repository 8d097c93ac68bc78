// Which fields a value has, and which differ between two values, by the schema's rules of ownership: scalars, atomic lists and
// atomic maps are owned as a whole, everything else field by field and item by item. HOT: every write compares (bench/apply.ts).
import { emptyObject } from '../schema/decode.ts';
import type { ListSchema, ObjectSchema, Schema } from '../schema/schema.ts';
import { type FieldSet, type FieldsV1, leaf } from './field-set.ts';

export type Json = Record<string, unknown>;

export const isMap = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a write is about: an owner never owns fields that its way of writing cannot change. */
export type Part = 'all' | 'withoutStatus' | 'statusOnly';

/** Never owned: what identifies an object, and what only the server sets. */
export const unowned: ReadonlySet<string> = new Set([
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'clusterName',
  'generation',
  'managedFields',
  'resourceVersion',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
]);

export const outside = (part: Part, key: string): boolean => {
  if (key === 'apiVersion' || key === 'kind') return true;
  if (key === 'metadata' || part === 'all') return false;
  return (key === 'status') === (part === 'withoutStatus');
};

/** What of a set may be owned by a write to `part`. */
export function ownable(set: FieldSet, part: Part): FieldSet {
  const out: Record<string, FieldsV1> = {};
  for (const edge in set) {
    if (outside(part, edge.slice(2))) continue;
    if (edge !== 'f:metadata') {
      out[edge] = set[edge]!;
      continue;
    }
    const metadata: Record<string, FieldsV1> = {};
    for (const inner in set[edge])
      if (inner !== '.' && !unowned.has(inner.slice(2))) metadata[inner] = set[edge]![inner]!;
    if (!isEmpty(metadata)) out[edge] = metadata;
  }
  return isEmpty(out) ? undefined : out;
}

const edges = new Map<string, string>();

/** The edge to a named field. Only names that schemas know are remembered. */
export function fieldEdge(name: string): string {
  let edge = edges.get(name);
  if (edge === undefined) edges.set(name, (edge = `f:${name}`));
  return edge;
}

/** How a value is owned. Without a schema (fields that a custom resource preserves) objects are maps and lists are atomic. */
type Shape = 'whole' | 'object' | 'map' | 'list';

export function shapeOf(schema: Schema | undefined, atomic: boolean, value: unknown): Shape {
  if (atomic) return 'whole';
  if (schema === undefined) return isMap(value) ? 'map' : 'whole';
  switch (schema.type) {
    case 'object':
    case 'map':
      return schema.type;
    case 'list':
      return schema.listType === 'atomic' ? 'whole' : 'list';
    default:
      return 'whole';
  }
}

/**
 * What a key field counts as when an item leaves it out: the API documents carry no defaults of fields, and these are all that
 * identify items.
 */
const keyDefaults: Readonly<Record<string, Json>> = {
  'core.v1.ContainerPort': { protocol: 'TCP' },
  'core.v1.ServicePort': { protocol: 'TCP' },
  'core.v1.LocalObjectReference': { name: '' },
};

interface EdgeKey {
  readonly name: string;
  /** `"name":` */
  readonly start: string;
}

const edgeKeys = new WeakMap<ListSchema, readonly EdgeKey[]>();

function edgeKeysOf(schema: ListSchema): readonly EdgeKey[] {
  let keys = edgeKeys.get(schema);
  if (keys === undefined) {
    keys = [...schema.mapKeys].sort().map((name) => ({ name, start: `${JSON.stringify(name)}:` }));
    edgeKeys.set(schema, keys);
  }
  return keys;
}

/** The names of the fields that identify an item, in the order of their edge. */
export const keysOf = (schema: ListSchema): readonly string[] => edgeKeysOf(schema).map(({ name }) => name);

export function keyOf(schema: ListSchema, item: unknown, key: string): unknown {
  const value = isMap(item) ? item[key] : undefined;
  if (value !== undefined || schema.items.type !== 'object') return value;
  return keyDefaults[schema.items.name]?.[key];
}

/** The edge to an item of a `map` or `set` list. */
export function itemEdge(schema: ListSchema, item: unknown): string {
  if (schema.listType === 'set') return `v:${JSON.stringify(item)}`;
  let text = 'k:{';
  for (const { name, start } of edgeKeysOf(schema)) {
    const value = keyOf(schema, item, name);
    if (value === undefined) continue;
    text += `${text === 'k:{' ? '' : ','}${start}${JSON.stringify(value)}`;
  }
  return `${text}}`;
}

/** Items by their edge, in order. An item that repeats another's keys is left out and its edge noted in `repeated`. */
export function byEdge(
  schema: ListSchema,
  items: readonly unknown[],
  repeated?: Set<string>,
): Map<string, unknown> {
  const out = new Map<string, unknown>();
  for (const item of items) {
    const edge = itemEdge(schema, item);
    if (out.has(edge)) repeated?.add(edge);
    else out.set(edge, item);
  }
  return out;
}

export const valuesOf = (schema: Schema | undefined): Schema | undefined =>
  schema?.type === 'map' ? schema.values : undefined;

export const itemsAtomic = (schema: ListSchema): boolean =>
  schema.listType === 'set' || schema.itemsAtomic === true;

export function isEmpty(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.length === 0;
  for (const _ in value) return false;
  return true;
}

export const isNothing = (value: unknown): boolean => value === undefined || value === null || isEmpty(value);

/** The fields that a configuration names: what its applier owns, what cannot be owned included. */
export function fieldsOf(schema: ObjectSchema, value: Json): FieldSet {
  return describe(schema, false, value, { member: false, added: false });
}

interface Description {
  /** The value is an item or a map's entry, which is owned besides what is in it. */
  readonly member: boolean;
  /** The value is new: so is every container in it. A configuration owns only what it names in named containers. */
  readonly added: boolean;
}

const item: Record<'named' | 'added', Description> = {
  named: { member: true, added: false },
  added: { member: true, added: true },
};
const namedField: Description = { member: false, added: false };

function describe(schema: Schema | undefined, atomic: boolean, value: unknown, how: Description): FieldSet {
  const shape = shapeOf(schema, atomic, value);
  if (shape === 'whole' || value === null) return leaf;
  if (isEmpty(value)) return shape === 'list' && !how.member ? undefined : leaf;
  const below = how.added ? item.added : item.named;
  const out: Record<string, FieldsV1> = {};
  if (how.member) out['.'] = leaf;
  switch (shape) {
    case 'object': {
      const { fields, preserveUnknown } = schema as ObjectSchema;
      const inner = how.added ? item.added : namedField;
      for (const key in value as Json) {
        const given = (value as Json)[key];
        const field = fields.get(key);
        if (given === undefined || (field === undefined && !preserveUnknown)) continue;
        const node =
          field === undefined
            ? describe(undefined, false, given, item.added)
            : describe(field.schema, field.atomic, given, inner);
        if (node !== undefined) out[field === undefined ? `f:${key}` : fieldEdge(key)] = node;
      }
      break;
    }
    case 'map': {
      const values = valuesOf(schema);
      for (const key in value as Json)
        out[`f:${key}`] = describe(values, false, (value as Json)[key], below) ?? leaf;
      break;
    }
    case 'list': {
      const list = schema as ListSchema;
      const whole = itemsAtomic(list);
      for (const one of value as unknown[]) {
        const edge = itemEdge(list, one);
        // Items that share an edge are owned together, as a whole.
        out[edge] = edge in out ? leaf : (describe(list.items, whole, one, below) ?? leaf);
      }
    }
  }
  return isEmpty(out) ? undefined : out;
}

export interface Comparison {
  /** Fields that are new or have another value. Containers that were not there before are new, besides what they hold. */
  readonly changed: FieldSet;
  /** Fields that are gone, with everything that was below them. */
  readonly removed: FieldSet;
}

/** Gathers what differs inside one container. */
class Differences {
  changed: Record<string, FieldsV1> | undefined = undefined;
  removed: Record<string, FieldsV1> | undefined = undefined;

  change(edge: string, node: FieldsV1): void {
    (this.changed ??= {})[edge] = node;
  }

  remove(edge: string, node: FieldsV1): void {
    (this.removed ??= {})[edge] = node;
  }
}

/** What a write to `part` changed, of what can be owned. */
export function compare(schema: ObjectSchema, values: { before: Json; after: Json }, part: Part): Comparison {
  const { before, after } = values;
  const out = new Differences();
  for (const key in after) if (!outside(part, key)) compareRoot(schema, key, values, out);
  for (const key in before) if (!(key in after) && !outside(part, key)) compareRoot(schema, key, values, out);
  return out;
}

function compareRoot(
  schema: ObjectSchema,
  key: string,
  { before, after }: { before: Json; after: Json },
  out: Differences,
): void {
  const field = schema.fields.get(key);
  if (field === undefined) {
    if (schema.preserveUnknown) compareValues(undefined, false, [`f:${key}`, before[key], after[key]], out);
    return;
  }
  if (key !== 'metadata') {
    compareValues(field.schema, field.atomic, [fieldEdge(key), before[key], after[key]], out);
    return;
  }
  const inner = new Differences();
  compareObjects(field.schema as ObjectSchema, before[key] ?? {}, after[key] ?? {}, {
    out: inner,
    skip: unowned,
  });
  if (inner.changed !== undefined) out.change('f:metadata', inner.changed);
  if (inner.removed !== undefined) out.remove('f:metadata', inner.removed);
}

function compareValues(
  schema: Schema | undefined,
  atomic: boolean,
  [edge, before, after]: readonly [edge: string, before: unknown, after: unknown],
  out: Differences,
): void {
  if (before === after) return;
  if (after === undefined) {
    out.remove(edge, leaf);
    return;
  }
  if (before === undefined) {
    out.change(edge, describe(schema, atomic, after, item.added) ?? leaf);
    return;
  }
  const shape = shapeOf(schema, atomic, after);
  if (shape === 'whole' || (isNothing(before) && isNothing(after))) {
    if (same(before, after)) return;
    if (schema === undefined && isMap(before)) out.remove(edge, leaf);
    out.change(edge, leaf);
    return;
  }
  const inner = new Differences();
  if (shape === 'object')
    compareObjects(schema as ObjectSchema, before ?? {}, after ?? {}, { out: inner, skip: none });
  else if (shape === 'map')
    compareMaps(valuesOf(schema), isMap(before) ? before : {}, (after ?? {}) as Json, inner);
  else compareLists(schema as ListSchema, (before ?? []) as unknown[], (after ?? []) as unknown[], inner);
  if (inner.changed !== undefined) out.change(edge, inner.changed);
  if (inner.removed !== undefined) out.remove(edge, inner.removed);
}

const none: ReadonlySet<string> = new Set();

function compareObjects(
  schema: ObjectSchema,
  before: Json | object,
  after: Json | object,
  { out, skip }: { out: Differences; skip: ReadonlySet<string> },
): void {
  const was = before as Json;
  const is = after as Json;
  const { fields, preserveUnknown } = schema;
  const one = (key: string) => {
    const field = fields.get(key);
    if (field !== undefined)
      compareValues(field.schema, field.atomic, [fieldEdge(key), was[key], is[key]], out);
    else if (preserveUnknown) compareValues(undefined, false, [`f:${key}`, was[key], is[key]], out);
  };
  for (const key in is) if (is[key] !== was[key] && !skip.has(key)) one(key);
  for (const key in was) if (!(key in is) && !skip.has(key)) one(key);
}

function compareMaps(values: Schema | undefined, before: Json, after: Json, out: Differences): void {
  for (const key in after) {
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    compareValues(values, false, [`f:${key}`, old, after[key]], out);
  }
  for (const key in before) if (!Object.hasOwn(after, key)) out.remove(`f:${key}`, leaf);
}

function compareLists(
  schema: ListSchema,
  before: readonly unknown[],
  after: readonly unknown[],
  out: Differences,
): void {
  // Most lists are as they were, and that is cheap to see.
  if (same(before, after)) return;
  const repeated = new Set<string>();
  const was = byEdge(schema, before, repeated);
  const is = byEdge(schema, after, repeated);
  const whole = itemsAtomic(schema);
  for (const [edge, now] of is) {
    if (!repeated.has(edge)) compareValues(schema.items, whole, [edge, was.get(edge), now], out);
    else if (!same(itemsAt(schema, before, edge), itemsAt(schema, after, edge))) out.change(edge, leaf);
  }
  for (const edge of was.keys()) if (!is.has(edge)) out.remove(edge, leaf);
}

const itemsAt = (schema: ListSchema, items: readonly unknown[], edge: string): unknown[] =>
  items.filter((one) => itemEdge(schema, one) === edge);

export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((one, i) => same(one, b[i]));
  if (Array.isArray(b)) return false;
  for (const key in a) if (!same((a as Json)[key], (b as Json)[key])) return false;
  for (const key in b) if (!(key in a)) return false;
  return true;
}

const empties = new WeakMap<ObjectSchema, Json>();

/** What a create is compared with. */
export function emptyOf(schema: ObjectSchema): Json {
  let empty = empties.get(schema);
  if (empty === undefined) empties.set(schema, (empty = emptyObject(schema)));
  return empty;
}
