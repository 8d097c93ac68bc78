// YAML as sigs.k8s.io/yaml reads and prints it: the scalars of YAML 1.1 (yes and on are true, 010 is eight), no timestamps,
// keys made strings, no key twice. The `yaml` library parses and lays out; what scalars mean is decided here. Not in
// machinery's index: the library costs start-up time. Other folders come here through `loadYaml()`.
import {
  Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  Scalar,
  type YAMLMap,
} from 'yaml';
import { type Parsed, parsed, unparsed } from './parsed.ts';

const words = new Map<string, null | boolean>([
  ...['', '~', 'null', 'Null', 'NULL'].map((w) => [w, null] as const),
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((w) => [w, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map(
    (w) => [w, false] as const,
  ),
]);
const whole = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/;
const float = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
/** Not a number, or endless: YAML can say it, JSON cannot. */
const unsayable = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

/** What an unquoted scalar stands for: null, a truth value, a number, or its own text. */
export function resolvePlainScalar(text: string): null | boolean | number | string {
  const word = words.get(text);
  if (word !== undefined) return word;
  if (!/^[-+.0-9]/.test(text)) return text;
  const digits = text.replaceAll('_', '');
  const m = whole.exec(digits);
  if (m !== null) {
    const octal = /^0[oO]?([0-7]+)$/.exec(m[2]!);
    const value = octal === null ? Number(m[2]) : Number.parseInt(octal[1]!, 8);
    return m[1] === '-' && value !== 0 ? -value : value;
  }
  return float.test(digits) ? Number(digits) : text;
}

/** The documents of a text as JSON values. Empty ones (a stray `---`, only comments) are left out. */
export function parseYamlDocuments(text: string): Parsed<unknown[]> {
  const lines = new LineCounter();
  // failsafe: the library gives every scalar as text
  const documents = parseAllDocuments(text, {
    schema: 'failsafe',
    uniqueKeys: false,
    lineCounter: lines,
    logLevel: 'silent',
    prettyErrors: false,
  });
  const out: unknown[] = [];
  for (const document of 'empty' in documents ? [] : documents) {
    const fault = document.errors[0];
    if (fault !== undefined)
      return unparsed(`yaml: line ${lines.linePos(fault.pos[0]).line}: ${fault.message}`);
    if (document.contents === null) continue;
    try {
      const value = new Reader(lines).read(document.contents, 0);
      if (value !== null) out.push(value);
    } catch (error) {
      if (error instanceof Refused) return unparsed(error.message);
      throw error;
    }
  }
  return parsed(out);
}

/** The first document of a text; null when there is none. */
export function parseYaml(text: string): Parsed<unknown> {
  const documents = parseYamlDocuments(text);
  return documents.ok ? parsed(documents.value[0] ?? null) : documents;
}

/** Stops the reading; it never leaves this file. */
class Refused extends Error {}

const maxDepth = 1000;
/** Aliases can multiply a small text into a huge value. */
const maxAliasedNodes = 100_000;

/** One document's nodes as JSON values. */
class Reader {
  readonly #lines: LineCounter;
  readonly #anchors = new Map<string, Node>();
  #aliased = 0;
  #insideAlias = false;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  read(node: unknown, depth: number): unknown {
    if (depth > maxDepth) throw new Refused('yaml: exceeded max depth');
    if (this.#insideAlias && ++this.#aliased > maxAliasedNodes)
      throw new Refused('yaml: document contains excessive aliasing');
    if (isAlias(node)) return this.#readAlias(node.source, depth);
    if (isScalar(node)) {
      this.#remember(node);
      return this.#scalar(node);
    }
    if (isSeq(node)) {
      this.#remember(node);
      return node.items.map((item) => this.read(item, depth + 1));
    }
    if (isMap(node)) {
      this.#remember(node);
      return this.#map(node, depth);
    }
    return null;
  }

  #remember(node: Scalar | (Node & { anchor?: string })): void {
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
  }

  #readAlias(name: string, depth: number): unknown {
    const target = this.#anchors.get(name);
    if (target === undefined) throw new Refused(`yaml: unknown anchor '${name}' referenced`);
    const outer = this.#insideAlias;
    this.#insideAlias = true;
    const value = this.read(target, depth + 1);
    this.#insideAlias = outer;
    return value;
  }

  #scalar(node: Scalar): unknown {
    const text = typeof node.value === 'string' ? node.value : (node.source ?? '');
    if (node.tag === 'tag:yaml.org,2002:binary') return Buffer.from(text, 'base64').toString('utf8');
    if (node.type !== 'PLAIN' || node.tag === 'tag:yaml.org,2002:str' || node.tag === '!') return text;
    if (unsayable.test(text)) throw new Refused(`json: unsupported value: ${text.replace('.', '')}`);
    return resolvePlainScalar(text);
  }

  #map(map: YAMLMap, depth: number): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    const merged: unknown[] = [];
    for (const pair of map.items) {
      if (isScalar(pair.key) && pair.key.type === 'PLAIN' && pair.key.value === '<<') {
        const value = this.read(pair.value, depth + 1);
        merged.push(...(Array.isArray(value) ? value : [value]));
        continue;
      }
      const key = this.#key(pair.key, depth);
      if (Object.hasOwn(out, key)) {
        const at = (pair.key as Node).range?.[0] ?? 0;
        throw new Refused(
          `yaml: unmarshal errors:\n  line ${this.#lines.linePos(at).line}: key ${JSON.stringify(key)} already set in map`,
        );
      }
      setOwn(out, key, this.read(pair.value, depth + 1));
    }
    for (const source of merged) {
      if (typeof source !== 'object' || source === null || Array.isArray(source))
        throw new Refused('yaml: map merge requires map or sequence of maps as the value');
      for (const key of Object.keys(source))
        if (!Object.hasOwn(out, key)) setOwn(out, key, (source as Record<string, unknown>)[key]);
    }
    return out;
  }

  /** A key is text in JSON: `1`, `true` and `1.5` become theirs. */
  #key(node: unknown, depth: number): string {
    const key = this.read(node, depth + 1);
    if (typeof key === 'object') throw new Refused('yaml: unsupported map key: only scalars can be keys');
    return String(key);
  }
}

