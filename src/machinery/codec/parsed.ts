// What a parser gives back: a text that does not parse is an expected outcome, so it is a value and not an exception.

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: string };

export const parsed = <T>(value: T): Parsed<T> => ({ ok: true, value });
export const unparsed = (error: string): { readonly ok: false; readonly error: string } => ({
  ok: false,
  error,
});
