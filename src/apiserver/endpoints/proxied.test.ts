import { describe, expect, test } from 'vitest';
import { pathBehind, splitProxyName } from './proxied.ts';

describe('a name', () => {
  test.each([
    ['web', { scheme: '', name: 'web', port: '' }],
    ['web:8080', { scheme: '', name: 'web', port: '8080' }],
    ['web:http', { scheme: '', name: 'web', port: 'http' }],
    ['https:web:443', { scheme: 'https', name: 'web', port: '443' }],
    ['http:web:', { scheme: 'http', name: 'web', port: '' }],
    [':web:80', { scheme: '', name: 'web', port: '80' }],
    ['ftp:web:80', undefined],
    [':80', undefined],
    ['', undefined],
    ['a:b:c:d', undefined],
  ])('%s', (text, expected) => {
    expect(splitProxyName(text)).toEqual(expected);
  });
});

test.each([
  ['/x/proxy', '', ''],
  ['/x/proxy/', '', '/'],
  ['/x/proxy?a=b', '', '?a=b'],
  ['/x/proxy/a/b/?c=%20', 'a/b/', '/a/b/?c=%20'],
])('what lies behind %s', (url, rest, expected) => {
  expect(pathBehind({ url, rest })).toBe(expected);
});
