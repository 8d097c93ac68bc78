import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  difference,
  equalSets,
  type FieldSet,
  type FieldsV1,
  has,
  intersection,
  leaf,
  paths,
  pathText,
  readSet,
  recursiveDifference,
  union,
} from './field-set.ts';

const edge = fc.constantFrom('f:a', 'f:b', 'k:{"name":"x"}', 'v:"y"');

/** A set from paths; the model is a set of their texts. */
function setOf(all: readonly (readonly string[])[]): FieldSet {
  return all.reduce<FieldSet>(
    (set, path) =>
      union(
        set,
        path.reduceRight<FieldsV1>((below, step) => ({ [step]: below }), leaf),
      ),
    undefined,
  );
}

const anySet = fc.uniqueArray(fc.array(edge, { minLength: 1, maxLength: 3 }), { maxLength: 6 }).map(setOf);
const members = (set: FieldSet): Set<string> => new Set([...paths(set)].map((path) => path.join('\n')));
const sorted = (set: Set<string>): string[] => [...set].sort();

describe('a set of fields', () => {
  it.each<[string, (a: FieldSet, b: FieldSet) => FieldSet, (a: Set<string>, b: Set<string>) => string[]]>([
    ['union', union, (a, b) => [...a, ...b]],
    ['intersection', intersection, (a, b) => [...a].filter((path) => b.has(path))],
    ['difference', difference, (a, b) => [...a].filter((path) => !b.has(path))],
    [
      'recursive difference',
      recursiveDifference,
      (a, b) =>
        [...a].filter((path) => ![...b].some((gone) => path === gone || path.startsWith(`${gone}\n`))),
    ],
  ])('%s is that of sets of paths', (_, operation, model) => {
    fc.assert(
      fc.property(anySet, anySet, (a, b) => {
        const result = operation(a, b);
        expect(sorted(members(result))).toEqual(sorted(new Set(model(members(a), members(b)))));
        if (result === undefined) return;
        expect(equalSets(result, readSet(JSON.parse(JSON.stringify(result))))).toBe(true);
      }),
    );
  });

  it('shares what does not change', () => {
    fc.assert(
      fc.property(anySet, anySet, (a, b) => {
        const left = difference(a, b);
        if (equalSets(left, a)) expect(left).toBe(a);
        expect(union(a, intersection(a, b))).toBe(a);
      }),
    );
  });

  it('knows its members', () => {
    const set = readSet({ 'f:spec': { 'f:a': { '.': {}, 'f:b': {} } } });
    expect(has(set, ['f:spec', 'f:a'])).toBe(true);
    expect(has(set, ['f:spec'])).toBe(false);
    expect(has(set, ['f:other'])).toBe(false);
  });

  it('names members before what is below them', () => {
    const set = readSet({ 'f:a': { 'f:x': {} }, 'f:b': {}, 'f:c': { '.': {}, 'f:y': {} } });
    expect([...paths(set)].map(pathText)).toEqual(['.b', '.c', '.a.x', '.c.y']);
  });
});

it.each<[unknown, unknown]>([
  [{}, undefined],
  [{ 'f:a': { '.': {} } }, { 'f:a': {} }],
  [{ 'f:a': {}, 'x:y': {}, odd: {} }, { 'f:a': {} }],
  [{ 'k:{"b": 1, "a":"x"}': {} }, { 'k:{"a":"x","b":1}': {} }],
  [{ 'v:"\\u003c"': {} }, { 'v:"<"': {} }],
  [{ 'f:__proto__': {} }, { 'f:__proto__': {} }],
])('reads %j', (json, wanted) => {
  expect(readSet(json)).toEqual(wanted);
});

it.each([null, 'x', [], { 'f:a': 1 }, { 'k:[1]': {} }, { 'k:{': {} }])('refuses %j', (json) => {
  expect(() => readSet(json)).toThrow();
});

it.each([
  [['f:spec', 'f:containers', 'k:{"name":"web"}', 'f:image'], '.spec.containers[name="web"].image'],
  [['f:ports', 'k:{"containerPort":80,"protocol":"TCP"}'], '.ports[containerPort=80,protocol="TCP"]'],
  [['f:finalizers', 'v:"a/b"'], '.finalizers[="a/b"]'],
  [['f:items', 'i:0'], '.items[0]'],
])('%j reads %s', (path, wanted) => {
  expect(pathText(path)).toBe(wanted);
});
