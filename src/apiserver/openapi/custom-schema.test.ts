// What readers of v2 are told of a custom resource: no more than they can make right use of.
import { describe, expect, test } from 'vitest';
import { customDefinition } from './custom-schema.ts';

type Json = Record<string, unknown>;
const metadata = { $ref: '#/definitions/ObjectMeta' };
const anything = 'x-kubernetes-preserve-unknown-fields';
const specOf = (schema: Json): unknown =>
  (customDefinition({ type: 'object', properties: { spec: schema } }, 2, metadata)['properties'] as Json)[
    'spec'
  ];
const text = { type: 'string' };
const maybe = { type: 'string', nullable: true };

describe('v2', () => {
  test('an object that may hold anything has no properties, not even its own', () => {
    const schema = { type: 'object', [anything]: true, properties: { spec: text } };
    expect(customDefinition(schema, 2, metadata)).toEqual({ type: 'object' });
    expect(customDefinition(schema, 3, metadata)).toMatchObject({
      [anything]: true,
      properties: { spec: text, metadata },
    });
  });

  test.each<[string, Json, Json]>([
    [
      'a field that may hold anything',
      { type: 'object', [anything]: true, properties: { a: text } },
      { [anything]: true },
    ],
    ['a list of anything', { type: 'array', [anything]: true, items: text }, { [anything]: true }],
    ['text of any form', { type: 'string', [anything]: true }, { type: 'string', [anything]: true }],
    ['a value or null', { ...maybe, maxLength: 3 }, { maxLength: 3 }],
    [
      'what is required, but may be null',
      { type: 'object', required: ['a', 'b'], properties: { a: maybe, b: text } },
      { type: 'object', required: ['b'], properties: { a: {}, b: text } },
    ],
    [
      'only what may be null is required',
      { type: 'object', required: ['a'], properties: { a: maybe } },
      { type: 'object', properties: { a: {} } },
    ],
    [
      'a map of values or nulls',
      { type: 'object', required: ['a'], additionalProperties: maybe },
      { type: 'object', additionalProperties: {} },
    ],
    [
      'a number or text',
      { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, text] },
      { 'x-kubernetes-int-or-string': true },
    ],
    ['a choice', { type: 'object', oneOf: [{ required: ['a'] }], not: {}, default: {} }, { type: 'object' }],
    ['inside lists', { type: 'array', items: maybe }, { type: 'array', items: {} }],
  ])('%s', (_, given, wanted) => {
    expect(specOf(given)).toEqual(wanted);
  });
});

describe('an object inside an object', () => {
  const embedded = { type: 'object', 'x-kubernetes-embedded-resource': true, required: ['kind'] };
  test('says who it is', () => {
    expect(specOf({ type: 'array', items: embedded })).toMatchObject({
      items: { required: ['kind', 'apiVersion'], properties: { apiVersion: text, kind: text, metadata } },
    });
  });

  test('v2: and nothing of it where it may hold anything', () => {
    const open = { ...embedded, [anything]: true };
    expect(specOf(open)).toEqual({
      'x-kubernetes-embedded-resource': true,
      required: ['kind'],
      [anything]: true,
    });
  });
});
