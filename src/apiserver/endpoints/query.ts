// Query parameters of API calls, checked and typed.
import { badRequest, type DeleteOptions } from '../../machinery/index.ts';
import type { FieldValidation } from '../registry/context.ts';

export type Query = URLSearchParams;

const empty = new URLSearchParams();

/** Splits a request target into path and query. HOT: most requests have no query. */
export function splitTarget(target: string): { path: string; query: Query } {
  const mark = target.indexOf('?');
  return mark < 0
    ? { path: target, query: empty }
    : { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) };
}

export const text = (query: Query, name: string): string | undefined => query.get(name) ?? undefined;

/** Go's strconv.ParseBool, and present-but-empty as true, as the API server reads booleans. */
export function flag(query: Query, name: string): boolean | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  return !['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value);
}

export function integer(query: Query, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^-?\d{1,15}$/.test(value))
    throw badRequest(
      `unable to convert query parameter ${name}=${JSON.stringify(value)}: strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`,
    );
  return Number(value);
}

/** `dryRun=All`; anything else is refused. */
export function dryRun(query: Query): boolean {
  const values = query.getAll('dryRun');
  for (const value of values) {
    if (value !== 'All')
      throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(value)}: supported values: "All"`);
  }
  return values.length > 0;
}

/** Kubernetes' default is to warn. */
export function fieldValidation(query: Query): FieldValidation {
  const value = query.get('fieldValidation');
  if (value === null || value === '') return 'Warn';
  if (value !== 'Strict' && value !== 'Warn' && value !== 'Ignore') {
    throw badRequest(
      `fieldValidation: Unsupported value: ${JSON.stringify(value)}: supported values: "Ignore", "Strict", "Warn"`,
    );
  }
  return value;
}

/** Who owns the fields of this write: the parameter, or the program's name from its User-Agent. */
export function fieldManager(query: Query, userAgent: string | undefined): string {
  const given = query.get('fieldManager');
  if (given !== null && given !== '') {
    if (given.length > 128) throw badRequest('fieldManager: Too long: may not be more than 128 bytes');
    return given;
  }
  const program = (userAgent ?? '').split('/')[0]!;
  return program === '' ? 'unknown' : program.slice(0, 128);
}

/** Delete options of the query; a body's options win over them. */
export function deleteOptions(query: Query): DeleteOptions {
  return {
    gracePeriodSeconds: integer(query, 'gracePeriodSeconds'),
    propagationPolicy: text(query, 'propagationPolicy') as DeleteOptions['propagationPolicy'],
    orphanDependents: flag(query, 'orphanDependents'),
  };
}
