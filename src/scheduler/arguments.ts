// Reading what a configuration says: every field is known or refused, with its path.
import { ArgumentError } from './plugin.ts';

type Fields = Readonly<Record<string, unknown>>;

/** An object of known fields; undefined = it is not there. Throws for others. */
export function fieldsOf(value: unknown, at: string, known: readonly string[]): Fields {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new ArgumentError(`${at}: Invalid value: ${JSON.stringify(value)}: must be an object`);
  for (const name of Object.keys(value))
    if (!known.includes(name)) throw new ArgumentError(`${join(at, name)}: unknown field`);
  return value as Fields;
}

export const join = (at: string, name: string): string => (at === '' ? name : `${at}.${name}`);

export function listOf(value: unknown, at: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value))
    throw new ArgumentError(`${at}: Invalid value: ${JSON.stringify(value)}: must be a list`);
  return value;
}

export function textOf(value: unknown, at: string): string {
  if (typeof value !== 'string')
    throw new ArgumentError(`${at}: Invalid value: ${JSON.stringify(value)}: must be a string`);
  return value;
}

export function choiceOf<T extends string>(value: unknown, at: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined)
    throw new ArgumentError(
      `${at}: Unsupported value: ${JSON.stringify(value)}: supported values: ${choices.map((c) => `"${c}"`).join(', ')}`,
    );
  return found;
}

export function wholeOf(value: unknown, at: string, range: { least: number; most: number }): number {
  if (!Number.isInteger(value) || (value as number) < range.least || (value as number) > range.most)
    throw new ArgumentError(
      `${at}: Invalid value: ${JSON.stringify(value)}: not in valid range [${range.least}-${range.most}]`,
    );
  return value as number;
}

export function booleanOf(value: unknown, at: string): boolean {
  if (typeof value !== 'boolean')
    throw new ArgumentError(`${at}: Invalid value: ${JSON.stringify(value)}: must be true or false`);
  return value;
}
