import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ApiFixture } from '../src/testkit/index.ts';
import { definitionDigest } from './definition-digest.ts';

/** Where a mark is known to be missing, and what it is. */
const differing = [
  // granular, on a map of texts, whose values cannot be anything else
  'io.k8s.api.core.v1.PersistentVolumeClaimStatus',
  // the group versions that take it: all there ever were
  'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions',
  // a list type, on a text in base64
  'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceSpec',
];

test('what the server says of its kinds is as published, prose aside', async () => {
  const api = await ApiFixture.create();
  const { json } = await api.ask('GET', '/openapi/v2');
  await api.close();
  const file = new URL('./facts/definition-digests.json', import.meta.url);
  const published = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
  const different = Object.entries(json.definitions)
    // Metrics are of another server there, and so is their document.
    .filter(([name]) => !name.startsWith('io.k8s.metrics.'))
    .filter(([name, definition]) => published[name] !== definitionDigest(definition))
    .map(([name]) => name);
  expect(different).toEqual(differing);
});

test.each([
  ['a description', { type: 'string', description: 'x' }, { type: 'string' }, true],
  ['a field called description', { properties: { description: {} } }, { properties: {} }, false],
  ['the order of members', { a: 1, b: 2 }, { b: 2, a: 1 }, true],
  ['the order of required fields', { required: ['a', 'b'] }, { required: ['b', 'a'] }, true],
  ['the order of merge keys', { keys: ['a', 'b'] }, { keys: ['b', 'a'] }, false],
  ['a type', { type: 'string' }, { type: 'integer' }, false],
])('%s', (_, one, other, same) => {
  expect(definitionDigest(one) === definitionDigest(other)).toBe(same);
});
