// Sets of fields. A set is the JSON that managedFields stores (FieldsV1), so nothing is read or written between a stored object and
// a calculation: `f:replicas` leads to a field, `k:{"name":"web"}` to the list item with these keys, `v:"x"` to the item of a set.
//
// 1. A node without edges, or with the edge `.`, is a member of the set. Others only lead to members.
// 2. The root stands for the whole object and is never a member; the empty set is `undefined`.
// 3. Nodes are never changed once made, and shared freely: `difference(a, b) === a` when nothing was taken away.

export interface FieldsV1 {
  readonly [edge: string]: FieldsV1;
}

export type FieldSet = FieldsV1 | undefined;

/** A member without members below. */
export const leaf: FieldsV1 = Object.freeze({});

const self = '.';

export function isMember(node: FieldsV1): boolean {
  for (const edge in node) return edge === self || self in node;
  return true;
}

/** The node with these edges; undefined = it would stand for nothing. */
function nodeOf(member: boolean, edges: Record<string, FieldsV1> | null): FieldSet {
  if (edges === null) return member ? leaf : undefined;
  return member ? { [self]: leaf, ...edges } : edges;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === undefined || a === b) return b;
  if (b === undefined) return a;
  const edges: Record<string, FieldsV1> = {};
  let below = false;
  let fromA = true;
  for (const edge in a) {
    if (edge === self) continue;
    below = true;
    const joined = union(a[edge], b[edge])!;
    if (joined !== a[edge]) fromA = false;
    edges[edge] = joined;
  }
  for (const edge in b) {
    if (edge === self || edge in a) continue;
    below = true;
    fromA = false;
    edges[edge] = b[edge]!;
  }
  const member = isMember(a) || isMember(b);
  if (fromA && member === isMember(a)) return a;
  return nodeOf(member, below ? edges : null);
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || a === undefined || b === undefined) return a === b ? a : undefined;
  let edges: Record<string, FieldsV1> | null = null;
  for (const edge in a) {
    const other = b[edge];
    if (edge === self || other === undefined) continue;
    const both = intersection(a[edge], other);
    if (both !== undefined) (edges ??= {})[edge] = both;
  }
  return nodeOf(isMember(a) && isMember(b), edges);
}

/** Members of `a` that are no members of `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return subtract(a, b, false);
}

/** As `difference`, and what is below a member of `b` goes with it. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  return subtract(a, b, true);
}

function subtract(a: FieldSet, b: FieldSet, recursive: boolean): FieldSet {
  if (a === undefined || b === undefined) return a;
  const taken = isMember(b);
  if (taken && recursive) return undefined;
  const member = isMember(a);
  let changed = member && taken;
  let edges: Record<string, FieldsV1> | null = null;
  for (const edge in a) {
    if (edge === self) continue;
    const left = subtract(a[edge], b[edge], recursive);
    if (left !== a[edge]) changed = true;
    if (left !== undefined) (edges ??= {})[edge] = left;
  }
  return changed ? nodeOf(member && !taken, edges) : a;
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || isMember(a) !== isMember(b)) return false;
  for (const edge in a) if (edge !== self && !equalSets(a[edge], b[edge])) return false;
  for (const edge in b) if (edge !== self && !(edge in a)) return false;
  return true;
}

export function has(set: FieldSet, path: readonly string[]): boolean {
  let node = set;
  for (const edge of path) node = node?.[edge];
  return node !== undefined && isMember(node);
}

/** The paths of the members, in Kubernetes' order: of one level first the members, then what is below each. */
export function* paths(set: FieldSet, above: readonly string[] = []): Generator<readonly string[]> {
  if (set === undefined) return;
  const edges = Object.keys(set)
    .filter((edge) => edge !== self)
    .sort();
  for (const edge of edges) if (isMember(set[edge]!)) yield [...above, edge];
  for (const edge of edges) yield* paths(set[edge], [...above, edge]);
}

/** `.spec.containers[name="web"].image`, as conflicts name fields. */
export const pathText = (path: readonly string[]): string => path.map(edgeText).join('');

export function edgeText(edge: string): string {
  const rest = edge.slice(2);
  switch (edge[0]) {
    case 'f':
      return `.${rest}`;
    case 'k': {
      const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${rest}]`;
    default:
      return `[${rest}]`;
  }
}

/**
 * Reads a set that a client sent: edges of unknown kinds are dropped, keys and values written our way. Throws SyntaxError or
 * TypeError when it is none.
 */
export function readSet(json: unknown): FieldSet {
  const root = readNode(json);
  return root === leaf ? undefined : root;
}

function readNode(json: unknown): FieldsV1 {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new TypeError('a set of fields is an object of sets of fields');
  let out: Record<string, FieldsV1> | null = null;
  for (const [edge, below] of Object.entries(json)) {
    const read = edge === self ? self : readEdge(edge);
    if (read !== undefined) (out ??= {})[read] = readNode(below);
  }
  return out === null || isOnlySelf(out) ? leaf : out;
}

function isOnlySelf(node: FieldsV1): boolean {
  for (const edge in node) if (edge !== self) return false;
  return true;
}

function readEdge(edge: string): string | undefined {
  const rest = edge.slice(2);
  switch (edge.slice(0, 2)) {
    case 'f:':
      return edge;
    case 'i:':
      return /^\d+$/.test(rest) ? edge : undefined;
    case 'v:':
      return `v:${JSON.stringify(JSON.parse(rest))}`;
    case 'k:': {
      const keys: unknown = JSON.parse(rest);
      if (typeof keys !== 'object' || keys === null || Array.isArray(keys))
        throw new TypeError('the keys of a list item are an object');
      return `k:${JSON.stringify(Object.fromEntries(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1))))}`;
    }
    default:
      return undefined;
  }
}
