// Which fields a value has, and which changed between two values, by the schema's rules of granularity. HOT: every write compares
// (bench/apply.ts).
import type { Field, ListSchema, ObjectSchema, Schema } from '../schema/schema.ts';
import { FieldSet } from './field-set.ts';

type Json = Record<string, unknown>;

export const isMap = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isNothing = (value: unknown): boolean => value === undefined || value === null;

/** A value that is owned as a whole: scalars, atomic lists and maps, unknown shapes. */
export function isLeaf(schema: Schema | undefined, atomic: boolean): boolean {
  if (atomic || schema === undefined) return true;
  if (schema.type === 'list') return schema.listType === 'atomic';
  return schema.type !== 'object' && schema.type !== 'map';
}

/** The edge to an item of a `map` or `set` list. Key fields that the item leaves out count with their default, null otherwise. */
export function itemEdge(schema: ListSchema, item: unknown): string {
  if (schema.listType === 'set') return `v:${JSON.stringify(item)}`;
  const keys: Json = {};
  for (const key of [...schema.mapKeys].sort()) {
    const value = isMap(item) ? item[key] : undefined;
    if (value !== undefined) keys[key] = value;
    else if (key === 'protocol') keys[key] = 'TCP';
  }
  return `k:${JSON.stringify(keys)}`;
}

/** Fields that a configuration names: what its applier owns. */
export function fieldsOf(schema: ObjectSchema, value: Json): FieldSet {
  const out = new FieldSet();
  addObject(schema, value, out);
  return out;
}

function addObject(schema: ObjectSchema, value: Json, out: FieldSet): void {
  for (const key in value) {
    const field = schema.fields.get(key);
    if (field === undefined) {
      if (schema.preserveUnknown) out.child(`f:${key}`).member = true;
      continue;
    }
    addValue(field.schema, value[key], field.atomic, out.child(`f:${key}`));
  }
}

function addValue(schema: Schema, value: unknown, atomic: boolean, out: FieldSet): void {
  if (isLeaf(schema, atomic) || isNothing(value) || isEmpty(value)) {
    out.member = true;
    return;
  }
  switch (schema.type) {
    case 'object':
      addObject(schema, value as Json, out);
      return;
    case 'map':
      for (const [key, item] of Object.entries(value as Json)) {
        const child = out.child(`f:${key}`);
        child.member = true;
        if (!isLeaf(schema.values, false)) addValue(schema.values, item, false, child);
      }
      return;
    case 'list':
      for (const item of value as unknown[]) {
        const child = out.child(itemEdge(schema, item));
        child.member = true;
        if (schema.listType === 'map') addValue(schema.items, item, false, child);
      }
      return;
  }
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (!isMap(value)) return false;
  for (const _ in value) return false;
  return true;
}

export interface Comparison {
  /** Fields that are new or have another value. */
  readonly changed: FieldSet;
  readonly removed: FieldSet;
}

/** What a write changed. Containers that were not there before are new themselves, besides what they hold. */
export function compare(schema: ObjectSchema, before: Json, after: Json): Comparison {
  const changed = new FieldSet();
  const removed = new FieldSet();
  compareObjects(schema, before, after, changed, removed);
  return { changed, removed };
}

function compareObjects(
  schema: ObjectSchema,
  before: Json,
  after: Json,
  changed: FieldSet,
  removed: FieldSet,
): void {
  for (const key in after) {
    const field = schema.fields.get(key);
    compareMember(field, `f:${key}`, key in before ? before[key] : undefined, after[key], changed, removed);
  }
  for (const key in before) {
    if (key in after) continue;
    compareMember(schema.fields.get(key), `f:${key}`, before[key], undefined, changed, removed);
  }
}

function compareMember(
  field: Field | undefined,
  edge: string,
  before: unknown,
  after: unknown,
  changed: FieldSet,
  removed: FieldSet,
): void {
  compareValues(field?.schema, field?.atomic ?? true, edge, before, after, changed, removed);
}

function compareValues(
  schema: Schema | undefined,
  atomic: boolean,
  edge: string,
  before: unknown,
  after: unknown,
  changed: FieldSet,
  removed: FieldSet,
): void {
  if (before === after) return;
  if (after === undefined) {
    const gone = new FieldSet(true);
    removed.put(edge, gone);
    return;
  }
  const nothingInside = (isNothing(before) || isEmpty(before)) && (isNothing(after) || isEmpty(after));
  if (isLeaf(schema, atomic) || nothingInside || isNothing(after)) {
    if (!same(before, after)) changed.put(edge, new FieldSet(true));
    return;
  }
  const below = new FieldSet(before === undefined);
  const gone = new FieldSet();
  compareContainers(schema!, before, after, below, gone);
  changed.put(edge, below);
  removed.put(edge, gone);
}

function compareContainers(
  schema: Schema,
  before: unknown,
  after: unknown,
  changed: FieldSet,
  removed: FieldSet,
): void {
  switch (schema.type) {
    case 'object':
      compareObjects(schema, isMap(before) ? before : {}, after as Json, changed, removed);
      return;
    case 'map': {
      const old = isMap(before) ? before : {};
      const now = after as Json;
      for (const key in now)
        compareValues(
          schema.values,
          false,
          `f:${key}`,
          Object.hasOwn(old, key) ? old[key] : undefined,
          now[key],
          changed,
          removed,
        );
      for (const key in old) if (!Object.hasOwn(now, key)) removed.put(`f:${key}`, new FieldSet(true));
      return;
    }
    case 'list': {
      const old = byEdge(schema, Array.isArray(before) ? before : []);
      const now = byEdge(schema, after as unknown[]);
      for (const [edge, item] of now) {
        if (schema.listType === 'set') {
          if (!old.has(edge)) changed.put(edge, new FieldSet(true));
        } else compareValues(schema.items, false, edge, old.get(edge), item, changed, removed);
      }
      for (const edge of old.keys()) if (!now.has(edge)) removed.put(edge, new FieldSet(true));
      return;
    }
  }
}

/** Items by their edge; of several with the same keys the last counts. */
export function byEdge(schema: ListSchema, items: readonly unknown[]): Map<string, unknown> {
  const out = new Map<string, unknown>();
  for (const item of items) out.set(itemEdge(schema, item), item);
  return out;
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => same(item, b[i]));
  if (Array.isArray(b)) return false;
  for (const key in a) if (!same((a as Json)[key], (b as Json)[key])) return false;
  for (const key in b) if (!(key in a)) return false;
  return true;
}
