import { expect, it } from 'vitest';
import { goText } from './go-text.ts';

it.each([
  [null, '<nil>'],
  [{ b: 1, a: { c: 'x' } }, 'map[a:map[c:x] b:1]'],
  [[1, 'a', true, null], '[1 a true <nil>]'],
])('%j', (value, text) => {
  expect(goText(value)).toBe(text);
});
