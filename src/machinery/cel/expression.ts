// Expressions in CEL, compiled once a text. The evaluator knows no budget, so what an expression may cost is bounded before it runs: by
// how deep its loops are nested, and how long the longest list or map is that it is given.
import { type ASTNode, Environment, Optional } from '@marcbachmann/cel-js';
import { patternOf } from '../structural/validate.ts';
import { addKubernetesLibrary } from './library.ts';

interface Bounded {
  /** Steps for lists and maps that have at most so many members. */
  cost(members: number): number;
}

export interface Expression extends Bounded {
  readonly usesOldSelf: boolean;
  /** Throws an Error that tells why there is no value. */
  evaluate(self: unknown, oldSelf: unknown): unknown;
}

/** An expression over an API request. */
export interface RequestExpression extends Bounded {
  /** Throws an Error that tells why there is no value. */
  evaluate(values: Readonly<Record<RequestVariable, unknown>>): unknown;
}

export type Compiled<E = Expression> =
  | { readonly ok: true; readonly value: E }
  | { readonly ok: false; readonly error: string };

/** As much as a rule may cost; larger ones are refused, not asked. */
export const maxCost = 10_000_000;

const requestVariables = ['object', 'oldObject', 'request'] as const;
export type RequestVariable = (typeof requestVariables)[number];

const environmentOf = (variables: readonly string[]): Environment =>
  addKubernetesLibrary(
    variables.reduce(
      (environment, name) => environment.registerVariable(name, 'dyn'),
      new Environment({
        unlistedVariablesAreDyn: false,
        enableOptionalTypes: true,
        homogeneousAggregateLiterals: false,
      }),
    ),
  );

const ofValues = environmentOf(['self', 'oldSelf']);
const ofRequests = environmentOf(requestVariables);

const durationOf = new Environment().registerVariable('text', 'string').parse('duration(text)');
export const toDuration = (text: string): unknown => durationOf({ text });

export const some = (value: unknown): unknown => Optional.of(value);
export const none = (): unknown => Optional.none();

const loops = new Set(['all', 'exists', 'exists_one', 'existsOne', 'map', 'filter']);

const isNode = (value: unknown): value is ASTNode =>
  typeof value === 'object' && value !== null && 'op' in value && 'args' in value;

interface Found {
  nodes: number;
  usesOldSelf: boolean;
  /** How many loops run inside each other. */
  depth: number;
  badPattern: string | undefined;
}

function look(value: unknown, depth: number, found: Found): void {
  if (Array.isArray(value)) {
    for (const one of value) look(one, depth, found);
    return;
  }
  if (!isNode(value)) return;
  found.nodes++;
  found.depth = Math.max(found.depth, depth);
  if (value.op === 'id' && value.args === 'oldSelf') found.usesOldSelf = true;
  if (value.op !== 'rcall') {
    look(value.args, depth, found);
    return;
  }
  const [name, receiver, args] = value.args;
  look(receiver, depth, found);
  const inner = loops.has(name) && args.length >= 2 ? depth + 1 : depth;
  look(args, inner, found);
  const [pattern] = args;
  if (name === 'matches' && pattern?.op === 'value' && typeof pattern.args === 'string')
    if (patternOf(pattern.args) === null || /^\(\?[a-zA-Z]/.test(pattern.args))
      found.badPattern = pattern.args;
}

const keptAtMost = 5000;
type Result = 'bool' | 'string';

/** Compiles each text once. */
function remembering<E>(compile: (text: string, type: Result) => Compiled<E>) {
  const compiled = new Map<string, Compiled<E>>();
  return (text: string, type: Result): Compiled<E> => {
    const key = `${type} ${text}`;
    let known = compiled.get(key);
    if (known === undefined) {
      if (compiled.size >= keptAtMost) compiled.clear();
      known = compile(text, type);
      compiled.set(key, known);
    }
    return known;
  };
}

/** An expression over `self` and `oldSelf` that comes to a value of `type`. */
export const compileExpression = remembering<Expression>((text, type) => {
  const compiled = compile(ofValues, text, type);
  if (!compiled.ok) return compiled;
  const { evaluate, ...rest } = compiled.value;
  return {
    ok: true,
    value: {
      ...rest,
      evaluate: (self, oldSelf) => evaluate({ self, ...(oldSelf !== undefined && { oldSelf }) }),
    },
  };
});

/** An expression over `object`, `oldObject` and `request` that comes to a value of `type`. */
export const compileRequestExpression = remembering<RequestExpression>((text, type) =>
  compile(ofRequests, text, type),
);

interface OfAnything extends Bounded {
  readonly usesOldSelf: boolean;
  evaluate(values: Readonly<Record<string, unknown>>): unknown;
}

function compile(environment: Environment, text: string, type: Result): Compiled<OfAnything> {
  try {
    const parsed = environment.parse(text);
    const check = parsed.check();
    if (!check.valid) return { ok: false, error: summaryOf(check.error) };
    if (check.type !== type && check.type !== 'dyn')
      return { ok: false, error: `must evaluate to a ${type}` };
    const found: Found = { nodes: 0, usesOldSelf: false, depth: 0, badPattern: undefined };
    look(parsed.ast, 0, found);
    if (found.badPattern !== undefined)
      return { ok: false, error: `error parsing regexp: ${JSON.stringify(found.badPattern)}` };
    const { nodes, depth, usesOldSelf } = found;
    return {
      ok: true,
      value: {
        usesOldSelf,
        cost: (members) => nodes * Math.max(members, 1) ** depth,
        evaluate(values) {
          try {
            return parsed(values);
          } catch (error) {
            throw new Error(summaryOf(error), { cause: error });
          }
        },
      },
    };
  } catch (error) {
    return { ok: false, error: summaryOf(error) };
  }
}

/** The library draws the place into its messages; one line is enough where they go. */
function summaryOf(error: unknown): string {
  const { summary, message } = (error ?? {}) as { summary?: string; message?: string };
  return (summary || message || String(error)).split('\n')[0]!;
}
