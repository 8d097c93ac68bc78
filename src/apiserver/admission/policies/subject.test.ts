// In which version policies see objects, and who is asked for it.
import { expect, it } from 'vitest';
import { ConfigMap } from '../../../api/index.ts';
import { forbidden, type KindDef, type KubeObject } from '../../../machinery/index.ts';
import type { AdmissionRequest } from '../admission.ts';
import { subjectOf } from './subject.ts';

const at = (version: string, seen: string): KubeObject =>
  ({ apiVersion: `example.com/${version}`, kind: 'ConfigMap', metadata: { name: 'a' }, seen }) as never;

const plain = ConfigMap as unknown as KindDef;
/** Objects are stored as v1. */
const v1: KindDef = { ...plain, group: 'example.com', version: 'v1', apiVersion: 'example.com/v1' };
const converted = (version: string): KindDef => ({
  ...v1,
  version,
  apiVersion: `example.com/${version}`,
  conversion: {
    fromStored: (object) => ({
      ...at(version, `${version} of ${(object as never as { seen: string }).seen}`),
    }),
    toStored: (object) => object,
  },
});
const translated = (version: string): KindDef => ({
  ...v1,
  version,
  apiVersion: `example.com/${version}`,
  translation: {
    fromStored: async (objects) =>
      objects.map((object) => at(version, `${version} of ${(object as never as { seen: string }).seen}`)),
    toStored: async (object) => at('v1', `stored ${(object as never as { seen: string }).seen}`),
    isOutdated: () => false,
  },
});

const asking = (kind: KindDef, object: KubeObject, subresource = ''): AdmissionRequest => ({
  operation: 'update',
  kind,
  namespace: 'default',
  name: 'a',
  subresource,
  object,
  old: null,
  context: {
    user: { name: 'jane', uid: '', groups: [] },
    dryRun: false,
    fieldManager: '',
    fieldValidation: 'Ignore',
    warnings: [],
  },
  undo: null,
});

const [v2, v3, w] = [converted('v2'), converted('v3'), translated('w')];
it.each<[string, AdmissionRequest, KindDef, string, boolean]>([
  ['as it is stored', asking(v1, at('v1', 'x')), v1, 'x', false],
  ['as it was asked for', asking(v2, at('v1', 'x')), v2, 'v2 of x', false],
  ['as the rule names it', asking(v2, at('v1', 'x')), v3, 'v3 of x', false],
  ['as it is stored, when the rule names that', asking(v2, at('v1', 'x')), v1, 'x', false],
  ['as somebody else made it already', asking(w, at('w', 'x')), w, 'x', false],
  ['as somebody else stores it', asking(w, at('w', 'x')), v1, 'stored x', true],
  ['as somebody else stores it, in another version', asking(w, at('w', 'x')), v2, 'v2 of stored x', true],
  ['as somebody else makes it', asking(v1, at('v1', 'x')), w, 'w of x', true],
  [
    'as it is, when it is of another kind',
    asking(v1, { ...at('v1', 'x'), kind: 'Eviction' }, 'eviction'),
    v2,
    'x',
    false,
  ],
])('%s', async (_, request, kind, wanted, waits) => {
  const subject = subjectOf(request, kind);
  expect(subject instanceof Promise).toBe(waits);
  const { object, oldObject, request: told } = await subject;
  expect([(object as { seen: string }).seen, oldObject]).toEqual([wanted, null]);
  expect(told).toMatchObject({
    resource: { version: kind.version },
    requestResource: { version: request.kind.version },
    requestKind: { version: kind === request.kind ? kind.version : request.kind.version },
  });
  expect(told).not.toHaveProperty('uid');
});

it('and nobody waits in vain for a version that cannot be made', async () => {
  const broken: KindDef = {
    ...w,
    translation: {
      ...w.translation!,
      toStored: () => Promise.reject(forbidden({ group: '', resource: 'x' } as never, 'a', 'no')),
    },
  };
  await expect(subjectOf(asking(broken, at('w', 'x')), v1)).rejects.toThrow('no');
});
