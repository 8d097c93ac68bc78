// What CEL expands before it evaluates, as Kubernetes has it and the evaluator has not: has() of anything that ends in a field, what
// becomes of the value in an optional, and loops with two variables. The types here are the part of the evaluator's insides they touch.
import { type ASTNode, type Environment, Optional } from '@marcbachmann/cel-js';

interface Type {
  readonly kind: string;
  readonly keyType?: Type;
  readonly valueType?: Type;
  fieldLazy(value: unknown, name: unknown, node: unknown, evaluator: Evaluator): unknown;
}

interface Context {
  forkWithVariable(name: string, type: Type): Context;
  reuse(parent: Context): Context;
  setIterValue(value: unknown, evaluator: Evaluator): Context;
}

interface Checker {
  readonly registry: {
    getOptionalType(of: Type): Type;
    getListType(of: Type): Type;
    getMapType(k: Type, v: Type): Type;
  };
  check(node: unknown, context: Context): Type;
  checkAccessOnType(node: unknown, context: Context, type: Type, mayMiss: boolean): Type;
  createError(code: string, message: string, node: unknown): Error;
  getType(name: string): Type;
}

interface Evaluator {
  run(node: unknown, context: Context): unknown;
  debugType(value: unknown): Type;
}

interface Macro {
  readonly args: readonly unknown[];
  typeCheck(checker: Checker, macro: Macro, context: Context): Type;
  evaluate(evaluator: Evaluator, macro: Macro, context: Context): unknown;
}

type Node = ASTNode & {
  readonly meta: { macro?: Macro };
  setMeta(name: string, value: unknown): void;
};

/** The evaluator knows has() of a chain of names alone: `has(list[0].field)` and `has(call().field)` are CEL as well. */
export function widenHas(node: ASTNode): void {
  const { macro } = (node as Node).meta;
  if (macro === undefined) return;
  const [field] = macro.args as [Node];
  const [operand, name] = (Array.isArray(field.args) ? field.args : []) as [unknown, unknown];
  const isField = field.op === '.' || field.op === '.?';
  macro.typeCheck = (checker, _macro, context) => {
    if (!isField)
      throw checker.createError('invalid_macro_argument', 'invalid argument to has() macro', field);
    const type = checker.check(operand, context);
    const inner = type.kind === 'optional' ? type.valueType! : type;
    checker.checkAccessOnType(field, context, inner, field.op === '.?');
    return checker.getType('bool');
  };
  macro.evaluate = (evaluator, _macro, context) => {
    let value = evaluator.run(operand, context);
    if (value instanceof Optional) {
      if (!value.hasValue()) return false;
      value = value.value();
    }
    return evaluator.debugType(value).fieldLazy(value, name, field, evaluator) !== undefined;
  };
  (node as Node).setMeta('async', false);
}

interface Call {
  readonly ast: Node;
  readonly args: readonly Node[];
  readonly receiver: Node;
}

const nameOf = (node: Node): string => {
  if (node.op !== 'id') throw new Error('argument must be a simple name');
  return node.args as unknown as string;
};

const dyn = (checker: Checker): Type => checker.getType('dyn');

/** `optional.optMap(v, …)`: `wraps` = the outcome becomes an optional, else it is one. */
const ofOptional =
  ({ wraps }: { readonly wraps: boolean }) =>
  ({ ast, args, receiver }: Call) => {
    const [variable, body] = args as [Node, Node];
    const name = nameOf(variable);
    let inner: Context;
    ast.setMeta('async', false);
    return {
      typeCheck(checker: Checker, _macro: unknown, context: Context): Type {
        const type = checker.check(receiver, context);
        if (type.kind !== 'optional' && type.kind !== 'dyn')
          throw checker.createError('invalid_macro_argument', 'the receiver must be optional', receiver);
        inner = context.forkWithVariable(name, type.kind === 'optional' ? type.valueType! : dyn(checker));
        const result = checker.check(body, inner);
        return wraps ? checker.registry.getOptionalType(result) : result;
      },
      evaluate(evaluator: Evaluator, _macro: unknown, context: Context): unknown {
        const optional = evaluator.run(receiver, context);
        if (!(optional instanceof Optional)) throw new Error('no such overload: optMap');
        if (!optional.hasValue()) return Optional.none();
        const value = evaluator.run(body, inner.reuse(context).setIterValue(optional.value(), evaluator));
        return wraps ? Optional.of(value) : value;
      },
    };
  };

/** One step of a loop with two variables; what it returns other than undefined is the outcome. */
interface Loop {
  result(types: { key: Type; body: Type; second: Type | undefined }, checker: Checker): Type;
  start(): unknown;
  step(
    out: unknown,
    key: unknown,
    values: readonly (() => unknown)[],
  ): { readonly outcome: unknown } | undefined;
  end(out: unknown): unknown;
}

function entriesOf(value: unknown): Iterable<readonly [unknown, unknown]> {
  if (Array.isArray(value)) return value.map((item, i) => [BigInt(i), item] as const);
  if (value instanceof Map) return value;
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.entries(value);
  throw new Error('no such overload: a loop with two variables is over a list or a map');
}

