// JSON patch (RFC 6902) with the behaviour and the messages of the library the Kubernetes API server uses: `replace` sets a
// missing member, negative indexes count from the end. Copies only what it changes: originals are shared and frozen.
import {
  attempt,
  copyObject,
  equalJson,
  isObject,
  type Json,
  memberOf,
  PatchError,
  type PatchResult,
  setMember,
} from './result.ts';

const maxOperations = 10_000;

/** The most that `copy` operations may add together, in characters of JSON: they could double a value again and again. */
const maxCopied = 3 * 1024 * 1024;

type Container = Json | unknown[];

/** Applies the operations in their order, all or none. Neither argument is changed. */
export function applyJsonPatch(original: unknown, patch: unknown): PatchResult {
  return attempt(() => {
    const operations = checkShape(patch);
    const document = new PatchedDocument(original);
    for (const operation of operations) document.apply(operation);
    return document.root;
  });
}

function checkShape(patch: unknown): readonly Json[] {
  const malformed = (what: string, into: string): PatchError =>
    new PatchError('malformed', `json: cannot unmarshal ${what} into Go value of type jsonpatch.${into}`);
  if (!Array.isArray(patch)) throw malformed(kindOf(patch), 'Patch');
  for (const operation of patch) if (!isObject(operation)) throw malformed(kindOf(operation), 'Operation');
  if (patch.length > maxOperations)
    throw new PatchError(
      'tooLarge',
      `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`,
    );
  return patch as Json[];
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

const refuse = (message: string): PatchError => new PatchError('unprocessable', message);
const missing = (message: string): PatchError => refuse(`${message}: missing value`);
const badIndex = (index: number): PatchError =>
  refuse(`Unable to access invalid index: ${index}: invalid index referenced`);

/** Puts where the fault happened before what it is. */
function inContext<T>(context: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw error instanceof PatchError ? refuse(`${context}: ${error.message}`) : error;
  }
}

const decodeKey = (key: string): string => key.replaceAll('~1', '/').replaceAll('~0', '~');

class PatchedDocument {
  root: unknown;
  /** The containers that are this document's own copies. */
  readonly #own = new Set<Container>();
  #copied = 0;

  constructor(root: unknown) {
    this.root = root;
  }

  apply(operation: Json): void {
    const { op } = operation;
    if (op === 'add') this.#add(operation);
    else if (op === 'remove') this.#remove(operation);
    else if (op === 'replace') this.#replace(operation);
    else if (op === 'move') this.#move(operation);
    else if (op === 'test') this.#test(operation);
    else if (op === 'copy') this.#copy(operation);
    else throw refuse(`Unexpected kind: ${typeof op === 'string' ? op : 'unknown'}`);
  }

