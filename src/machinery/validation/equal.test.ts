import fc from 'fast-check';
import { expect, it } from 'vitest';
import { semanticEqual } from './equal.ts';

it.each([
  [{}, undefined, true],
  [[], undefined, true],
  [null, undefined, true],
  ['', undefined, false],
  [{ a: [] }, {}, true],
  [{ a: {} }, {}, true],
  [{ a: 0 }, {}, false],
  [{ a: [1, 2] }, { a: [2, 1] }, false],
  [{ a: { b: null } }, { a: { b: [] } }, true],
  [[{}], [], false],
  [{ emptyDir: {} }, {}, false],
  [{ namespaceSelector: {} }, { namespaceSelector: null }, false],
  [{ nodeSelector: {} }, {}, true],
])('%j and %j: %s', (a, b, same) => {
  expect(semanticEqual(a, b)).toBe(same);
  expect(semanticEqual(b, a)).toBe(same);
});

it('holds for a copy', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => semanticEqual(value, JSON.parse(JSON.stringify(value)))));
});