function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
}

/** A JSON value as kubectl prints it: sorted keys, lists not indented, quotes where a reader could take a text for something else. */
export function printYaml(value: unknown): string {
  const document = new Document(null, { schema: 'core' });
  document.contents = nodeOf(document, value);
  return document.toString({
    indentSeq: false,
    lineWidth: 0,
    singleQuote: true,
    flowCollectionPadding: false,
  });
}

function nodeOf(document: Document, value: unknown): Node {
  if (typeof value === 'string') {
    const scalar = new Scalar(value);
    scalar.type = styleOf(value);
    return scalar;
  }
  if (Array.isArray(value)) {
    const list = document.createNode([]);
    for (const item of value) list.items.push(nodeOf(document, item) as never);
    return list;
  }
  if (typeof value !== 'object' || value === null) return new Scalar(value);
  const map = document.createNode({}) as unknown as YAMLMap;
  const object = value as Record<string, unknown>;
  for (const key of Object.keys(object).sort(compareKeys)) {
    const item = object[key];
    if (item !== undefined)
      map.items.push(document.createPair(nodeOf(document, key), nodeOf(document, item)));
  }
  return map;
}

const timestamp = /^\d{4}-\d\d?-\d\d?(?:[Tt ]\d\d?:\d\d?:\d\d?(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)?)?$/;
const base60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;
const unprintable = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff]/;

/** Double quotes for what a reader would not take for text; the library itself falls back to single ones for the rest. */
function styleOf(text: string): 'PLAIN' | 'QUOTE_DOUBLE' | 'BLOCK_LITERAL' {
  if (unprintable.test(text)) return 'QUOTE_DOUBLE';
  if (text.includes('\n')) return 'BLOCK_LITERAL';
  const plain =
    resolvePlainScalar(text) === text &&
    text !== '<<' &&
    !unsayable.test(text) &&
    !timestamp.test(text) &&
    !base60.test(text);
  return plain ? 'PLAIN' : 'QUOTE_DOUBLE';
}

const isLetter = (char: string): boolean => /^\p{L}$/u.test(char);
const leadingDigits = (chars: readonly string[], from: number): string => {
  let end = from;
  while (end < chars.length && /^[0-9]$/.test(chars[end]!)) end++;
  return chars.slice(from, end).join('');
};

/** The order of go-yaml: letters after everything else, numbers inside names by their value (`a2` before `a10`). */
function compareKeys(left: string, right: string): number {
  const a = [...left];
  const b = [...right];
  let i = 0;
  while (i < a.length && i < b.length && a[i] === b[i]) i++;
  if (i === a.length || i === b.length) return a.length - b.length;
  const [x, y] = [a[i]!, b[i]!];
  const byCode = x.codePointAt(0)! - y.codePointAt(0)!;
  if (isLetter(x) && isLetter(y)) return byCode;
  if (isLetter(x) !== isLetter(y)) return isLetter(x) ? 1 : -1;
  // a zero that continues a number counts as a digit of it, not as a leading zero
  const continues = (x === '0' || y === '0') && /[1-9][0-9]*$/.test(a.slice(0, i).join(''));
  const [m, n] = [leadingDigits(a, i), leadingDigits(b, i)];
  const byValue = Number(continues ? `1${m}` : m) - Number(continues ? `1${n}` : n);
  return byValue || m.length - n.length || byCode;
}
