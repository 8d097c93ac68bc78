// Strategic merge patch: a merge patch that knows the lists of Kubernetes. The schema says which lists are merged and by which
// key; directives inside the patch (`$patch`, `$retainKeys`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`) say the
// rest. Behaves as apimachinery's strategicpatch does, but copies what it changes: originals are shared and frozen.
import type { Field, ObjectSchema, Schema } from '../schema/schema.ts';
import { goText } from './go-text.ts';
import {
  attempt,
  copyObject,
  isObject,
  type Json,
  memberOf,
  PatchError,
  type PatchResult,
  setMember,
} from './result.ts';
import {
  deleteScalars,
  isScalarList,
  mergeObjectLists,
  mergeScalarLists,
  orderAs,
  requireUniform,
} from './strategic-lists.ts';

const orderPrefix = '$setElementOrder/';
const deletePrefix = '$deleteFromPrimitiveList/';

/** Applies the patch to an object of the schema. Neither argument is changed; untouched parts are shared. */
export function applyStrategicMergePatch(
  schema: ObjectSchema,
  original: unknown,
  patch: unknown,
): PatchResult {
  return attempt(() => {
    if (!isObject(patch)) throw refuse('invalid JSON document');
    return mergeObject(schema, isObject(original) ? original : {}, patch);
  });
}

const refuse = (message: string): PatchError => new PatchError('malformed', message);
const unexplained = (message: string): PatchError => new PatchError('unexplained', message);

/** What merging an object needs to know of a member: its schema, and how lists are merged. */
export interface MemberRule {
  readonly schema: Schema | undefined;
  readonly merges: boolean;
  readonly replaces: boolean;
  readonly mergeKey: string | undefined;
}

const unknownRule: MemberRule = { schema: undefined, merges: false, replaces: false, mergeKey: undefined };

function ruleOf(schema: Schema | undefined, key: string): MemberRule {
  if (schema?.type === 'map') return { ...unknownRule, schema: schema.values };
  const field: Field | undefined = schema?.type === 'object' ? schema.fields.get(key) : undefined;
  if (field === undefined) return unknownRule;
  return {
    schema: field.schema,
    merges: field.patchStrategy.includes('merge'),
    replaces: field.patchStrategy.includes('replace'),
    mergeKey: field.mergeKey,
  };
}

const itemsOf = (schema: Schema | undefined): Schema | undefined =>
  schema?.type === 'list' ? schema.items : undefined;

/** `original` with `patch` merged in. */
export function mergeObject(schema: Schema | undefined, original: Json, patch: Json): Json {
  const directive = memberOf(patch, '$patch');
  if (directive !== undefined) {
    if (directive === 'replace') {
      const replacement = copyObject(patch);
      delete replacement['$patch'];
      return replacement;
    }
    if (directive === 'delete') return {};
    throw unexplained(`unknown patch type: ${String(directive)} in map: ${goText(patch)}`);
  }
  const out = retained(original, patch);
  const ordered = applyOrders(schema, out, patch);
  for (const key of Object.keys(patch)) {
    if (key === '$retainKeys' || key.startsWith(orderPrefix) || ordered.has(key)) continue;
    if (key.startsWith('$deleteFromPrimitiveList')) deleteItems(schema, out, { key, items: patch[key] });
    else mergeMember(schema, out, { key, value: patch[key] });
  }
  return out;
}

function mergeMember(
  schema: Schema | undefined,
  out: Json,
  { key, value }: { key: string; value: unknown },
): void {
  if (value === null) {
    delete out[key];
    return;
  }
  const current = memberOf(out, key);
  const rule = ruleOf(schema, key);
  if (isObject(value) && isObject(current)) {
    setMember(out, key, rule.replaces ? value : mergeObject(rule.schema, current, value));
  } else if (Array.isArray(value) && Array.isArray(current)) {
    setMember(out, key, mergeList(rule, current, value));
  } else {
    const clean = withoutDirectives(value);
    if (clean === undefined) delete out[key];
    else setMember(out, key, clean);
  }
}

