// The JSONPath of printer columns: fields, indexes, wildcards and filters, from the root of an object. Values in the order found.
import type { Parsed } from '../codec/parsed.ts';
import { isMap } from './json-schema.ts';

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'index'; readonly at: number }
  | { readonly kind: 'slice'; readonly from: number; readonly to: number }
  | { readonly kind: 'all' }
  | {
      readonly kind: 'filter';
      readonly path: readonly Step[];
      readonly operator: string;
      readonly value: unknown;
    };

export interface JsonPath {
  /** Every value that the path leads to. Never throws. */
  find(root: unknown): readonly unknown[];
  /** Whether it leads through fields only. */
  readonly simple: boolean;
}

/** Parses `.spec.containers[0].image`, `.status.conditions[?(@.type=="Ready")].status`, `.metadata.labels['a.b/c']`. */
export function parseJsonPath(text: string): Parsed<JsonPath> {
  try {
    const steps = new Reader(text.replace(/^\{(.*)\}$/s, '$1')).path();
    return {
      ok: true,
      value: {
        find: (root) => follow(steps, [root]),
        simple: steps.every((step) => step.kind === 'field'),
      },
    };
  } catch (error) {
    if (error instanceof PathError) return { ok: false, error: error.message };
    throw error;
  }
}

class PathError extends Error {}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  path(): Step[] {
    const steps: Step[] = [];
    if (this.#peek() === '$' || this.#peek() === '@') this.#at++;
    while (this.#at < this.#text.length) steps.push(this.#step());
    return steps;
  }

  #peek(): string {
    return this.#text[this.#at] ?? '';
  }

  #step(): Step {
    const first = this.#peek();
    if (first === '[') return this.#bracket();
    if (first !== '.') throw new PathError(`unrecognized character in action: U+${hex(first)} '${first}'`);
    this.#at++;
    if (this.#peek() === '.') throw new PathError('recursive descent is not supported');
    if (this.#peek() === '[') return this.#bracket();
    if (this.#peek() === '*') {
      this.#at++;
      return { kind: 'all' };
    }
    let name = '';
    while (this.#at < this.#text.length && !'.[ '.includes(this.#peek())) {
      if (this.#peek() === '\\') this.#at++;
      name += this.#peek();
      this.#at++;
    }
    return { kind: 'field', name };
  }

  #bracket(): Step {
    const from = this.#at + 1;
    const end = this.#closing(from);
    const inner = this.#text.slice(from, end).trim();
    this.#at = end + 1;
    if (inner === '*') return { kind: 'all' };
    const quoted = /^(['"])(.*)\1$/s.exec(inner);
    if (quoted !== null) return { kind: 'field', name: quoted[2]! };
    if (/^-?\d+$/.test(inner)) return { kind: 'index', at: Number(inner) };
    const slice = /^(-?\d*):(-?\d*)$/.exec(inner);
    if (slice !== null)
      return {
        kind: 'slice',
        from: slice[1] === '' ? 0 : Number(slice[1]),
        to: slice[2] === '' ? Number.POSITIVE_INFINITY : Number(slice[2]),
      };
    const filter = /^\?\((.*)\)$/s.exec(inner);
    if (filter === null) throw new PathError(`invalid array index ${inner}`);
    return filterOf(filter[1]!);
  }

  #closing(from: number): number {
    let depth = 0;
    let quote = '';
    for (let i = from; i < this.#text.length; i++) {
      const c = this.#text[i]!;
      if (quote !== '') {
        if (c === quote) quote = '';
      } else if (c === '"' || c === "'") quote = c;
      else if (c === '[') depth++;
      else if (c === ']' && depth-- === 0) return i;
    }
    throw new PathError('unterminated array');
  }
}

const hex = (c: string): string => c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');

function filterOf(text: string): Step {
  const parts = /^\s*(@.*?)\s*(==|!=|<=|>=|<|>)\s*(.*?)\s*$/s.exec(text);
  if (parts === null) {
    const path = new Reader(text.trim()).path();
    return { kind: 'filter', path, operator: 'exists', value: undefined };
  }
  const [, left = '', operator = '', right = ''] = parts;
  const quoted = /^(['"])(.*)\1$/s.exec(right);
  let value: unknown = right;
  if (quoted !== null) value = quoted[2];
  else if (/^-?\d+(\.\d+)?$/.test(right)) value = Number(right);
  else if (right === 'true' || right === 'false') value = right === 'true';
  return { kind: 'filter', path: new Reader(left).path(), operator, value };
}

function follow(steps: readonly Step[], from: readonly unknown[]): readonly unknown[] {
  let values = from;
  for (const step of steps) values = values.flatMap((value) => take(step, value));
  return values;
}

function take(step: Step, value: unknown): readonly unknown[] {
  switch (step.kind) {
    case 'field':
      if (step.name === '') return [value];
      return isMap(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : [];
    case 'index': {
      if (!Array.isArray(value)) return [];
      const found: unknown = value.at(step.at);
      return found === undefined ? [] : [found];
    }
    case 'slice':
      return Array.isArray(value)
        ? value.slice(step.from, step.to === Number.POSITIVE_INFINITY ? undefined : step.to)
        : [];
    case 'all':
      if (Array.isArray(value)) return value;
      return isMap(value) ? Object.values(value) : [];
    case 'filter':
      return Array.isArray(value) ? value.filter((item) => holds(step, item)) : [];
  }
}

function holds(step: Extract<Step, { kind: 'filter' }>, item: unknown): boolean {
  const [left] = follow(step.path, [item]);
  if (step.operator === 'exists') return left !== undefined;
  if (left === undefined) return false;
  const right = step.value;
  switch (step.operator) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    default: {
      if (typeof left !== typeof right || (typeof left !== 'number' && typeof left !== 'string'))
        return false;
      const [a, b] = [left, right as typeof left];
      if (step.operator === '<') return a < b;
      if (step.operator === '<=') return a <= b;
      return step.operator === '>' ? a > b : a >= b;
    }
  }
}
