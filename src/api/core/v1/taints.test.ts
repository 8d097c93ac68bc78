import { expect, test } from 'vitest';
import { tolerates } from './taints.ts';

const taint = { key: 'k', value: 'v', effect: 'NoExecute' };

test.each([
  [{ operator: 'Exists' }, true],
  [{ key: 'k', operator: 'Exists' }, true],
  [{ key: 'k', operator: 'Exists', effect: 'NoExecute' }, true],
  [{ key: 'k', operator: 'Exists', effect: 'NoSchedule' }, false],
  [{ key: 'other', operator: 'Exists' }, false],
  [{ key: 'k', value: 'v' }, true],
  [{ key: 'k', operator: 'Equal', value: 'v', effect: 'NoExecute' }, true],
  [{ key: 'k', operator: 'Equal', value: 'w' }, false],
  [{ key: 'k' }, false],
  [{ key: 'k', operator: 'Gt', value: 'v' }, false],
])('%j bears it: %s', (toleration, expected) => {
  expect(tolerates(toleration, taint)).toBe(expected);
});

test('a taint without value is borne by an empty value', () => {
  expect(tolerates({ key: 'k', operator: 'Equal' }, { key: 'k', effect: 'NoSchedule' })).toBe(true);
});
