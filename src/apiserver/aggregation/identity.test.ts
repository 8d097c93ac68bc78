import fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapeHeaderName, identityHeaders } from './identity.ts';

test('who asks, in headers', () => {
  expect(
    identityHeaders({
      name: 'Jürgen',
      uid: '7',
      groups: ['a', 'b'],
      extra: { 'example.com/scope': ['x', 'y'], none: [] },
    }),
  ).toEqual({
    'x-remote-user': Buffer.from('Jürgen').toString('latin1'),
    'x-remote-uid': '7',
    'x-remote-group': ['a', 'b'],
    'x-remote-extra-example.com%2Fscope': ['x', 'y'],
  });
  expect(identityHeaders({ name: 'a', uid: '', groups: [] })).toEqual({ 'x-remote-user': 'a' });
});

test('any key is a header name, and can be read again as client-go reads it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (key) => {
      const name = escapeHeaderName(key);
      expect(name).toMatch(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);
      expect(decodeURIComponent(name)).toBe(key);
    }),
  );
});
