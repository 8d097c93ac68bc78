import { expect, test } from 'vitest';
import { decodeObject } from '../machinery/index.ts';
import { shape } from './shape.ts';

test.each([
  ['apiextensions.v1.CustomResourceDefinitionNames', {}, { kind: '', plural: '' }],
  ['rbac.v1.Subject', { kind: 'User' }, { kind: 'User', name: '' }],
  ['core.v1.ObjectReference', {}, {}],
])('%s writes an empty kind where Kubernetes does', (name, given, written) => {
  expect(decodeObject(shape(name), given, [])).toEqual(written);
});
