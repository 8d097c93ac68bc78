// A write as the registry takes it: where, what, and on whose behalf.
import type { CallContext } from './context.ts';
import type { Place } from './core.ts';

/** A parsed body, and the duplicate fields its text had. */
export interface Body {
  readonly value: unknown;
  readonly duplicates: readonly string[];
}

export const noBody: Body = { value: undefined, duplicates: [] };

export interface WriteCall {
  readonly at: Place;
  readonly body: Body;
  readonly context: CallContext;
}