/** A list as the patch leaves it, before any `$setElementOrder`. */
function mergeList(rule: MemberRule, original: readonly unknown[], patch: readonly unknown[]): unknown[] {
  if (!rule.merges) return [...patch];
  if (original.length === 0 && patch.length === 0) return [];
  requireUniform(original, patch);
  if (isScalarList(original, patch)) return mergeScalarLists(original, patch);
  if (rule.mergeKey === undefined) throw unexplained('cannot merge lists without merge key for struct');
  const items = itemsOf(rule.schema);
  return mergeObjectLists(original as readonly Json[], patch as readonly Json[], {
    mergeKey: rule.mergeKey,
    merge: (old, change) => mergeObject(items, old, change),
    add: (item) => withoutDirectives(item) as Json,
  });
}

/** A value that the object does not have yet: nulls remove nothing there, and parts with a directive are left out. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((item) => item !== undefined);
  if (!isObject(value)) return value;
  if (Object.hasOwn(value, '$patch')) return undefined;
  const out: Json = {};
  for (const key of Object.keys(value)) {
    if (value[key] === null) continue;
    const clean = withoutDirectives(value[key]);
    if (clean !== undefined) setMember(out, key, clean);
  }
  return out;
}

/** A copy of the original, without the members that `$retainKeys` does not name. */
function retained(original: Json, patch: Json): Json {
  const keys = memberOf(patch, '$retainKeys');
  if (keys === undefined) return copyObject(original);
  const wrong = 'invalid patch format of retainKeys';
  if (!Array.isArray(keys)) throw refuse(wrong);
  const kept = new Set(keys);
  for (const key of Object.keys(patch)) {
    if (
      key === '$retainKeys' ||
      patch[key] === null ||
      key.startsWith(deletePrefix) ||
      key.startsWith(orderPrefix)
    )
      continue;
    if (!kept.has(key)) throw refuse(wrong);
  }
  const out: Json = {};
  for (const key of Object.keys(original)) if (kept.has(key)) setMember(out, key, original[key]);
  return out;
}

function deleteItems(
  schema: Schema | undefined,
  out: Json,
  { key, items }: { key: string; items: unknown },
): void {
  if (!key.startsWith(deletePrefix)) throw refuse('invalid patch format of primitive list');
  const name = key.slice(deletePrefix.length);
  const current = memberOf(out, name);
  if (items === null) {
    delete out[name];
    return;
  }
  if (!Array.isArray(current) || !Array.isArray(items)) return;
  const rule = ruleOf(schema, name);
  if (!rule.merges) setMember(out, name, [...items]);
  else if (current.length + items.length > 0) {
    requireUniform(current, items);
    if (!isScalarList(current, items)) setMember(out, name, mergeList(rule, current, items));
    else setMember(out, name, deleteScalars(current, items));
  }
}

/** Merges the lists that a `$setElementOrder/…` of the patch orders, and says which they were. */
function applyOrders(schema: Schema | undefined, out: Json, patch: Json): ReadonlySet<string> {
  const done = new Set<string>();
  for (const directive of Object.keys(patch)) {
    if (!directive.startsWith('$setElementOrder')) continue;
    const order = patch[directive];
    if (!directive.startsWith(orderPrefix)) throw refuse('invalid patch format of setElementOrder list');
    if (!Array.isArray(order))
      throw unexplained(`expected a []interface {}, but received a ${goTypeOf(order)}`);
    const name = directive.slice(orderPrefix.length);
    const current = listMember(out, name);
    const change = listMember(patch, name);
    if (current === undefined && change === undefined) continue;
    const rule = ruleOf(schema, name);
    orderAs.check(change ?? [], order, rule.mergeKey);
    const merged =
      change === undefined
        ? current!
        : current === undefined
          ? (withoutDirectives(change) as unknown[])
          : mergeList(rule, current, change);
    requireUniform(current ?? [], change ?? []);
    setMember(out, name, orderAs.apply(merged, { order, live: current ?? [], mergeKey: rule.mergeKey }));
    done.add(name);
  }
  return done;
}

function listMember(object: Json, key: string): unknown[] | undefined {
  const value = memberOf(object, key);
  if (value === undefined || Array.isArray(value)) return value;
  throw unexplained(`expected a []interface {}, but received a ${goTypeOf(value)}`);
}

/** The type Go's decoder gives a JSON value, for messages. */
function goTypeOf(value: unknown): string {
  if (value === null || value === undefined) return '%!s(<nil>)';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'object') return 'map[string]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'boolean' ? 'bool' : 'string';
}
