// Query parameters of API calls, checked and typed.
import {
  badRequest,
  Causes,
  type DeleteOptions,
  type Verb,
  validateFieldManager,
} from '../../machinery/index.ts';
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

/** What is not false is true, an empty value too: so the API server reads booleans. */
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

/** What a write says about itself in its query, as CreateOptions, UpdateOptions, PatchOptions or DeleteOptions. */
export interface WriteParameters {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly force: boolean;
  readonly fieldValidation: FieldValidation;
}

const optionsOf: Readonly<Partial<Record<Verb, string>>> = {
  create: 'CreateOptions',
  update: 'UpdateOptions',
  patch: 'PatchOptions',
  delete: 'DeleteOptions',
  deletecollection: 'DeleteOptions',
};

const usual: WriteParameters = {
  dryRun: false,
  fieldManager: '',
  force: false,
  fieldValidation: 'Warn',
};
const validations = ['Ignore', 'Strict', 'Warn'];

/**
 * Throws 422 with every fault. HOT: most writes have an empty query. `fieldManager` '' = not given. An apply is a patch of which
 * more is asked.
 */
export function writeParameters(query: Query, verb: Verb | 'apply'): WriteParameters {
  if (query === empty && verb !== 'apply') return usual;
  const causes = new Causes();
  const dry = query.getAll('dryRun').filter((value) => value !== '');
  checkDryRun(dry, causes);
  const manager = query.get('fieldManager') ?? '';
  if (verb === 'apply' && manager === '') causes.required('fieldManager', 'is required for apply patch');
  validateFieldManager(manager, 'fieldManager', causes);
  const validation = query.get('fieldValidation') || 'Warn';
  if (!validations.includes(validation)) causes.notSupported('fieldValidation', validation, validations);
  if (verb === 'patch' && query.has('force'))
    causes.forbidden('force', 'may not be specified for non-apply patch');
  const error = causes.toError(
    'meta.k8s.io',
    optionsOf[verb === 'apply' ? 'patch' : verb] ?? 'CreateOptions',
    '',
  );
  if (error !== undefined) throw error;
  return {
    dryRun: dry.length > 0,
    fieldManager: manager,
    force: verb === 'apply' && flag(query, 'force') === true,
    fieldValidation: validation as FieldValidation,
  };
}

/** `dryRun: [All]` is all there is. */
export function checkDryRun(values: readonly string[], causes: Causes): void {
  if (values.some((value) => value !== 'All')) causes.notSupported('dryRun', values, ['All']);
}

/** Who owns the fields of a write that names no manager: the program, from its User-Agent. */
export function managerFromUserAgent(userAgent: string | undefined): string {
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
