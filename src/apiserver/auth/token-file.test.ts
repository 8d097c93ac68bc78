import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTokenFile } from './token-file.ts';

const parse = (text: string) => Object.fromEntries(parseTokenFile('f.csv', text));

describe('a token file', () => {
  const good: [string, string, object][] = [
    ['plain', 't,zoe,1', { t: { name: 'zoe', uid: '1', groups: [] } }],
    ['one group', 't,zoe,1,dev\n', { t: { name: 'zoe', uid: '1', groups: ['dev'] } }],
    [
      'groups',
      't,zoe,1,"dev,ops"\r\nu,max,2\r\n',
      {
        t: { name: 'zoe', uid: '1', groups: ['dev', 'ops'] },
        u: { name: 'max', uid: '2', groups: [] },
      },
    ],
    ['empty lines', '\n\nt,zoe,\n\n', { t: { name: 'zoe', uid: '', groups: [] } }],
    ['quotes', '"t","z""o\ne",1', { t: { name: 'z"o\ne', uid: '1', groups: [] } }],
    ['quoted last field with CRLF', 't,zoe,"1"\r\n', { t: { name: 'zoe', uid: '1', groups: [] } }],
    ['spaces count', 't, zoe,1', { t: { name: ' zoe', uid: '1', groups: [] } }],
    ['further columns', 't,zoe,1,dev,more', { t: { name: 'zoe', uid: '1', groups: ['dev'] } }],
    ['nothing', '', {}],
  ];
  test.each(good)('%s', (_, text, users) => expect(parse(text)).toEqual(users));

  const bad: [string, string, string][] = [
    [
      'too few columns',
      'a,b,c\nt,zoe',
      'line 2: at least 3 columns are needed (token, user name, user uid), found 2',
    ],
    ['empty token', ',zoe,1', 'line 1: the token is empty'],
    ['empty user', 't,,1', 'line 1: the user name is empty'],
    ['same token twice', 't,a,1\nt,b,2', 'line 2: this token was given on a line above already'],
    ['open quote', 't,"zoe,1\n', 'line 1: a quote is opened and never closed'],
    [
      'text after a quote',
      '"a\nb"x,y,z',
      'line 2: after a closing quote comes a comma or the end of the line',
    ],
    ['quote inside', 't,z"oe,1', 'line 1: a quote stands in the middle of a field that is not quoted'],
  ];
  test.each(bad)('%s', (_, text, message) =>
    expect(() => parse(text)).toThrow(`token file f.csv, ${message}`),
  );

  test('gives back whatever was written, quoted', () => {
    const field = fc.string({ minLength: 1 });
    const row = fc.record({ token: field, name: field, uid: fc.string() });
    fc.assert(
      fc.property(fc.uniqueArray(row, { selector: (r) => r.token }), (rows) => {
        const quoted = (s: string) => `"${s.replaceAll('"', '""')}"`;
        const text = rows.map((r) => [r.token, r.name, r.uid].map(quoted).join(',')).join('\n');
        const users = parseTokenFile('f', text);
        expect(users.size).toBe(rows.length);
        for (const r of rows) expect(users.get(r.token)).toEqual({ name: r.name, uid: r.uid, groups: [] });
      }),
    );
  });
});
