// Conditions on API requests: what must hold for somebody to be asked about one. Objects are seen as the JSON they are, without a schema:
// texts stay texts, and whole numbers are integers.
import { isMap } from '../structural/json-schema.ts';
import { compileRequestExpression, faultText, maxCost, outOfBudget } from './expression.ts';

/** What conditions can look at; null = there is none. JSON values. */
export interface RequestFacts {
  readonly object: unknown;
  readonly oldObject: unknown;
  /** The request of an AdmissionReview without its objects. */
  readonly request: unknown;
}

/** Why a text is no condition; undefined = it is one. */
export function conditionFault(text: string): string | undefined {
  const compiled = compileRequestExpression(text, 'bool');
  return compiled.ok ? undefined : faultText(compiled);
}

/** A request as conditions see it; made once for all that are asked of it. */
export class RequestConditions {
  readonly #values: { object: unknown; oldObject: unknown; request: unknown };
  #members = 0;

  constructor({ object, oldObject, request }: RequestFacts) {
    this.#values = {
      object: this.#seen(object),
      oldObject: this.#seen(oldObject),
      request: this.#seen(request),
    };
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

  #seen(value: unknown): unknown {
    if (value === undefined) return null;
    if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
    if (Array.isArray(value)) {
      this.#members = Math.max(this.#members, value.length);
      return value.map((item) => this.#seen(item));
    }
    if (!isMap(value)) return value;
    const entries = Object.entries(value).filter(([, member]) => member !== undefined);
    this.#members = Math.max(this.#members, entries.length);
    return new Map(entries.map(([key, member]) => [key, this.#seen(member)]));
  }
}
