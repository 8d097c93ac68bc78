import { expect, it } from 'vitest';
import { Causes } from '../status/causes.ts';
import { validateLabelSelector } from './label-selector.ts';
import { nameIsDnsSubdomain } from './names.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from './object-meta.ts';

const messages = (run: (causes: Causes) => void): string[] => {
  const causes = new Causes();
  run(causes);
  return causes.list.map((c) => `${c.field}: ${c.message}`);
};
const rules = { namespaced: true, nameRule: nameIsDnsSubdomain };
const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' };

it.each([
  [{ name: 'a', namespace: 'b' }, []],
  [
    {},
    ['metadata.name: Required value: name or generateName is required', 'metadata.namespace: Required value'],
  ],
  [
    { name: 'a', namespace: 'b', annotations: { a: 'x'.repeat(262144) } },
    ['metadata.annotations: Too long: may not be more than 262144 bytes'],
  ],
  [
    { name: 'a', namespace: 'b', finalizers: ['orphan', 'foregroundDeletion'] },
    [
      'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
    ],
  ],
  [
    { name: 'a', namespace: 'b', ownerReferences: [{ ...owner, uid: '', apiVersion: '' }] },
    [
      'metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty',
      'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
    ],
  ],
  [
    { name: 'a', namespace: 'b', managedFields: [{ manager: 'a\u0007b', operation: 'Update' as const }] },
    [
      'metadata.managedFields[0].manager: Invalid value: "a\\u0007b": invalid character U+0007 (at position 1)',
    ],
  ],
])('create %#', (meta, wanted) => {
  expect(messages((causes) => validateObjectMeta(meta, rules, causes))).toEqual(wanted);
});

it.each([
  [['kubernetes', 'orphan', 'example.com/hold'], []],
  [
    ['Mine'],
    [
      'metadata.finalizers[0]: Invalid value: "Mine": name is neither a standard finalizer name nor is it fully qualified',
    ],
  ],
])('finalizers %j of a built-in kind', (finalizers, wanted) => {
  const meta = { name: 'a', namespace: 'b', finalizers };
  expect(
    messages((causes) => validateObjectMeta(meta, { ...rules, strictFinalizers: true }, causes)),
  ).toEqual(wanted);
  expect(messages((causes) => validateObjectMeta(meta, rules, causes))).toEqual([]);
});

it('allows one controller', () => {
  const two = [
    { ...owner, controller: true },
    { ...owner, name: 'q', controller: true },
  ];
  const got = messages((causes) =>
    validateObjectMeta({ name: 'a', namespace: 'b', ownerReferences: two }, rules, causes),
  );
  expect(got).toHaveLength(1);
  expect(got[0]).toContain('Found "true" in references for Pod/p and Pod/q');
});

it('refuses a namespace on what has none', () => {
  expect(
    messages((causes) =>
      validateObjectMeta({ name: 'a', namespace: 'b' }, { ...rules, namespaced: false }, causes),
    ),
  ).toEqual(['metadata.namespace: Forbidden: not allowed on this type']);
});

it('keeps what the server set', () => {
  const old = { name: 'a', namespace: 'b', uid: 'u', resourceVersion: '1', creationTimestamp: 't' };
  expect(messages((causes) => validateObjectMetaUpdate({ ...old }, old, causes))).toEqual([]);
  expect(
    messages((causes) =>
      validateObjectMetaUpdate({ ...old, uid: 'v', resourceVersion: '', generation: -1 }, old, causes),
    ),
  ).toEqual([
    'metadata.resourceVersion: Invalid value: "": must be specified for an update',
    'metadata.generation: Invalid value: -1: must not be decremented',
    'metadata.uid: Invalid value: "v": field is immutable',
  ]);
  expect(
    messages((causes) =>
      validateObjectMetaUpdate(
        { ...old, deletionTimestamp: 't', finalizers: ['x/a', 'x/b'] },
        { ...old, deletionTimestamp: 't', finalizers: ['x/a'] },
        causes,
      ),
    ),
  ).toEqual([
    'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"x/b"}',
  ]);
});

it('checks selectors', () => {
  expect(
    messages((causes) =>
      validateLabelSelector(
        {
          matchLabels: { a: '-' },
          matchExpressions: [
            { key: 'a', operator: 'In' },
            { key: 'a', operator: 'Exists', values: ['x'] },
            { key: '', operator: 'Is' },
          ],
        },
        'spec.selector',
        causes,
      ),
    ).map((m) => m.replace(/: (a valid|name part must consist).*/, '')),
  ).toEqual([
    'spec.selector.matchLabels: Invalid value: "-"',
    "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
    "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
    'spec.selector.matchExpressions[2].operator: Invalid value: "Is": not a valid selector operator',
    'spec.selector.matchExpressions[2].key: Invalid value: "": name part must be non-empty',
    'spec.selector.matchExpressions[2].key: Invalid value: ""',
  ]);
});