const loopOf =
  (loop: () => Loop) =>
  ({ ast, args, receiver }: Call) => {
    const [first, second, ...bodies] = args as [Node, Node, ...Node[]];
    const names = [nameOf(first), nameOf(second)] as const;
    let outer: Context;
    let inner: Context;
    ast.setMeta('async', false);
    return {
      typeCheck(checker: Checker, _macro: unknown, context: Context): Type {
        const over = checker.check(receiver, context);
        if (over.kind !== 'list' && over.kind !== 'map' && over.kind !== 'dyn')
          throw checker.createError(
            'invalid_macro_argument',
            'expression cannot be range of a comprehension',
            receiver,
          );
        const key = over.kind === 'list' ? checker.getType('int') : (over.keyType ?? dyn(checker));
        outer = context.forkWithVariable(names[0], key);
        inner = outer.forkWithVariable(names[1], over.valueType ?? dyn(checker));
        const types = bodies.map((body) => checker.check(body, inner));
        return loop().result({ key, body: types[0]!, second: types[1] }, checker);
      },
      evaluate(evaluator: Evaluator, _macro: unknown, context: Context): unknown {
        const { start, step, end } = loop();
        const out = start();
        for (const [key, value] of entriesOf(evaluator.run(receiver, context))) {
          const at = inner
            .reuse(outer.reuse(context).setIterValue(key, evaluator))
            .setIterValue(value, evaluator);
          const found = step(
            out,
            key,
            bodies.map((body) => () => evaluator.run(body, at)),
          );
          if (found !== undefined) return found.outcome;
        }
        return end(out);
      },
    };
  };

const bool = (_: unknown, checker: Checker): Type => checker.getType('bool');

/** all and exists: what decides ends the loop, and an error counts only when nothing decides. */
const quantifier = (deciding: boolean): Loop => ({
  result: bool,
  start: () => ({ error: undefined as unknown }),
  step(out, _key, [holds]) {
    try {
      if (truth(holds!()) === deciding) return { outcome: deciding };
    } catch (error) {
      (out as { error: unknown }).error ??= error;
    }
    return undefined;
  },
  end(out) {
    const { error } = out as { error: unknown };
    if (error !== undefined) throw error;
    return !deciding;
  },
});

function truth(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new Error('no such overload: the condition of a loop is a bool');
  return value;
}

const existsOne = (): Loop => ({
  result: bool,
  start: () => ({ count: 0 }),
  step(out, _key, [holds]) {
    if (truth(holds!())) (out as { count: number }).count++;
    return undefined;
  },
  end: (out) => (out as { count: number }).count === 1,
});

/** The last of the bodies makes the value, the one before it, when there are two, says which are taken. */
const transform = (
  add: (out: unknown, key: unknown, value: unknown) => void,
  to: 'list' | 'map' | 'entries',
): Loop => ({
  result: ({ key, body, second }, checker) => {
    const made = second ?? body;
    if (to === 'list') return checker.registry.getListType(made);
    return to === 'map' ? checker.registry.getMapType(key, made) : made;
  },
  start: () => (to === 'list' ? [] : new Map()),
  step(out, key, values) {
    if (values.length === 1 || truth(values[0]!())) add(out, key, values.at(-1)!());
    return undefined;
  },
  end: (out) => out,
});

const toList = (): Loop => transform((out, _key, value) => (out as unknown[]).push(value), 'list');
const toMap = (): Loop =>
  transform((out, key, value) => (out as Map<unknown, unknown>).set(key, value), 'map');
const toEntries = (): Loop =>
  transform((out, _key, value) => {
    const all = out as Map<unknown, unknown>;
    for (const [key, one] of entriesOf(value)) {
      if (all.has(key)) throw new Error(`insert failed: key ${String(key)} already exists`);
      all.set(key, one);
    }
  }, 'entries');

const macros: Readonly<Record<string, (call: Call) => object>> = {
  'optional.optMap(ast, ast): optional<dyn>': ofOptional({ wraps: true }),
  'optional.optFlatMap(ast, ast): optional<dyn>': ofOptional({ wraps: false }),
  'list.all(ast, ast, ast): bool': loopOf(() => quantifier(false)),
  'list.exists(ast, ast, ast): bool': loopOf(() => quantifier(true)),
  'list.existsOne(ast, ast, ast): bool': loopOf(existsOne),
  'list.exists_one(ast, ast, ast): bool': loopOf(existsOne),
  'list.transformList(ast, ast, ast): list<dyn>': loopOf(toList),
  'list.transformList(ast, ast, ast, ast): list<dyn>': loopOf(toList),
  'list.transformMap(ast, ast, ast): map': loopOf(toMap),
  'list.transformMap(ast, ast, ast, ast): map': loopOf(toMap),
  'list.transformMapEntry(ast, ast, ast): map': loopOf(toEntries),
  'list.transformMapEntry(ast, ast, ast, ast): map': loopOf(toEntries),
};

/** Names of what loops over its receiver; with how many arguments at least. */
export const loops: ReadonlyMap<string, number> = new Map([
  ...['all', 'exists', 'exists_one', 'existsOne', 'map', 'filter'].map((name) => [name, 2] as const),
  ...['transformList', 'transformMap', 'transformMapEntry'].map((name) => [name, 3] as const),
]);

export function addMacros(environment: Environment): Environment {
  for (const [signature, expand] of Object.entries(macros))
    environment.registerFunction(signature, expand as never, { async: false } as never);
  return environment;
}
