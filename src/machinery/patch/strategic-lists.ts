// The lists of a strategic merge patch: merged by key or as sets, and put in order. Order: what the patch names comes in the
// patch's order, what only the server has keeps the server's order, and each server item goes before the first patch
// item that follows it on the server.
import { goText } from './go-text.ts';
import { isObject, type Json, memberOf, PatchError } from './result.ts';

const refuse = (message: string): PatchError => new PatchError('unexplained', message);
const noMergeKey = (item: unknown, key: string): PatchError =>
  refuse(`map: ${goText(item)} does not contain declared merge key: ${key}`);

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return value === null ? 'null' : typeof value;
}

/** All items of both lists must be of one type, and no lists. There must be one item at least. */
export function requireUniform(a: readonly unknown[], b: readonly unknown[]): void {
  let first: string | undefined;
  for (const list of [a, b]) {
    for (const item of list) {
      const name = typeName(item);
      if (first === undefined) {
        if (name === 'list') throw new PatchError('unprocessable', 'lists of lists are not supported');
        first = name;
      } else if (name !== first) throw refuse(`list element types are not identical: ${goText([a, b])}`);
    }
  }
  if (first === undefined) throw refuse('no elements in any of the given slices');
}

export const isScalarList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  !isObject(a[0] ?? b[0]);

/** The union, in order. */
export function mergeScalarLists(original: readonly unknown[], patch: readonly unknown[]): unknown[] {
  return arrange([...new Set([...original, ...patch])], {
    order: patch,
    live: original,
    keyOf: (item) => item,
  });
}

export function deleteScalars(list: readonly unknown[], unwanted: readonly unknown[]): unknown[] {
  const gone = new Set(unwanted);
  return list.filter((item) => !gone.has(item));
}

export interface ObjectListRules {
  readonly mergeKey: string;
  /** An item that both have. */
  merge(original: Json, patch: Json): Json;
  /** An item that only the patch has. */
  add(item: Json): Json;
}

/** Lists of objects, merged by their key; `$patch: delete` removes an item, `$patch: replace` all that are not in the patch. */
export function mergeObjectLists(
  original: readonly Json[],
  patch: readonly Json[],
  rules: ObjectListRules,
): unknown[] {
  const { mergeKey } = rules;
  const gone = new Set<unknown>();
  const changes: Json[] = [];
  let replace = false;
  for (const item of patch) {
    const directive = memberOf(item, '$patch');
    if (directive === undefined) changes.push(item);
    else if (directive === 'replace') replace = true;
    else if (directive === 'delete') gone.add(keyOf(item, mergeKey));
    else if (directive === 'merge') throw refuse('merging lists cannot yet be specified in the patch');
    else throw refuse(`unknown patch type: ${String(directive)} in map: ${goText(item)}`);
  }
  if (replace) {
    for (const item of changes) keyOf(item, mergeKey);
    return changes;
  }
  const live = gone.size === 0 ? original : original.filter((item) => !gone.has(memberOf(item, mergeKey)));
  const merged: Json[] = [...live];
  for (const change of changes) {
    const key = keyOf(change, mergeKey);
    const at = merged.findIndex((item) => memberOf(item, mergeKey) === key);
    if (at < 0) merged.push(rules.add(change));
    else merged[at] = rules.merge(merged[at]!, change);
  }
  for (const item of merged) keyOf(item, mergeKey);
  return arrange(merged, { order: changes, live, keyOf: (item) => memberOf(item as Json, mergeKey) });
}

function keyOf(item: unknown, mergeKey: string): unknown {
  const key = isObject(item) ? memberOf(item, mergeKey) : undefined;
  if (key === undefined) throw noMergeKey(item, mergeKey);
  return key;
}

interface Arrangement {
  /** The order asked for. */
  readonly order: readonly unknown[];
  /** The list as the server had it. */
  readonly live: readonly unknown[];
  keyOf(item: unknown): unknown;
}

function positions({ keyOf }: Arrangement, list: readonly unknown[]): ReadonlyMap<unknown, number> {
  const out = new Map<unknown, number>();
  list.forEach((item, i) => {
    const key = keyOf(item);
    if (!out.has(key)) out.set(key, i);
  });
  return out;
}

/** Items that `order` names in that order, with the others between them by their place in `live`. */
function arrange(items: readonly unknown[], arrangement: Arrangement): unknown[] {
  const ordered = positions(arrangement, arrangement.order);
  const lived = positions(arrangement, arrangement.live);
  const placeIn = (map: ReadonlyMap<unknown, number>, item: unknown): number =>
    map.get(arrangement.keyOf(item)) ?? Number.MAX_SAFE_INTEGER;
  const named = items
    .filter((item) => ordered.has(arrangement.keyOf(item)))
    .sort((a, b) => placeIn(ordered, a) - placeIn(ordered, b));
  const others = items
    .filter((item) => !ordered.has(arrangement.keyOf(item)))
    .sort((a, b) => placeIn(lived, a) - placeIn(lived, b));
  const out: unknown[] = [];
  let next = 0;
  for (const item of others) {
    const place = placeIn(lived, item);
    // named items new to the server have no place there: they go first
    while (
      next < named.length &&
      !(place < placeIn(lived, named[next]) && lived.has(arrangement.keyOf(named[next])))
    )
      out.push(named[next++]);
    out.push(item);
  }
  return [...out, ...named.slice(next)];
}

/** `$setElementOrder`. */
export const orderAs = {
  /** The patch must name its items in the order it asks for. */
  check(patch: readonly unknown[], order: readonly unknown[], mergeKey: string | undefined): void {
    if (order.length === 0 || patch.length === 0) return;
    const key = (item: unknown): unknown => (mergeKey === undefined ? item : keyOf(item, mergeKey));
    const named = patch.filter((item) => !(isObject(item) && Object.hasOwn(item, '$patch')));
    let at = 0;
    for (const item of order) if (at < named.length && key(named[at]) === key(item)) at++;
    if (at < named.length)
      throw refuse(
        `The order in patch list:\n${goText(patch)}\n doesn't match $setElementOrder list:\n${goText(order)}\n`,
      );
  },

  apply(
    merged: readonly unknown[],
    {
      order,
      live,
      mergeKey,
    }: { order: readonly unknown[]; live: readonly unknown[]; mergeKey: string | undefined },
  ): unknown[] {
    if (mergeKey === undefined) return arrange(merged, { order, live, keyOf: (item) => item });
    for (const list of [merged, order, live]) for (const item of list) keyOf(item, mergeKey);
    return arrange(merged, { order, live, keyOf: (item) => memberOf(item as Json, mergeKey) });
  },
};
