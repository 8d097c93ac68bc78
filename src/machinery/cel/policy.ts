// The expressions of an admission policy, compiled once, and what they make of a request. Variables are evaluated when something looks at
// them, once for each set of parameters; what fails, fails whoever looked.
import type { Environment } from '@marcbachmann/cel-js';
import type { Authorizer } from './authorizer.ts';
import type { ObjectTypes } from './declared-types.ts';
import { isCertain } from './declared-types.ts';
import { type Compiled, compileIn, maxCost, outOfBudget, type Program } from './environment.ts';
import { PlainValues } from './plain-value.ts';
import {
  type PolicyVariables,
  typedPolicyEnvironment,
  untypedPolicyEnvironment,
} from './policy-environment.ts';

interface Named {
  readonly name: string;
  readonly expression: string;
}

export interface PolicyExpressions {
  readonly failurePolicy?: string | undefined;
  readonly paramKind?: unknown;
  readonly matchConditions?: readonly Named[] | undefined;
  readonly variables?: readonly Named[] | undefined;
  readonly validations?:
    | readonly {
        readonly expression: string;
        readonly message?: string | undefined;
        readonly messageExpression?: string | undefined;
        readonly reason?: string | undefined;
      }[]
    | undefined;
  readonly auditAnnotations?:
    | readonly { readonly key: string; readonly valueExpression: string }[]
    | undefined;
}

/** A text that is none of its kind. */
export interface PolicyFault {
  /** Below the spec: `['validations', 0, 'expression']` */
  readonly path: readonly (string | number)[];
  readonly text: string;
  readonly detail: string;
}

class Variables {}

/** Which environment a text is compiled in, as variables are added to it. */
class Scope {
  readonly #make: (variables: PolicyVariables) => Environment;
  readonly #params: boolean;
  readonly #fields: Record<string, string> = {};
  #empty = true;
  readonly #made = new Map<boolean, Environment>();

  constructor(make: (variables: PolicyVariables) => Environment, params: boolean) {
    this.#make = make;
    this.#params = params;
  }

  /** Those of later texts: `type` as the checker named it. */
  add(name: string, type: string): void {
    this.#fields[name] = /^([A-Z]$|dyn|optional<.*[A-Z]>)/.test(type) ? 'dyn' : type;
    this.#empty = false;
    this.#made.clear();
  }

