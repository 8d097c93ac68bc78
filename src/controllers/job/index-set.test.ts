import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  countCommon,
  countOf,
  firstMissing,
  formatIndexSet,
  hasIndex,
  indexSetOf,
  readIndexSet,
  union,
} from './index-set.ts';

describe('index sets', () => {
  test.each([
    ['', 10, ''],
    ['1', 10, '1'],
    ['1,2', 10, '1,2'],
    ['1,2,3', 10, '1-3'],
    ['1-5,7', 10, '1-5,7'],
    ['1-5,7', 4, '1-3'],
    ['1-5,7', 1, ''],
    ['x,3,-1,4-', 10, '3'],
  ])('%j of %d reads as %j', (text, completions, wanted) =>
    expect(formatIndexSet(readIndexSet(text, completions))).toBe(wanted),
  );

  test('are sets', () => {
    const numbers = fc.array(fc.nat(40), { maxLength: 30 });
    fc.assert(
      fc.property(numbers, numbers, fc.nat(45), fc.nat(20), (a, b, completions, count) => {
        const [left, right] = [indexSetOf(a), indexSetOf(b)];
        const both = new Set([...a, ...b]);
        const all = union(left, right);
        expect(countOf(all)).toBe(both.size);
        for (let i = 0; i <= 45; i++) expect(hasIndex(all, i)).toBe(both.has(i));
        expect(countCommon(left, right)).toBe([...new Set(a)].filter((i) => b.includes(i)).length);
        expect(readIndexSet(formatIndexSet(all), 50)).toEqual(all);
        const missing = Array.from({ length: completions }, (_, i) => i).filter((i) => !both.has(i));
        expect(firstMissing(all, { count, completions })).toEqual(missing.slice(0, count));
      }),
    );
  });
});
