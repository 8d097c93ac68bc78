import { describe, expect, test } from 'vitest';
import { parseEnvFile } from './env-file.ts';
import { signalNumber } from './stop-signal.ts';

test.each<[string, string, Record<string, string>]>([
  ['lines', 'A=1\nB=two words\n', { A: '1', B: 'two words' }],
  ['lines of Windows', 'A=1\r\nB=2', { A: '1', B: '2' }],
  ['comments', '# A=0\nA=1#one\n\n  # nothing', { A: '1' }],
  ['quotes', "A='x # y'\nB='z' # says z", { A: 'x # y', B: 'z' }],
  ['a value with an equals sign', 'A=b=c', { A: 'b=c' }],
  ['the first of two', 'A=1\nA=2', { A: '1' }],
  ['an empty value', 'A=', { A: '' }],
  ['what is no variable', 'A\n=b\nexport', {}],
])('a file of variables: %s', (_, text, values) =>
  expect(Object.fromEntries(parseEnvFile(text))).toEqual(values),
);

describe('signals', () => {
  test.each([
    ['SIGTERM', 15],
    ['SIGUSR1', 10],
    ['SIGRTMIN', 34],
    ['SIGRTMIN+3', 37],
    ['SIGRTMAX-1', 63],
    ['SIGRTMAX+1', undefined],
    ['TERM', undefined],
    ['', undefined],
  ])('%s is %s', (name, number) => expect(signalNumber(name)).toBe(number));
});
