import fc from 'fast-check';
import { applyPatch } from 'rfc6902';
import { describe, expect, it } from 'vitest';
import { applyJsonPatch } from './json-patch.ts';

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}

const apply = (original: unknown, patch: unknown) => applyJsonPatch(deepFreeze(original), deepFreeze(patch));

/** The library throws where a pointer goes through a scalar. */
function oracle(object: unknown, patch: readonly unknown[]): readonly unknown[] {
  try {
    return applyPatch(object, patch as never);
  } catch (error) {
    return [error];
  }
}

describe('applyJsonPatch', () => {
  it.each([
    ['adds a member', { a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
    ['replaces by add', { a: 1 }, [{ op: 'add', path: '/a', value: 2 }], { a: 2 }],
    ['inserts', { l: [1, 3] }, [{ op: 'add', path: '/l/1', value: 2 }], { l: [1, 2, 3] }],
    ['appends', { l: [1] }, [{ op: 'add', path: '/l/-', value: 2 }], { l: [1, 2] }],
    ['counts from the end', { l: [1, 2] }, [{ op: 'replace', path: '/l/-1', value: 9 }], { l: [1, 9] }],
    ['removes', { a: { b: 1, c: 2 } }, [{ op: 'remove', path: '/a/b' }], { a: { c: 2 } }],
    ['removes from a list', { l: [1, 2, 3] }, [{ op: 'remove', path: '/l/0' }], { l: [2, 3] }],
    [
      'replace sets a missing member',
      { a: {} },
      [{ op: 'replace', path: '/a/b', value: 1 }],
      { a: { b: 1 } },
    ],
    ['moves', { a: { b: 1 } }, [{ op: 'move', from: '/a/b', path: '/c' }], { a: {}, c: 1 }],
    [
      'copies',
      { a: { b: [1] } },
      [
        { op: 'copy', from: '/a/b', path: '/c' },
        { op: 'add', path: '/c/-', value: 2 },
      ],
      { a: { b: [1] }, c: [1, 2] },
    ],
    [
      'escapes',
      { m: { 'x/y': 1, '~': 2 } },
      [
        { op: 'remove', path: '/m/x~1y' },
        { op: 'remove', path: '/m/~0' },
      ],
      { m: {} },
    ],
    [
      'tests',
      { a: { b: [1, { c: 2 }] } },
      [{ op: 'test', path: '/a', value: { b: [1, { c: 2 }] } }],
      { a: { b: [1, { c: 2 }] } },
    ],
    ['a missing value is null to a test', {}, [{ op: 'test', path: '/a', value: null }], {}],
    ['a missing value is null', {}, [{ op: 'add', path: '/a' }], { a: null }],
    [
      'keys of every object',
      { l: {} },
      [{ op: 'add', path: '/l/constructor', value: 'x' }],
      { l: { constructor: 'x' } },
    ],
  ])('%s', (_, original, patch, value) => {
    expect(apply(original, patch)).toEqual({ ok: true, value });
  });

  it.each([
    [{}, { a: 1 }, 'malformed', 'json: cannot unmarshal object into Go value of type jsonpatch.Patch'],
    [{}, [1], 'malformed', 'json: cannot unmarshal number into Go value of type jsonpatch.Operation'],
    [
      {},
      Array(10_001).fill({ op: 'add', path: '/a', value: 1 }),
      'tooLarge',
      'The allowed maximum operations in a JSON patch is 10000, got 10001',
    ],
    [
      {},
      [{ op: 'add', path: '/a/b', value: 1 }],
      'unprocessable',
      'add operation does not apply: doc is missing path: "/a/b": missing value',
    ],
    [
      {},
      [{ op: 'remove', path: '/a' }],
      'unprocessable',
      "error in remove for path: '/a': Unable to remove nonexistent key: a: missing value",
    ],
    [
      {},
      [{ op: 'replace', path: '/a/b', value: 1 }],
      'unprocessable',
      'replace operation does not apply: doc is missing path: /a/b: missing value',
    ],
    [
      { l: [1] },
      [{ op: 'replace', path: '/l/1', value: 1 }],
      'unprocessable',
      'replace operation does not apply: doc is missing key: /l/1: missing value',
    ],
    [
      { l: [1] },
      [{ op: 'remove', path: '/l/1' }],
      'unprocessable',
      "error in remove for path: '/l/1': Unable to access invalid index: 1: invalid index referenced",
    ],
    [
      { l: [] },
      [{ op: 'add', path: '/l/x', value: 1 }],
      'unprocessable',
      "error in add for path: '/l/x': value was not a proper array index: 'x': strconv.Atoi: parsing \"x\": invalid syntax",
    ],
    [
      { a: 1 },
      [{ op: 'test', path: '/a', value: 2 }],
      'unprocessable',
      'testing value /a failed: test failed',
    ],
    [
      {},
      [{ op: 'copy', from: '/a/b', path: '/c' }],
      'unprocessable',
      'copy operation does not apply: doc is missing from path: /a/b: missing value',
    ],
    [{}, [{ op: 'frob', path: '/a' }], 'unprocessable', 'Unexpected kind: frob'],
    [{}, [{ op: 'add', value: 1 }], 'unprocessable', 'add operation failed to decode path: missing value'],
    [
      { a: 1 },
      [{ op: 'remove', path: '' }],
      'unprocessable',
      'remove operation does not apply: doc is missing path: "": missing value',
    ],
  ])('%j refuses %j', (original, patch, problem, message) => {
    expect(apply(original, patch)).toEqual({ ok: false, problem, message });
  });

  it('copying cannot grow without end', () => {
    const patch: unknown[] = [{ op: 'add', path: '/a', value: 'x'.repeat(1000) }];
    for (let i = 0; i < 5000; i++) patch.push({ op: 'copy', from: '/a', path: `/b${i}` });
    expect(apply({}, patch).ok).toBe(false);
  });

  it('does not reach prototypes', () => {
    const result = apply({}, [{ op: 'add', path: '/__proto__/polluted', value: 1 }]);
    expect(result.ok).toBe(false);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(apply({}, [{ op: 'add', path: '/constructor/x', value: 1 }]).ok).toBe(false);
  });

  it('agrees with rfc6902 wherever both apply the patch', () => {
    const key = fc.constantFrom('a', 'b', '0', '1');
    const path = fc.array(key, { minLength: 1, maxLength: 3 }).map((keys) => `/${keys.join('/')}`);
    const value = fc.jsonValue({ maxDepth: 2 });
    const operation = fc.oneof(
      fc.record({ op: fc.constant('add'), path, value }),
      fc.record({ op: fc.constant('remove'), path }),
      fc.record({ op: fc.constant('replace'), path, value }),
      fc.record({ op: fc.constant('copy'), from: path, path }),
    );
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        fc.integer(),
        fc.dictionary(key, tie('node'), { noNullPrototype: true }),
        fc.array(tie('node'), { maxLength: 3 }),
      ),
    })).node;
    fc.assert(
      fc.property(
        fc.record({ a: tree, b: tree }),
        fc.array(operation, { maxLength: 4 }),
        (original, patch) => {
          const ours = apply(structuredClone(original), patch);
          const theirs = structuredClone(original);
          const errors = oracle(theirs, patch);
          if (ours.ok && errors.every((e) => e === null)) expect(ours.value).toEqual(theirs);
        },
      ),
    );
  });
});
