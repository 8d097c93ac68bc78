// Expressions over one value and what it was, and over a request: what the rules of custom resources and the conditions of webhooks are.
import { Environment, Optional } from '@marcbachmann/cel-js';
import { type Compiled, compileIn, newEnvironment, type Program, remembering } from './environment.ts';
import { untypedPolicyEnvironment } from './policy-environment.ts';

export { maxCost, outOfBudget } from './environment.ts';

type Bounded = Pick<Program, 'cost'>;

export interface Expression extends Bounded {
  readonly usesOldSelf: boolean;
  /** Throws an Error that tells why there is no value. */
  evaluate(self: unknown, oldSelf: unknown): unknown;
}

type RequestVariable = 'object' | 'oldObject' | 'request' | 'namespaceObject' | 'authorizer';

/** An expression over an API request. */
export interface RequestExpression extends Bounded {
  /** Throws an Error that tells why there is no value. */
  evaluate(values: Readonly<Record<RequestVariable, unknown>>): unknown;
}

const environmentOf = (variables: readonly string[]): Environment =>
  variables.reduce((environment, name) => environment.registerVariable(name, 'dyn'), newEnvironment());

let ofValues: Environment | undefined;
let ofOptionals: Environment | undefined;
let ofRequests: Environment | undefined;

let durationOf: ((values: { text: string }) => unknown) | undefined;
export function toDuration(text: string): unknown {
  durationOf ??= new Environment().registerVariable('text', 'string').parse('duration(text)');
  return durationOf({ text });
}

export const some = (value: unknown): unknown => Optional.of(value);
export const none = (): unknown => Optional.none();

/** As the API words it: a text that compiles to the wrong type is no failed compilation. */
export const faultText = ({ error, typed }: { readonly error: string; readonly typed?: boolean }): string =>
  typed === true ? error : `compilation failed: ${error}`;

const overValues = (environment: () => Environment) =>
  remembering((text, type): Compiled<Expression> => {
    const compiled = compileIn(environment(), text, [type]);
    if (!compiled.ok) return compiled;
    const { evaluate, names, cost } = compiled.value;
    return {
      ok: true,
      value: {
        cost,
        usesOldSelf: names.has('oldSelf'),
        evaluate: (self, oldSelf) => evaluate({ self, ...(oldSelf !== undefined && { oldSelf }) }),
      },
    };
  });

const withPast = overValues(() => (ofValues ??= environmentOf(['self', 'oldSelf'])));
const withOptionalPast = overValues(
  () => (ofOptionals ??= environmentOf(['self']).registerVariable('oldSelf', 'optional<dyn>')),
);

/** An expression over `self` and `oldSelf` that comes to a value of `type`; by its rule `oldSelf` may be an optional. */
export const compileExpression = (
  text: string,
  type: 'bool' | 'string',
  { optionalOldSelf }: { readonly optionalOldSelf?: boolean | undefined },
): Compiled<Expression> => (optionalOldSelf === true ? withOptionalPast : withPast)(text, type);

const ofWebhooks = { params: false, authorizer: true };

/** An expression over what webhooks may look at that comes to a value of `type`. */
export const compileRequestExpression = remembering(
  (text, type): Compiled<RequestExpression> =>
    compileIn((ofRequests ??= untypedPolicyEnvironment(ofWebhooks)), text, [type]),
);
