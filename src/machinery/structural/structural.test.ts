// Properties of pruning and defaults over random values, and tables of paths and of what a schema says.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Causes } from '../status/causes.ts';
import { FieldAt } from '../validation/field-at.ts';
import { applyDefaults } from './defaults.ts';
import { parseJsonPath } from './json-path.ts';
import type { JsonSchema } from './json-schema.ts';
import { prune } from './prune.ts';
import { validateValue } from './validate.ts';

const leaf: JsonSchema = {
  type: 'object',
  properties: { a: { type: 'string' }, b: { type: 'integer', default: 7 } },
};
const schema: JsonSchema = {
  type: 'object',
  properties: {
    a: { type: 'string', default: 'x' },
    b: { ...leaf, default: {} },
    list: { type: 'array', items: leaf },
    map: { type: 'object', additionalProperties: leaf },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { b: leaf } },
    none: { type: 'string', nullable: true, default: 'n' },
  },
};

const names = fc.constantFrom('a', 'b', 'list', 'map', 'free', 'none', 'unknown');
const value = fc.letrec<{ any: unknown; map: Record<string, unknown> }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('s', 1, null, true),
    fc.array(tie('any'), { maxLength: 2 }),
    tie('map'),
  ),
  map: fc.dictionary(names, tie('any'), { maxKeys: 4 }),
})).map;

it('pruning leaves what a second pruning leaves, and drops only what is not declared', () => {
  fc.assert(
    fc.property(value, (given) => {
      const once = structuredClone(given);
      const dropped: string[] = [];
      prune(schema, once, dropped);
      const again: string[] = [];
      const twice = structuredClone(once);
      prune(schema, twice, again);
      expect([twice, again]).toEqual([once, []]);
      expect(Object.keys(once)).toEqual(Object.keys(given).filter((key) => key !== 'unknown'));
      expect(dropped.includes('unknown')).toBe('unknown' in given);
    }),
  );
});

it('defaults are filled in once', () => {
  fc.assert(
    fc.property(value, (given) => {
      const once = structuredClone(given);
      applyDefaults(schema, once);
      const twice = structuredClone(once);
      applyDefaults(schema, twice);
      expect(twice).toEqual(once);
      expect(once).toHaveProperty('a');
      expect(once['a']).not.toBeNull();
      expect(once['none']).toEqual('none' in given ? given['none'] : 'n');
    }),
  );
});

describe('a path', () => {
  const object = {
    spec: {
      list: [
        { n: 'a', v: 1 },
        { n: 'b', v: 2 },
      ],
      'x.y/z': 3,
    },
    metadata: { labels: { 'a.b/c': 'd' } },
  };
  it.each([
    ['.spec.list[0].n', ['a']],
    ['.spec.list[-1].n', ['b']],
    ['.spec.list[*].v', [1, 2]],
    ['.spec.list[1:].v', [2]],
    ['.spec.list[?(@.n=="b")].v', [2]],
    ['{.spec.list[?(@.v > 1)].n}', ['b']],
    ['.spec.x\\.y/z', [3]],
    [".metadata.labels['a.b/c']", ['d']],
    ['.spec.none.more', []],
    ['.spec.list.n', []],
  ])('%s leads to %j', (text, wanted) => {
    const parsed = parseJsonPath(text);
    expect(parsed.ok && parsed.value.find(object)).toEqual(wanted);
  });
  it.each(['spec', '.a[', '.a[b]', '..a'])('%s is none', (text) => {
    expect(parseJsonPath(text).ok).toBe(false);
  });
});

const said = (one: JsonSchema, given: unknown): string[] => {
  const causes = new Causes();
  validateValue(one, given, new FieldAt('f', causes));
  return causes.list.map(({ field, message }) => `${field}: ${message}`);
};

