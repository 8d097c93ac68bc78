import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GoUrlError, parseGoUrl } from './go-url.ts';

const read = (text: string): string => {
  try {
    const { scheme, user = '-', host, query, fragment } = parseGoUrl(text);
    return [scheme, user, host, query, fragment].join(' ');
  } catch (error) {
    if (error instanceof GoUrlError) return error.message;
    throw error;
  }
};

describe('parseGoUrl', () => {
  it.each([
    ['HTTPS://h:1/p?x=1#f', 'https - h:1 x=1 f'],
    ['https://u:p@h/', 'https u:p h  '],
    ['https:h', 'https -   '],
    ['//h/x', ' - h  '],
    ['///x', ' -   '],
    ['h', ' -   '],
    ['https://h:80:90/', 'https - h:80:90  '],
    ['https://[fe80::1%25en0]:1/', 'https - [fe80::1%25en0]:1  '],
    ['https://exa<mple/', 'https - exa<mple  '],
    ['::1', 'missing protocol scheme'],
    ['1https://x', 'first path segment in URL cannot contain colon'],
    ['https://a%zz/', 'invalid URL escape "%zz"'],
    ['https://h/a%2', 'invalid URL escape "%2"'],
    ['https://h%41/', 'invalid URL escape "%41"'],
    ['%', 'invalid URL escape "%"'],
    ['https://h:port/x', 'invalid port ":port" after host'],
    ['https://[a]x/', 'invalid port "x" after host'],
    ['https://[::1', "missing ']' in host"],
    ['https://a b/', 'invalid character " " in host name'],
    ['https://h\u0001', 'net/url: invalid control character in URL'],
  ])('%s', (text, expected) => expect(read(text)).toBe(expected));

  it('reads whatever the platform writes, with the same host', () => {
    fc.assert(
      fc.property(fc.webUrl({ withFragments: true, withQueryParameters: true }), (text) => {
        const { scheme, host } = parseGoUrl(text);
        const expected = new URL(text);
        expect(`${scheme}:`).toBe(expected.protocol);
        expect(host.toLowerCase().replace(/:(80|443)?$/, '')).toBe(expected.host.toLowerCase());
      }),
    );
  });
});
