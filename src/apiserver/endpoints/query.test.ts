import { expect, it } from 'vitest';
import { StatusError, type Verb } from '../../machinery/index.ts';
import { flag, integer, managerFromUserAgent, splitTarget, writeParameters } from './query.ts';

const refusal = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof StatusError) return `${error.code} ${error.message}`;
    throw error;
  }
  return '';
};

it('splits path and query', () => {
  expect(splitTarget('/a').path).toBe('/a');
  const { path, query } = splitTarget('/a?b=c%20d&b=e');
  expect([path, query.getAll('b')]).toEqual(['/a', ['c d', 'e']]);
});

it.each([
  ['', undefined],
  ['watch', true],
  ['watch=', true],
  ['watch=1', true],
  ['watch=true', true],
  ['watch=0', false],
  ['watch=F', false],
  ['watch=false', false],
])('flag %s', (query, wanted) => {
  expect(flag(new URLSearchParams(query), 'watch')).toBe(wanted);
});

it('reads integers', () => {
  expect(integer(new URLSearchParams('limit=5'), 'limit')).toBe(5);
  expect(integer(new URLSearchParams('limit='), 'limit')).toBeUndefined();
  expect(refusal(() => integer(new URLSearchParams('limit=x'), 'limit'))).toBe(
    '400 unable to convert query parameter limit="x": strconv.ParseInt: parsing "x": invalid syntax',
  );
});

it.each<[string, Verb | 'apply', object]>([
  ['', 'create', { dryRun: false, fieldManager: '', force: false, fieldValidation: 'Warn' }],
  ['dryRun=All', 'delete', { dryRun: true, fieldManager: '', force: false, fieldValidation: 'Warn' }],
  ['dryRun=', 'delete', { dryRun: false, fieldManager: '', force: false, fieldValidation: 'Warn' }],
  [
    'fieldManager=me&fieldValidation=Strict',
    'patch',
    { dryRun: false, fieldManager: 'me', force: false, fieldValidation: 'Strict' },
  ],
  [
    'fieldManager=me&force',
    'apply',
    { dryRun: false, fieldManager: 'me', force: true, fieldValidation: 'Warn' },
  ],
])('write %s', (query, verb, wanted) => {
  expect(writeParameters(new URLSearchParams(query), verb)).toEqual(wanted);
});

it.each<[string, Verb | 'apply', string]>([
  [
    'force=true',
    'apply',
    '422 PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
  ],
  [
    'dryRun=Some',
    'create',
    '422 CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"',
  ],
  [
    'fieldValidation=Maybe',
    'update',
    '422 UpdateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Maybe": supported values: "Ignore", "Strict", "Warn"',
  ],
  [
    `fieldManager=${'x'.repeat(129)}`,
    'patch',
    '422 PatchOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes',
  ],
  [
    'force=true',
    'patch',
    '422 PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
  ],
])('refuses %s', (query, verb, wanted) => {
  expect(refusal(() => writeParameters(new URLSearchParams(query), verb))).toBe(wanted);
});

it('takes the manager from the program', () => {
  expect(managerFromUserAgent('kubectl/v1.32 (linux/amd64)')).toBe('kubectl');
  expect(managerFromUserAgent(undefined)).toBe('unknown');
});
