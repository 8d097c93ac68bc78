// The two changes that server-side apply makes to an object: lays a configuration over it, and takes out what the applier gave up.
import type { ListSchema, ObjectSchema, Schema } from '../schema/schema.ts';
import type { FieldSet } from './field-set.ts';
import { byEdge, isLeaf, isMap, itemEdge } from './walk.ts';

type Json = Record<string, unknown>;

/** A new object: `applied` laid over `live`. Parts that do not change are shared with `live`. */
export function overlay(schema: ObjectSchema, live: Json, applied: Json): Json {
  const out: Json = { ...live };
  for (const key in applied) {
    const field = schema.fields.get(key);
    if (field === undefined && !schema.preserveUnknown) continue;
    const value = overlayValue(field?.schema, field?.atomic ?? true, live[key], applied[key]);
    if (value === undefined) delete out[key];
    else out[key] = value;
  }
  return out;
}

function overlayValue(schema: Schema | undefined, atomic: boolean, live: unknown, applied: unknown): unknown {
  if (
    isLeaf(schema, atomic) ||
    live === undefined ||
    live === null ||
    applied === null ||
    applied === undefined
  )
    return applied;
  switch (schema!.type) {
    case 'object':
      return isMap(applied) && isMap(live) ? overlay(schema as ObjectSchema, live, applied) : applied;
    case 'map': {
      if (!isMap(applied) || !isMap(live)) return applied;
      const { values } = schema as { values: Schema };
      const out: Json = { ...live };
      for (const key of Object.keys(applied))
        define(
          out,
          key,
          overlayValue(values, false, Object.hasOwn(live, key) ? live[key] : undefined, applied[key]),
        );
      return out;
    }
    case 'list':
      return Array.isArray(applied) && Array.isArray(live)
        ? overlayList(schema as ListSchema, live, applied)
        : applied;
    default:
      return applied;
  }
}

function define(object: Json, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  else object[key] = value;
}

/**
 * Items that both have stay where the applied order puts them among themselves; items only live has keep their place after the
 * neighbour they follow today.
 */
function overlayList(schema: ListSchema, live: readonly unknown[], applied: readonly unknown[]): unknown[] {
  const liveByEdge = byEdge(schema, live);
  const appliedEdges = new Set(applied.map((item) => itemEdge(schema, item)));
  const out: unknown[] = [];
  let at = 0;
  const takeLiveOnly = (until: string | undefined) => {
    for (; at < live.length; at++) {
      const edge = itemEdge(schema, live[at]);
      if (edge === until) {
        at++;
        return;
      }
      if (!appliedEdges.has(edge)) out.push(live[at]);
      else if (until !== undefined) return;
    }
  };
  for (const item of applied) {
    const edge = itemEdge(schema, item);
    const current = liveByEdge.get(edge);
    if (current === undefined) {
      out.push(item);
      continue;
    }
    takeLiveOnly(edge);
    out.push(schema.listType === 'set' ? item : overlayValue(schema.items, false, current, item));
  }
  takeLiveOnly(undefined);
  return out;
}

/**
 * A new object without the fields of `gone`, except what is in `kept` or holds something of it. `gone`: what the applier owned and
 * no longer names; `kept`: what it names now and what other managers own.
 */
export function prune(schema: ObjectSchema, object: Json, gone: FieldSet, kept: FieldSet): Json {
  return pruneObject(schema, object, gone, kept) as Json;
}

function pruneObject(schema: ObjectSchema, object: Json, gone: FieldSet, kept: FieldSet | undefined): Json {
  let out: Json | undefined;
  for (const [edge, node] of gone.children ?? []) {
    const key = edge.slice(2);
    if (edge[0] !== 'f' || !(key in object)) continue;
    const field = schema.fields.get(key);
    const next = pruneValue(field?.schema, field?.atomic ?? true, object[key], node, kept?.get(edge));
    if (next === object[key]) continue;
    out ??= { ...object };
    if (next === undefined) delete out[key];
    else out[key] = next;
  }
  return out ?? object;
}

const isHeld = (kept: FieldSet | undefined): boolean => kept !== undefined && !kept.isEmpty;

/** undefined = the value goes. */
function pruneValue(
  schema: Schema | undefined,
  atomic: boolean,
  value: unknown,
  gone: FieldSet,
  kept: FieldSet | undefined,
): unknown {
  if (gone.member && !isHeld(kept)) return undefined;
  if (isLeaf(schema, atomic) || gone.children === null) return value;
  switch (schema!.type) {
    case 'object':
      return isMap(value)
        ? emptied(value, pruneObject(schema as ObjectSchema, value, gone, kept), kept)
        : value;
    case 'map': {
      if (!isMap(value)) return value;
      const { values } = schema as { values: Schema };
      const out: Json = { ...value };
      for (const [edge, node] of gone.children) {
        const key = edge.slice(2);
        if (!Object.hasOwn(out, key)) continue;
        const next = pruneValue(values, false, out[key], node, kept?.get(edge));
        if (next === undefined) delete out[key];
        else define(out, key, next);
      }
      return emptied(value, out, kept);
    }
    case 'list': {
      if (!Array.isArray(value)) return value;
      const list = schema as ListSchema;
      const out: unknown[] = [];
      for (const item of value) {
        const edge = itemEdge(list, item);
        const node = gone.get(edge);
        const next = node === undefined ? item : pruneValue(list.items, false, item, node, kept?.get(edge));
        if (next !== undefined) out.push(next);
      }
      return out.length === 0 && !isHeld(kept) ? undefined : out;
    }
    default:
      return value;
  }
}

/** A container that became empty and that nobody holds goes as well. */
function emptied(before: Json, after: Json, kept: FieldSet | undefined): Json | undefined {
  if (after === before || isHeld(kept)) return after;
  for (const _ in after) return after;
  return undefined;
}
