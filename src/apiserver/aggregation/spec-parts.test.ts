import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DocumentV2 } from '../openapi/v2.ts';
import { cutSpec, mergeSpecs, type SpecPart } from './spec-parts.ts';

const at = { group: 'g', version: 'v1' };
const ref = (name: string) => ({ $ref: `#/definitions/${name}` });

test('of another’s document only what the version needs is kept', () => {
  const document = {
    paths: {
      '/apis/g/v1/things': {
        get: { responses: { 200: { schema: ref('Thing') } }, 'x-kubernetes-action': 'list' },
      },
      '/apis/g/v2/things': { get: { responses: { 200: { schema: ref('Other') } } } },
    },
    definitions: {
      Thing: { properties: { next: ref('Thing'), part: { type: 'array', items: ref('Part') } } },
      Part: { type: ['string', 'null'], additionalProperties: true },
      Other: { type: 'object' },
    },
  };
  expect(cutSpec(document, at)).toEqual({
    paths: {
      '/apis/g/v1/things': {
        get: { parameters: [], responses: { 200: { description: 'OK' } }, 'x-kubernetes-action': 'list' },
      },
    },
    definitions: {
      Thing: { properties: { next: ref('Thing'), part: { type: 'array', items: ref('Part') } } },
      Part: { additionalProperties: {} },
    },
  });
});

test.each([['text'], [null], [{ paths: [], definitions: 3 }], [{ paths: { '/apis/g/v1/x': null } }]])(
  'what is no document is an empty one: %j',
  (document) => expect(cutSpec(document, at).definitions).toEqual({}),
);

const definition = fc.record({ type: fc.constantFrom('object', 'string'), properties: fc.constant({}) });
const names = fc.constantFrom('A', 'B', 'C');
const part: fc.Arbitrary<SpecPart> = fc.dictionary(names, fc.tuple(definition, names)).map((all) => ({
  paths: {},
  definitions: Object.fromEntries(
    Object.entries(all).map(([name, [one, next]]) => [
      name,
      { ...one, properties: all[next] === undefined ? {} : { next: ref(next) } },
    ]),
  ),
}));

test('ours stay, each of the others’ is there as it was, and every reference leads to what it meant', () => {
  fc.assert(
    fc.property(part, fc.array(part, { maxLength: 3 }), ({ definitions }, parts) => {
      const ours = { swagger: '2.0', info: { title: '', version: '' }, paths: {}, definitions } as DocumentV2;
      const merged = mergeSpecs(ours, parts).definitions as Record<
        string,
        { type: string; properties: object }
      >;
      expect(merged).toMatchObject(definitions);
      for (const one of Object.values(merged))
        for (const { $ref } of Object.values(one.properties) as { $ref: string }[])
          expect(merged).toHaveProperty($ref.replace('#/definitions/', ''));
      for (const { definitions: theirs } of parts)
        for (const [name, { type }] of Object.entries(theirs)) {
          const found = Object.entries(merged).filter(([called]) => called.replace(/_v\d+$/, '') === name);
          expect(found.map(([, one]) => one.type)).toContain(type);
        }
    }),
  );
});

test('what is called alike and is the same is there once', () => {
  const Thing = { type: 'object' };
  const ours = {
    swagger: '2.0',
    info: { title: '', version: '' },
    paths: {},
    definitions: { Thing },
  } as DocumentV2;
  const other = {
    paths: {},
    definitions: { Thing: { type: 'string' }, User: { properties: { of: ref('Thing') } } },
  };
  const merged = mergeSpecs(ours, [{ paths: {}, definitions: { Thing } }, other]);
  expect(merged.definitions).toEqual({
    Thing,
    Thing_v2: { type: 'string' },
    User: { properties: { of: ref('Thing_v2') } },
  });
});