it.each<[JsonSchema, unknown, string[]]>([
  [{ type: 'string', nullable: true }, null, []],
  [{ type: 'string' }, null, ['f: Invalid value: "null": f in body must be of type string: "null"']],
  [{ type: 'number' }, 1, []],
  [{ type: 'integer' }, 1.5, ['f: Invalid value: 1.5: f in body must be of type integer: "number"']],
  [
    { type: 'string', minLength: 2 },
    'a',
    ['f: Invalid value: "a": f in body should be at least 2 chars long'],
  ],
  [{ type: 'string', maxLength: 2 }, 'abc', ['f: Too long: may not be more than 2 bytes']],
  [
    { type: 'integer', minimum: 1, exclusiveMinimum: true },
    1,
    ['f: Invalid value: 1: f in body should be greater than 1'],
  ],
  [{ type: 'number', multipleOf: 0.1 }, 0.3, []],
  [{ type: 'number', multipleOf: 2 }, 3, ['f: Invalid value: 3: f in body should be a multiple of 2']],
  [
    { type: 'array', maxItems: 1, items: { type: 'string' } },
    ['a', 'b'],
    ['f: Too many: 2: must have at most 1 items'],
  ],
  [{ type: 'object', required: ['a'] }, {}, ['f.a: Required value']],
  [
    { type: 'string', format: 'date-time' },
    'today',
    ['f: Invalid value: "today": f in body must be of type date-time: "today"'],
  ],
  [{ type: 'string', format: 'made-up' }, 'x', []],
  [
    { type: 'string', anyOf: [{ format: 'ipv4' }, { format: 'ipv6' }] },
    'there',
    ['f: Invalid value: "there": "f" must validate at least one schema (anyOf)'],
  ],
  [
    { type: 'string', oneOf: [{ pattern: 'a' }, { pattern: 'b' }] },
    'ab',
    ['f: Invalid value: "ab": "f" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
  ],
  [
    { type: 'string', anyOf: [{ pattern: 'a' }] },
    'b',
    ['f: Invalid value: "b": "f" must validate at least one schema (anyOf)'],
  ],
  [
    { type: 'string', not: { enum: ['a'] } },
    'a',
    ['f: Invalid value: "a": "f" must not validate the schema (not)'],
  ],
])('%j says of %j', (one, given, wanted) => expect(said(one, given)).toEqual(wanted));

describe('a schema that has become stricter', () => {
  const short: JsonSchema = { type: 'string', maxLength: 1 };
  const item: JsonSchema = { type: 'object', properties: { name: { type: 'string' }, text: short } };
  const list = (kind: object): JsonSchema => ({ type: 'array', items: item, ...kind });
  const keyed = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] } as const;
  const spec: JsonSchema = {
    type: 'object',
    required: ['must'],
    properties: { a: short, b: short, keyed: list(keyed), plain: list({}) },
    additionalProperties: short,
  };
  const schema: JsonSchema = { type: 'object', properties: { spec, other: short } };
  const old = {
    spec: { a: 'long', keyed: [{ name: 'x', text: 'long' }], plain: [{ text: 'long' }] },
    other: 'o',
  };
  it.each<[string, object, string[]]>([
    ['lets pass what is as it was', { ...old, other: 'p' }, []],
    ['finds what is new beside it', { ...old, other: 'new' }, ['other']],
    [
      'asks for what is required once its object changes',
      { ...old, spec: { ...old.spec, b: 'b' } },
      ['spec.must'],
    ],
    [
      'finds what has changed',
      { ...old, spec: { ...old.spec, must: 'm', a: 'longer', b: 'long' } },
      ['spec.a', 'spec.b'],
    ],
    [
      'follows items by their keys',
      {
        ...old,
        spec: {
          ...old.spec,
          must: 'm',
          keyed: [
            { name: 'y', text: 'long' },
            { name: 'x', text: 'long' },
          ],
        },
      },
      ['spec.keyed[0].text'],
    ],
    [
      'does not know items without keys',
      { ...old, spec: { ...old.spec, must: 'm', plain: [{ text: 'long' }, {}] } },
      ['spec.plain[0].text'],
    ],
  ])('%s', (_, now, at) => {
    const causes = new Causes();
    validateValue(schema, now, new FieldAt('', causes), old);
    expect(causes.list.map(({ field }) => field)).toEqual(at);
  });
});
