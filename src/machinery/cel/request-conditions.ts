// Conditions on API requests: what must hold for somebody to be asked about one. Objects are seen as the JSON they are.
import type { Authorizer } from './authorizer.ts';
import { compileRequestExpression, faultText, maxCost, outOfBudget } from './expression.ts';
import { PlainValues } from './plain-value.ts';

/** What conditions can look at; null = there is none. JSON values. */
export interface RequestFacts {
  readonly object: unknown;
  readonly oldObject: unknown;
  /** The request of an AdmissionReview without its objects. */
  readonly request: unknown;
  readonly authorizer: Authorizer;
}

/** Why a text is no condition; undefined = it is one. */
export function conditionFault(text: string): string | undefined {
  const compiled = compileRequestExpression(text, 'bool');
  return compiled.ok ? undefined : faultText(compiled);
}

/** A request as conditions see it; made once for all that are asked of it. */
export class RequestConditions {
  readonly #values: RequestFacts & { readonly namespaceObject: null };
  readonly #members: number;

  constructor({ object, oldObject, request, authorizer }: RequestFacts) {
    const plain = new PlainValues();
    this.#values = {
      object: plain.of(object),
      oldObject: plain.of(oldObject),
      request: plain.of(request),
      // Declared, and never there.
      namespaceObject: null,
      authorizer,
    };
    this.#members = plain.members;
  }

  /** Throws an Error that tells why it cannot be said. */
  holds(text: string): boolean {
    const compiled = compileRequestExpression(text, 'bool');
    if (!compiled.ok) throw new Error(`expression '${text}' resulted in error: ${compiled.error}`);
    if (compiled.value.cost(this.#members) > maxCost) throw new Error(outOfBudget);
    let value: unknown;
    try {
      value = compiled.value.evaluate(this.#values);
    } catch (error) {
      throw new Error(`expression '${text}' resulted in error: ${(error as Error).message}`, {
        cause: error,
      });
    }
    if (typeof value !== 'boolean')
      throw new Error(`expression '${text}' resulted in error: it does not evaluate to a bool`);
    return value;
  }
}
