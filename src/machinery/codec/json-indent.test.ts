import fc from 'fast-check';
import { expect, it } from 'vitest';
import { indentJson } from './json-indent.ts';

it('reads as JSON.stringify writes it with two spaces', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(indentJson(`${JSON.stringify(value)}\n`)).toBe(JSON.stringify(value, null, 2));
    }),
  );
});

it('keeps numbers that no double holds', () => {
  expect(indentJson('{"a":[9007199254740993]}')).toBe('{\n  "a": [\n    9007199254740993\n  ]\n}');
});
