// Sets of fields, as managedFields stores them: a tree whose edges are path elements and whose nodes may be members. The text of an
// edge is that of FieldsV1: `f:replicas`, `k:{"name":"web"}` (list item by keys), `v:"x"` (item of a set), `i:0` (by index).

export type FieldsV1 = { [edge: string]: FieldsV1 };

export class FieldSet {
  /** The path to this node is itself in the set. */
  member: boolean;
  children: Map<string, FieldSet> | null = null;

  constructor(member = false) {
    this.member = member;
  }

  get isEmpty(): boolean {
    return !this.member && (this.children === null || this.children.size === 0);
  }

  /** The node below, made when it is missing. */
  child(edge: string): FieldSet {
    this.children ??= new Map();
    let found = this.children.get(edge);
    if (found === undefined) this.children.set(edge, (found = new FieldSet()));
    return found;
  }

  put(edge: string, set: FieldSet): void {
    if (set.isEmpty) return;
    this.children ??= new Map();
    this.children.set(edge, set);
  }

  get(edge: string): FieldSet | undefined {
    return this.children?.get(edge);
  }
}

const none: ReadonlyMap<string, FieldSet> = new Map();
const childrenOf = (set: FieldSet | undefined): ReadonlyMap<string, FieldSet> => set?.children ?? none;

/** New sets; the arguments stay as they are (parts may be shared). */
export function union(a: FieldSet | undefined, b: FieldSet | undefined): FieldSet {
  if (a === undefined || a.isEmpty) return b ?? new FieldSet();
  if (b === undefined || b.isEmpty) return a;
  const out = new FieldSet(a.member || b.member);
  for (const [edge, child] of childrenOf(a)) out.put(edge, union(child, b.get(edge)));
  for (const [edge, child] of childrenOf(b)) if (a.get(edge) === undefined) out.put(edge, child);
  return out;
}

export function intersection(a: FieldSet | undefined, b: FieldSet | undefined): FieldSet {
  if (a === undefined || b === undefined) return new FieldSet();
  const out = new FieldSet(a.member && b.member);
  for (const [edge, child] of childrenOf(a)) out.put(edge, intersection(child, b.get(edge)));
  return out;
}

/** Members of `a` that are no members of `b`. */
export function difference(a: FieldSet, b: FieldSet | undefined): FieldSet {
  if (b === undefined || b.isEmpty) return a;
  const out = new FieldSet(a.member && !b.member);
  for (const [edge, child] of childrenOf(a)) out.put(edge, difference(child, b.get(edge)));
  return out;
}

/** As `difference`, and everything below a member of `b` goes with it. */
export function recursiveDifference(a: FieldSet, b: FieldSet | undefined): FieldSet {
  if (b === undefined || b.isEmpty) return a;
  if (b.member) return new FieldSet();
  const out = new FieldSet(a.member);
  for (const [edge, child] of childrenOf(a)) out.put(edge, recursiveDifference(child, b.get(edge)));
  return out;
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a.member !== b.member || childrenOf(a).size !== childrenOf(b).size) return false;
  for (const [edge, child] of childrenOf(a)) {
    const other = b.get(edge);
    if (other === undefined || !equalSets(child, other)) return false;
  }
  return true;
}

/** Members as paths of edges, in order. */
export function* paths(set: FieldSet, above: readonly string[] = []): Generator<readonly string[]> {
  if (set.member && above.length > 0) yield above;
  for (const [edge, child] of [...childrenOf(set)].sort(byEdge)) yield* paths(child, [...above, edge]);
}

/** `.spec.containers[name="web"].image`, as conflicts name fields. */
export function pathText(path: readonly string[]): string {
  let out = '';
  for (const edge of path) {
    const kind = edge[0];
    const rest = edge.slice(2);
    if (kind === 'f') out += `.${rest}`;
    else if (kind === 'k') {
      const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>).sort(([a], [b]) =>
        a < b ? -1 : 1,
      );
      out += `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    } else if (kind === 'v') out += `[=${rest}]`;
    else out += `[${rest}]`;
  }
  return out;
}

const byEdge = ([a]: readonly [string, FieldSet], [b]: readonly [string, FieldSet]): number =>
  a < b ? -1 : a > b ? 1 : 0;

/** The JSON form: `{}` for a member without children, `.` marks a member that has children too. */
export function toFieldsV1(set: FieldSet): FieldsV1 {
  const out: FieldsV1 = {};
  if (set.member && set.children !== null && set.children.size > 0) out['.'] = {};
  for (const [edge, child] of [...childrenOf(set)].sort(byEdge)) out[edge] = toFieldsV1(child);
  return out;
}

/** Reads the JSON form. undefined = it is none. */
export function fromFieldsV1(json: unknown): FieldSet | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const out = new FieldSet();
  for (const [edge, below] of Object.entries(json)) {
    if (edge === '.') {
      out.member = true;
      continue;
    }
    if (!/^[fkvi]:/.test(edge)) return undefined;
    const child = fromFieldsV1(below);
    if (child === undefined) return undefined;
    if (child.children === null) child.member = true;
    out.put(edge, child);
  }
  return out;
}
