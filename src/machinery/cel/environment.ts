// Environments of expressions, and texts compiled in them. The evaluator knows no budget, so what an expression may cost is bounded
// before it runs: by how deep its loops are nested, and how long the longest list or map is that it is given.
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { patternOf } from '../structural/validate.ts';
import { compileFault, type FaultWords, runFault } from './faults.ts';
import { addKubernetesLibrary } from './library.ts';
import { addMacros, loops, widenHas } from './macros.ts';

export interface Program {
  /** The variables that stand in it, in no order; of `variables.a` its second part as well. */
  readonly names: ReadonlySet<string>;
  /** What it comes to, as the evaluator names types; `dyn` = that is known only when it runs. */
  readonly type: string;
  /** How many loops run inside each other. */
  readonly depth: number;
  /** Steps for lists and maps that have at most so many members. */
  cost(members: number): number;
  /** Throws an Error that tells why there is no value. */
  evaluate(values: Readonly<Record<string, unknown>>): unknown;
}

export type Compiled<P = Program> =
  | { readonly ok: true; readonly value: P }
  /** `typed` = it compiles, but not to what is wanted. `cause` = what the checker says. */
  | {
      readonly ok: false;
      readonly error: string;
      readonly typed?: boolean;
      readonly cause?: unknown;
    };

/** As much as an expression may cost; larger ones are refused, not asked. */
export const maxCost = 10_000_000;
export const outOfBudget =
  'validation failed due to running out of cost budget, no further validation rules will be run';

/** Made on first use: a program that starts need not wait for it. */
let base: Environment | undefined;

/** With all of Kubernetes' library and no variables. */
export function newEnvironment(): Environment {
  base ??= addMacros(
    addKubernetesLibrary(
      new Environment({
        unlistedVariablesAreDyn: false,
        enableOptionalTypes: true,
        homogeneousAggregateLiterals: false,
      }),
    ),
  );
  return base.clone();
}

let functionNames: ReadonlySet<string> | undefined;
export const words: FaultWords = {
  hasFunction: (name) => {
    functionNames ??= new Set(
      newEnvironment()
        .getDefinitions()
        .functions.map((one) => one.name),
    );
    return functionNames.has(name);
  },
};

const isNode = (value: unknown): value is ASTNode =>
  typeof value === 'object' && value !== null && 'op' in value && 'args' in value;

interface Found {
  nodes: number;
  readonly names: Set<string>;
  depth: number;
  badPattern: ASTNode | undefined;
}

function look(value: unknown, depth: number, found: Found): void {
  if (Array.isArray(value)) {
    for (const one of value) look(one, depth, found);
    return;
  }
  if (!isNode(value)) return;
  found.nodes++;
  found.depth = Math.max(found.depth, depth);
  if (value.op === 'id') found.names.add(value.args);
  if (value.op === '.' && isNode(value.args[0]) && value.args[0].op === 'id')
    found.names.add(`${value.args[0].args}.${value.args[1]}`);
  if (value.op === 'call' && value.args[0] === 'has') widenHas(value);
  if (value.op !== 'rcall') {
    look(value.args, depth, found);
    return;
  }
  const [name, receiver, args] = value.args;
  look(receiver, depth, found);
  const loopsFrom = loops.get(name);
  const inner = loopsFrom !== undefined && args.length >= loopsFrom ? depth + 1 : depth;
  look(args, inner, found);
  const [pattern] = args;
  if (name === 'matches' && pattern?.op === 'value' && typeof pattern.args === 'string')
    if (patternOf(pattern.args) === null || /^\(\?[a-zA-Z]/.test(pattern.args)) found.badPattern ??= pattern;
}

/** A field of a value of unknown type is of unknown type, and Kubernetes takes none such for a truth or a text. */
const isBareField = ({ op, args }: ASTNode): boolean =>
  op === 'id' ? untyped.has(args) : op === '.' && isBareField(args[0]);
const untyped = new Set(['object', 'oldObject', 'params']);

/**
 * Compiles a text to something that comes to one of `types`; empty = to anything. What may turn out to be of such a type is taken,
 * and must be looked at when it has run.
 */
export function compileIn(environment: Environment, text: string, types: readonly string[]): Compiled {
  try {
    const parsed = environment.parse(text);
    const found: Found = { nodes: 0, names: new Set(), depth: 0, badPattern: undefined };
    look(parsed.ast, 0, found);
    const check = parsed.check();
    if (!check.valid) return { ok: false, error: compileFault(text, check.error, words), cause: check.error };
    const type = check.type ?? 'dyn';
    const wanted = types.length === 0 || types.includes(type);
    if (!wanted && (type !== 'dyn' || isBareField(parsed.ast)) && !/^([A-Z]$|dyn<)/.test(type))
      return {
        ok: false,
        typed: true,
        error: `must evaluate to ${types.length === 1 ? types[0] : `one of [${types.join(' ')}]`} but got ${type}`,
      };
    if (found.badPattern !== undefined) {
      const fault = { code: 'bad_pattern', summary: 'invalid matches argument', node: found.badPattern };
      return { ok: false, error: compileFault(text, fault, words) };
    }
    const { nodes, depth, names } = found;
    return {
      ok: true,
      value: {
        names,
        type,
        depth,
        cost: (members) => nodes * Math.max(members, 1) ** depth,
        evaluate(values) {
          try {
            return parsed(values as Record<string, unknown>);
          } catch (error) {
            throw new Error(runFault(error), { cause: error });
          }
        },
      },
    };
  } catch (error) {
    return { ok: false, error: compileFault(text, error, words), cause: error };
  }
}

const keptAtMost = 5000;

/** Compiles each text once. */
export function remembering<P>(compile: (text: string, type: string) => P) {
  const compiled = new Map<string, P>();
  return (text: string, type: string): P => {
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
