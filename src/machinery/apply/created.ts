// What a create owns. Objects that are alike are made one after another, as the pods of a set: they share one set of fields, which a
// new object is compared with before a set of its own is built; so do the sets of updates that are alike. HOT: every create (bench/apply.ts).
import type { ListSchema, ObjectSchema, Schema } from '../schema/schema.ts';
import { equalSets, type FieldSet, type FieldsV1, isMember } from './field-set.ts';
import {
  compare,
  emptyOf,
  fieldEdge,
  isEmpty,
  isMap,
  isNothing,
  itemEdge,
  itemsAtomic,
  type Json,
  outside,
  type Part,
  same,
  shapeOf,
  unowned,
  valuesOf,
} from './fields.ts';

/** Of each schema, the sets that were made last, the newest first. */
const lastMade = new WeakMap<ObjectSchema, FieldsV1[]>();
const remembered = 6;

/** Of sets that were shared at least once. */
const texts = new WeakMap<object, string>();

/** A shared set as JSON; undefined = the set is one object's own. */
export const sharedText = (set: object): string | undefined => texts.get(set);

/** The fields that a create of `after` sets: the same set for objects that are alike. */
export function createdSet(schema: ObjectSchema, after: Json, part: Part): FieldSet {
  return (
    find(schema, (set) => ownsJust(schema, after, { part, set })) ??
    remember(schema, compare(schema, { before: emptyOf(schema), after }, part).changed)
  );
}

/** A set of objects of this schema that may have been made before: then that one. */
export const sharedSet = (schema: ObjectSchema, set: FieldSet): FieldSet =>
  set && (find(schema, (known) => equalSets(known, set)) ?? remember(schema, set));

function find(schema: ObjectSchema, is: (set: FieldsV1) => boolean): FieldSet {
  const set = lastMade.get(schema)?.find(is);
  if (set !== undefined && !texts.has(set)) texts.set(set, JSON.stringify(set));
  return set;
}

function remember(schema: ObjectSchema, set: FieldSet): FieldSet {
  if (set === undefined) return undefined;
  const sets = lastMade.get(schema);
  if (sets === undefined) lastMade.set(schema, [set]);
  else {
    if (sets.length === remembered) sets.pop();
    sets.unshift(set);
  }
  return set;
}

function countEdges(node: FieldsV1): number {
  let count = 0;
  for (const edge in node) if (edge !== '.') count++;
  return count;
}

/** Whether a create of the object owns just the set. It may say no to a shape that is rare, never yes to another set. */
function ownsJust(schema: ObjectSchema, after: Json, { part, set }: { part: Part; set: FieldsV1 }): boolean {
  if (schema.preserveUnknown) return false;
  const before = emptyOf(schema);
  let found = 0;
  for (const key in after) {
    const field = outside(part, key) ? undefined : schema.fields.get(key);
    if (field === undefined) continue;
    const node = set[fieldEdge(key)];
    const agrees =
      key === 'metadata'
        ? fieldsChanged(
            field.schema as ObjectSchema,
            [before[key], after[key]] as [Json, Json],
            node,
            unowned,
          )
        : changedAs(field.schema, field.atomic, [before[key], after[key]], node);
    if (!agrees) return false;
    if (node !== undefined) found++;
  }
  return found === countEdges(set);
}

const nothing: ReadonlySet<string> = new Set();

/** Whether a change from `before` is told by `node`; undefined = there is none to tell. */
function changedAs(
  schema: Schema,
  atomic: boolean,
  [before, after]: readonly [before: unknown, after: unknown],
  node: FieldSet,
): boolean {
  if (before === after || after === undefined) return node === undefined;
  if (before === undefined) return node !== undefined && addedAs(schema, atomic, after, node);
  const shape = shapeOf(schema, atomic, after);
  if (shape === 'object' && isMap(before) && isMap(after) && !(isEmpty(before) && isEmpty(after)))
    return fieldsChanged(schema as ObjectSchema, [before, after], node, nothing);
  const wasNothing = isNothing(before);
  if (shape === 'whole' || (wasNothing && isNothing(after)))
    return same(before, after) ? node === undefined : node !== undefined && isLeaf(node);
  // null, or an empty container, in the empty object: everything in the new one is new.
  if (!wasNothing || node === undefined || isNothing(after) || shape === 'object') return false;
  return !isMember(node) && containerAs(schema, shape, after, node);
}

function fieldsChanged(
  schema: ObjectSchema,
  [was, is]: readonly [was: Json | undefined, is: Json | undefined],
  node: FieldSet,
  skip: ReadonlySet<string>,
): boolean {
  if (schema.preserveUnknown || is === undefined) return false;
  let found = 0;
  for (const key in is) {
    const before = was?.[key];
    if (is[key] === before || skip.has(key)) continue;
    const field = schema.fields.get(key);
    if (field === undefined) continue;
    const below = node?.[fieldEdge(key)];
    if (!changedAs(field.schema, field.atomic, [before, is[key]], below)) return false;
    if (below !== undefined) found++;
  }
  return node === undefined || (!isMember(node) && found === countEdges(node));
}

const isLeaf = (node: FieldsV1): boolean => isMember(node) && countEdges(node) === 0;

/** Whether everything in a value that is new makes up `node`. */
function addedAs(schema: Schema | undefined, atomic: boolean, value: unknown, node: FieldsV1): boolean {
  if (!isMember(node)) return false;
  const shape = shapeOf(schema, atomic, value);
  if (shape === 'whole' || value === null || isEmpty(value)) return isLeaf(node);
  return containerAs(schema, shape, value, node);
}

function containerAs(
  schema: Schema | undefined,
  shape: 'object' | 'map' | 'list',
  value: unknown,
  node: FieldsV1,
): boolean {
  let found = 0;
  switch (shape) {
    case 'object': {
      const { fields, preserveUnknown } = schema as ObjectSchema;
      if (preserveUnknown) return false;
      for (const key in value as Json) {
        const given = (value as Json)[key];
        const field = fields.get(key);
        if (given === undefined || field === undefined) continue;
        const below = node[fieldEdge(key)];
        if (below === undefined || !addedAs(field.schema, field.atomic, given, below)) return false;
        found++;
      }
      break;
    }
    case 'map':
      for (const key in value as Json) {
        const below = node[`f:${key}`];
        if (below === undefined || !addedAs(valuesOf(schema), false, (value as Json)[key], below))
          return false;
        found++;
      }
      break;
    case 'list': {
      const list = schema as ListSchema;
      const whole = itemsAtomic(list);
      const seen = (value as unknown[]).length > 1 ? new Set<string>() : undefined;
      for (const item of value as unknown[]) {
        const edge = itemEdge(list, item);
        const below = node[edge];
        // Items that share an edge are owned together: that is for `compare` to say.
        if (below === undefined || seen?.has(edge) || !addedAs(list.items, whole, item, below)) return false;
        seen?.add(edge);
        found++;
      }
    }
  }
  return found === countEdges(node);
}