  #add(operation: Json): void {
    const path = pointerOf(operation, 'path', 'add');
    const value = operand(operation);
    const found = this.#find(path, 'write');
    if (found === undefined) throw missing(`add operation does not apply: doc is missing path: "${path}"`);
    inContext(`error in add for path: '${path}'`, () => insert(found.container, found.key, value));
  }

  #remove(operation: Json): void {
    const path = pointerOf(operation, 'path', 'remove');
    const found = this.#find(path, 'write');
    if (found === undefined) throw missing(`remove operation does not apply: doc is missing path: "${path}"`);
    inContext(`error in remove for path: '${path}'`, () => drop(found.container, found.key));
  }

  #replace(operation: Json): void {
    const path = pointerOf(operation, 'path', 'replace');
    const value = operand(operation);
    const found = this.#find(path, 'write');
    if (found === undefined) throw missing(`replace operation does not apply: doc is missing path: ${path}`);
    const { container, key } = found;
    if (!Array.isArray(container)) setMember(container, key, value);
    else {
      const index = indexIn(container.length, key);
      if (typeof index !== 'number')
        throw missing(`replace operation does not apply: doc is missing key: ${path}`);
      container[index] = value;
    }
  }

  #move(operation: Json): void {
    const from = pointerOf(operation, 'from', 'move');
    const source = this.#find(from, 'write');
    if (source === undefined)
      throw missing(`move operation does not apply: doc is missing from path: ${from}`);
    const value = inContext(`error in move for path: '${source.key}'`, () => {
      const taken = take(source.container, source.key);
      drop(source.container, source.key);
      return taken;
    });
    const path = pointerOf(operation, 'path', 'move');
    const target = this.#find(path, 'write');
    if (target === undefined)
      throw missing(`move operation does not apply: doc is missing destination path: ${path}`);
    inContext(`error in move for path: '${path}'`, () => insert(target.container, target.key, value));
  }

  #test(operation: Json): void {
    const path = pointerOf(operation, 'path', 'test');
    const found = this.#find(path, 'read');
    if (found === undefined) throw missing(`test operation does not apply: is missing path: ${path}`);
    const actual = inContext(`error in test for path: '${path}'`, () => take(found.container, found.key));
    // a missing value and null are the same to a test
    if (!equalJson(actual ?? null, operand(operation)))
      throw refuse(`testing value ${path} failed: test failed`);
  }

  #copy(operation: Json): void {
    const from = pointerOf(operation, 'from', 'copy');
    const source = this.#find(from, 'read');
    if (source === undefined)
      throw missing(`copy operation does not apply: doc is missing from path: ${from}`);
    const value =
      inContext(`error in copy for from: '${from}'`, () => take(source.container, source.key)) ?? null;
    const path = pointerOf(operation, 'path', 'copy');
    const copy = structuredClone(value);
    this.#copied += JSON.stringify(copy).length;
    if (this.#copied > maxCopied)
      throw refuse(
        `Unable to complete the copy, the accumulated size increase of copy is ${this.#copied}, exceeding the limit ${maxCopied}`,
      );
    const target = this.#find(path, 'write');
    if (target === undefined)
      throw missing(`copy operation does not apply: doc is missing destination path: ${path}`);
    inContext('error while adding value during copy', () => insert(target.container, target.key, copy));
  }

  /** The container that holds what a pointer names, and its key in there. For `write` every container on the way is a copy. */
  #find(pointer: string, access: 'read' | 'write'): { container: Container; key: string } | undefined {
    const parts = pointer.split('/').map(decodeKey);
    if (parts.length < 2) return undefined;
    let container = this.root;
    if (!isContainer(container)) return undefined;
    if (access === 'write') container = this.root = this.#ownCopy(container);
    for (let i = 1; i < parts.length - 1; i++) {
      const key = parts[i]!;
      const here = container as Container;
      const at = Array.isArray(here) ? indexIn(here.length, key) : key;
      if (at === undefined) return undefined;
      const next = Array.isArray(here) ? here[at as number] : memberOf(here, key);
      if (!isContainer(next)) return undefined;
      if (access === 'write') {
        const copy = this.#ownCopy(next);
        if (Array.isArray(here)) here[at as number] = copy;
        else setMember(here, key, copy);
        container = copy;
      } else container = next;
    }
    return { container: container as Container, key: parts[parts.length - 1]! };
  }

  #ownCopy(container: Container): Container {
    if (this.#own.has(container)) return container;
    const copy = Array.isArray(container) ? [...container] : copyObject(container);
    this.#own.add(copy);
    return copy;
  }
}

const isContainer = (value: unknown): value is Container => typeof value === 'object' && value !== null;

function pointerOf(operation: Json, member: 'path' | 'from', op: string): string {
  const pointer = operation[member];
  if (typeof pointer === 'string') return pointer;
  throw missing(`${op} operation failed to decode ${member}`);
}

/** As in Go, a missing `value` is null. */
const operand = (operation: Json): unknown => memberOf(operation, 'value') ?? null;

/** The place of an existing element; negative indexes count from the end. */
function indexIn(length: number, key: string): number | undefined {
  const index = parseIndex(key);
  if (index === undefined || index >= length || index < -length) return undefined;
  return index < 0 ? index + length : index;
}

const parseIndex = (key: string): number | undefined =>
  /^[+-]?[0-9]{1,10}$/.test(key) ? Number(key) + 0 : undefined;

function requireIndex(key: string): number {
  const index = parseIndex(key);
  if (index === undefined) throw refuse(`strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`);
  return index;
}

function take(container: Container, key: string): unknown {
  if (!Array.isArray(container)) return memberOf(container, key);
  const index = requireIndex(key);
  const at = indexIn(container.length, key);
  if (at === undefined) throw badIndex(index);
  return container[at];
}

function drop(container: Container, key: string): void {
  if (!Array.isArray(container)) {
    if (!Object.hasOwn(container, key)) throw missing(`Unable to remove nonexistent key: ${key}`);
    delete container[key];
    return;
  }
  const index = requireIndex(key);
  const at = indexIn(container.length, key);
  if (at === undefined) throw badIndex(index);
  container.splice(at, 1);
}

function insert(container: Container, key: string, value: unknown): void {
  if (!Array.isArray(container)) {
    setMember(container, key, value);
    return;
  }
  if (key === '-') {
    container.push(value);
    return;
  }
  const index = inContext(`value was not a proper array index: '${key}'`, () => requireIndex(key));
  const size = container.length + 1;
  if (index >= size || index < -size) throw badIndex(index);
  container.splice(index < 0 ? index + size : index, 0, value);
}
