import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareKeys, kindPrefixOf, namespacePrefixOf } from './key-order.ts';

test('keys are ordered as their UTF-8 bytes', () => {
  const key = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

test.each([
  ['/core/pods/default/web', '/core/pods/', '/core/pods/default/'],
  ['/core/nodes/n1', '/core/nodes/', undefined],
  ['/core/pods/', '/core/pods/', undefined],
  ['/core/pods/default/', '/core/pods/', '/core/pods/default/'],
  ['/core/pods', '/core/', '/core/'],
  ['/core/', '/core/', undefined],
  ['/', '/', undefined],
])('%s is of kind %s, namespace %s', (key, kind, namespace) => {
  expect(kindPrefixOf(key)).toBe(kind);
  if (kind.split('/').length === 4) expect(namespacePrefixOf(key, kind)).toBe(namespace);
});
