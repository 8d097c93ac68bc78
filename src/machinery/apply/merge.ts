// The two changes that server-side apply makes to an object: lays a configuration over it, and takes out what the applier gave up.
// Both return new objects that share what did not change with the old one.
import type { ListSchema, ObjectSchema, Schema } from '../schema/schema.ts';
import type { FieldSet } from './field-set.ts';
import { byEdge, isMap, itemEdge, type Json, shapeOf } from './fields.ts';

/** `applied` laid over `live`. Both fit the schema. */
export function overlay(schema: ObjectSchema, live: Json, applied: Json): Json {
  const out: Json = { ...live };
  for (const key in applied) {
    const field = schema.fields.get(key);
    out[key] = overlayValue(field?.schema, field?.atomic ?? false, live[key], applied[key]);
  }
  return out;
}

function overlayValue(schema: Schema | undefined, atomic: boolean, live: unknown, applied: unknown): unknown {
  const shape = shapeOf(schema, atomic, applied);
  if (applied === null || live === undefined || live === null || shape === 'whole') return applied;
  if (shape === 'object') return overlay(schema as ObjectSchema, live as Json, applied as Json);
  if (shape === 'list') return overlayList(schema as ListSchema, live as unknown[], applied as unknown[]);
  if (!isMap(live)) return applied;
  const values = schema?.type === 'map' ? schema.values : undefined;
  const out: Json = { ...live };
  for (const [key, value] of Object.entries(applied as Json))
    setMember(out, key, overlayValue(values, false, Object.hasOwn(live, key) ? live[key] : undefined, value));
  return out;
}

/** Assigning `__proto__` would change the prototype instead. */
function setMember(object: Json, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  else object[key] = value;
}

/**
 * Items that both have follow the applied order; items of one side alone keep their neighbours, the live ones first: `[a x b]`
 * under `[a n b]` is `[a x n b]`.
 */
function overlayList(schema: ListSchema, live: readonly unknown[], applied: readonly unknown[]): unknown[] {
  const repeated = new Set<string>();
  const liveItems = byEdge(schema, live, repeated);
  const appliedItems = byEdge(schema, applied);
  const liveEdges = live.map((item) => itemEdge(schema, item));
  const shared = [...appliedItems.keys()].filter((edge) => liveItems.has(edge));
  const whole = schema.listType === 'set' || schema.itemsAtomic === true;
  const out: unknown[] = [];
  let at = 0;
  /** Takes over what only live has, up to the item that both have and that comes next. */
  const takeLive = (next: string | undefined) => {
    for (; at < live.length; at++) {
      const edge = liveEdges[at]!;
      if (!appliedItems.has(edge)) out.push(live[at]);
      else if (next === undefined || edge === next) return;
    }
  };
  let taken = 0;
  for (const [edge, item] of appliedItems) {
    takeLive(shared[taken]);
    if (edge !== shared[taken]) {
      out.push(item);
      continue;
    }
    taken++;
    if (liveEdges[at] === edge) at++;
    out.push(
      whole || repeated.has(edge) ? item : overlayValue(schema.items, false, liveItems.get(edge), item),
    );
  }
  for (; at < live.length; at++) if (!appliedItems.has(liveEdges[at]!)) out.push(live[at]);
  return out;
}

/**
 * `object` without the fields of `gone`, unless `kept` has them or something below them. What is below a field that goes, goes with
 * it, whoever filled it in. `gone`: what the applier owned and no longer names; `kept`: what it names and what others own.
 */
export function prune(
  schema: ObjectSchema,
  object: Json,
  { gone, kept }: { gone: FieldSet; kept: FieldSet },
): Json {
  return pruneValue(schema, false, object, { gone, kept: kept ?? {} }) as Json;
}

interface Wanted {
  readonly gone: FieldSet;
  readonly kept: FieldSet;
}

/** undefined = the value goes. */
function pruneValue(
  schema: Schema | undefined,
  atomic: boolean,
  value: unknown,
  { gone, kept }: Wanted,
): unknown {
  if (gone === undefined) return value;
  if (kept === undefined) return undefined;
  const below = (edge: string): Wanted => ({ gone: gone[edge], kept: kept[edge] });
  switch (shapeOf(schema, atomic, value)) {
    case 'whole':
      return value;
    case 'list': {
      const list = schema as ListSchema;
      const whole = list.listType === 'set' || list.itemsAtomic === true;
      if (!Array.isArray(value)) return value;
      const left = value
        .map((item) => pruneValue(list.items, whole, item, below(itemEdge(list, item))))
        .filter((item) => item !== undefined);
      return left.length === 0 ? undefined : left;
    }
    default: {
      if (!isMap(value)) return value;
      const out: Json = {};
      const fields = schema?.type === 'object' ? schema.fields : undefined;
      const values = schema?.type === 'map' ? schema.values : undefined;
      for (const [key, member] of Object.entries(value)) {
        const field = fields?.get(key);
        const left = pruneValue(field?.schema ?? values, field?.atomic ?? false, member, below(`f:${key}`));
        if (left !== undefined) setMember(out, key, left);
      }
      return Object.keys(out).length === 0 ? undefined : out;
    }
  }
}