  compile(
    text: string,
    types: readonly string[],
    { authorizer }: { readonly authorizer: boolean },
  ): Compiled {
    let environment = this.#made.get(authorizer);
    if (environment === undefined) {
      environment = this.#make({ params: this.#params, authorizer });
      if (!this.#empty) {
        environment = environment.clone();
        environment.registerType('Variables', { ctor: Variables, fields: this.#fields } as never);
        environment.registerVariable('variables', 'Variables');
      }
      this.#made.set(authorizer, environment);
    }
    return compileIn(environment, text, types);
  }
}

/** Environments without variables of a policy are the same for all that are made in one way. */
function made(
  make: (variables: PolicyVariables) => Environment,
): (variables: PolicyVariables) => Environment {
  const known = new Map<string, Environment>();
  return (variables) => {
    const key = `${variables.params} ${variables.authorizer}`;
    let found = known.get(key);
    if (found === undefined) known.set(key, (found = make(variables)));
    return found;
  };
}

const evaluating = made(untypedPolicyEnvironment);
const checking = made((variables) => typedPolicyEnvironment(variables, {}));

type Told = (path: PolicyFault['path'], text: string, compiled: Compiled) => void;

interface Parts {
  readonly conditions: (Program | undefined)[];
  readonly variables: Map<string, Program>;
  /** undefined = it did not compile; the same for the rest. */
  readonly validations: { holds: Program | undefined; message: Program | undefined }[];
  readonly annotations: (Program | undefined)[];
}

const [bool, text, value, anything] = [['bool'], ['string'], ['string', 'null'], []];
const full = { authorizer: true };

/** Compiles all; `told` hears of each text. */
function compileAll(
  spec: PolicyExpressions,
  make: (variables: PolicyVariables) => Environment,
  told: Told,
): Parts {
  const parts: Parts = { conditions: [], variables: new Map(), validations: [], annotations: [] };
  const take = (compiled: Compiled, path: PolicyFault['path'], text: string): Program | undefined => {
    told(path, text, compiled);
    return compiled.ok ? compiled.value : undefined;
  };
  // They are asked before there are variables, and may look at parameters that are not there.
  const conditions = new Scope(make, true);
  for (const [i, { expression }] of (spec.matchConditions ?? []).entries()) {
    const path = ['matchConditions', i, 'expression'];
    parts.conditions.push(take(conditions.compile(expression, bool, full), path, expression));
  }
  const scope = new Scope(make, spec.paramKind !== undefined);
  for (const [i, { name, expression }] of (spec.variables ?? []).entries()) {
    const path = ['variables', i, 'expression'];
    const program = take(scope.compile(expression, anything, full), path, expression);
    if (program === undefined) continue;
    parts.variables.set(name, program);
    scope.add(name, program.type);
  }
  for (const [i, { expression, messageExpression }] of (spec.validations ?? []).entries()) {
    const at = ['validations', i];
    const holds = take(scope.compile(expression, bool, full), [...at, 'expression'], expression);
    const said = messageExpression ?? '';
    const message =
      said.trim() === ''
        ? undefined
        : take(scope.compile(said, text, { authorizer: false }), [...at, 'messageExpression'], said);
    parts.validations.push({ holds, message });
  }
  for (const [i, { valueExpression }] of (spec.auditAnnotations ?? []).entries()) {
    const path = ['auditAnnotations', i, 'valueExpression'];
    parts.annotations.push(take(scope.compile(valueExpression, value, full), path, valueExpression));
  }
  return parts;
}

/** What of a policy does not compile. Texts that are empty are no matter here. */
export function policyFaults(spec: PolicyExpressions): readonly PolicyFault[] {
  const faults = new Map<string, PolicyFault>();
  const tell =
    (certain: (cause: unknown) => boolean): Told =>
    (path, said, compiled) => {
      const key = path.join('.');
      if (said.trim() === '' || compiled.ok || faults.has(key)) return;
      const { typed, error, cause } = compiled;
      if (typed === true) {
        if (!/but got .*[<.]/.test(error)) faults.set(key, { path, text: said, detail: error });
      } else if (certain(cause))
        faults.set(key, { path, text: said, detail: `compilation failed: ${error}` });
    };
  compileAll(
    spec,
    evaluating,
    tell(() => true),
  );
  compileAll(spec, checking, tell(isCertain));
  return [...faults.values()];
}

/** What the checker says when it is told of what kind objects are: by the place of the text, of validations and their messages alone. */
export function typeFaults(spec: PolicyExpressions, types: ObjectTypes): ReadonlyMap<string, string> {
  const faults = new Map<string, string>();
  const make = made((variables) => typedPolicyEnvironment(variables, types));
  compileAll(spec, make, ([list, i, field], _text, compiled) => {
    if (list === 'validations' && !compiled.ok && isCertain(compiled.cause))
      faults.set(`spec.${list}[${i}].${field}`, compiled.error);
  });
  return faults;
}

export interface PolicyFacts {
  /** JSON values; null = there is none. */
  readonly object: unknown;
  readonly oldObject: unknown;
  readonly namespaceObject: unknown;
  /** The request of an AdmissionReview without its objects. */
  readonly request: unknown;
  readonly authorizer: Authorizer;
}

/** A request as policies see it; made once for all that are asked of it. */
export class PolicyRequest {
  readonly values: Readonly<Record<string, unknown>>;
  readonly members: number;

  constructor({ object, oldObject, namespaceObject, request, authorizer }: PolicyFacts) {
    const plain = new PlainValues();
    this.values = {
      object: plain.of(object),
      oldObject: plain.of(oldObject),
      namespaceObject: plain.of(namespaceObject),
      request: plain.of(request),
      authorizer,
    };
    this.members = plain.members;
  }
}

export interface Objection {
  /** It could not be said whether the request should pass. */
  readonly failed: boolean;
  readonly message: string;
  /** '' = Invalid */
  readonly reason: string;
}

export interface PolicyOutcome {
  /** Why the request should not pass. */
  readonly objections: readonly Objection[];
  /** What should be noted of the request. */
  readonly annotations: readonly { readonly key: string; readonly value: string }[];
  /** Why something could not be noted that must be. */
  readonly failures: readonly string[];
}

const indifferent: PolicyOutcome = { objections: [], annotations: [], failures: [] };

/** Messages that are longer are not shown. */
const maxMessageBytes = 5 * 1024;

export class CompiledPolicy {
  readonly #spec: PolicyExpressions;
  readonly #parts: Parts;

  constructor(spec: PolicyExpressions) {
    this.#spec = spec;
    this.#parts = compileAll(spec, evaluating, () => {});
  }

  /** `params` undefined = it has none. Pure, but for what the authorizer does. */
  judge(request: PolicyRequest, params: unknown): PolicyOutcome {
    const run = new Run(this.#parts.variables, request, params);
    const { failurePolicy, validations = [], auditAnnotations = [] } = this.#spec;
    const fails = failurePolicy !== 'Ignore';
    const applies = this.#applies(run);
    if (applies === false || (applies !== true && !fails)) return indifferent;
    if (applies !== true)
      return { ...indifferent, objections: [{ failed: true, message: applies, reason: '' }] };
    const objections: Objection[] = [];
    for (const [index, validation] of validations.entries()) {
      const { holds, message } = this.#parts.validations[index]!;
      const outcome = run.outcome(holds, validation.expression, 'bool');
      if (outcome.error !== undefined) {
        if (fails) objections.push({ failed: true, message: outcome.error, reason: '' });
      } else if (outcome.value !== true)
        objections.push({
          failed: false,
          message:
            ownMessage(run, message, validation.messageExpression) ??
            (validation.message?.trim() || `failed expression: ${validation.expression.trim()}`),
          reason: validation.reason ?? '',
        });
    }
    const annotations: { key: string; value: string }[] = [];
    const failures: string[] = [];
    for (const [i, { key, valueExpression }] of auditAnnotations.entries()) {
      const outcome = run.outcome(this.#parts.annotations[i], valueExpression, 'string or null');
      if (outcome.error !== undefined) {
        if (fails) failures.push(outcome.error);
      } else if (typeof outcome.value === 'string' && outcome.value.trim() !== '')
        annotations.push({ key, value: outcome.value.trim() });
    }
    return { objections, annotations, failures };
  }

  /** A text = why that cannot be said. One that does not hold is enough, whatever the others come to. */
  #applies(run: Run): boolean | string {
    const { matchConditions = [] } = this.#spec;
    const faults: string[] = [];
    for (const [i, { expression }] of matchConditions.entries()) {
      const { value, error } = run.outcome(this.#parts.conditions[i], expression, 'bool');
      if (error !== undefined) faults.push(error);
      else if (value !== true) return false;
    }
    if (faults.length === 0) return true;
    return faults.length === 1 ? faults[0]! : `[${faults.join(', ')}]`;
  }
}

/** undefined = there is none that can be shown. */
function ownMessage(run: Run, program: Program | undefined, said: string | undefined): string | undefined {
  if (program === undefined) return undefined;
  const { value } = run.outcome(program, said ?? '', 'string');
  if (typeof value !== 'string') return undefined;
  const message = value.trim();
  return message === '' || message.includes('\n') || Buffer.byteLength(message) > maxMessageBytes
    ? undefined
    : message;
}

interface Outcome {
  readonly value?: unknown;
  readonly error?: string;
}

const isOf: Readonly<Record<string, (value: unknown) => boolean>> = {
  bool: (value) => typeof value === 'boolean',
  string: (value) => typeof value === 'string',
  'string or null': (value) => typeof value === 'string' || value === null,
};

/** One policy, one request, one set of parameters. */
class Run {
  readonly #values: Record<string, unknown>;
  readonly #plain = new PlainValues();
  readonly #variables = new Variables() as Record<string, unknown>;

  constructor(variables: ReadonlyMap<string, Program>, { values, members }: PolicyRequest, params: unknown) {
    this.#plain.members = members;
    this.#values = {
      ...values,
      params: params === undefined ? null : this.#plain.of(params),
      variables: this.#variables,
    };
    for (const [name, program] of variables) this.#define(name, program);
  }

  #define(name: string, program: Program): void {
    let known: Outcome | undefined;
    Object.defineProperty(this.#variables, name, {
      get: () => {
        known ??= this.#variable(name, program);
        if (known.error !== undefined) throw new Error(known.error);
        return known.value;
      },
    });
  }

  #variable(name: string, program: Program): Outcome {
    try {
      const made = this.#evaluate(program);
      this.#plain.measure(made);
      return { value: made };
    } catch (error) {
      return {
        error: `composited variable ${JSON.stringify(name)} fails to evaluate: ${(error as Error).message}`,
      };
    }
  }

  #evaluate(program: Program): unknown {
    // What a loop is over may be made by a variable: how long it is must be known before.
    if (program.depth > 0)
      for (const name of program.names)
        if (name.startsWith('variables.')) this.#touch(name.slice('variables.'.length));
    if (program.cost(this.#plain.members) > maxCost) throw new Error(outOfBudget);
    return program.evaluate(this.#values);
  }

  #touch(name: string): void {
    try {
      void this.#variables[name];
    } catch {
      // Told when the expression comes to it.
    }
  }

  outcome(program: Program | undefined, said: string, wanted: string): Outcome {
    const failed = (why: string): Outcome => ({ error: `expression '${said}' resulted in error: ${why}` });
    if (program === undefined) return failed('it does not compile');
    try {
      const made = this.#evaluate(program);
      return isOf[wanted]!(made) ? { value: made } : failed(`it does not evaluate to a ${wanted}`);
    } catch (error) {
      const why = (error as Error).message;
      return why === outOfBudget ? { error: why } : failed(why);
    }
  }
}
