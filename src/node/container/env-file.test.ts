import { describe, expect, test } from 'vitest';
import { envFileValue } from './env-file.ts';
import { signalNumber } from './stop-signal.ts';

const format = 'invalid environment variable format';

test.each<[string, string, string | undefined]>([
  ['a line', "A='1'\nB='two words'\n", '1'],
  ['a line of Windows', "B='2'\r\nA='1'\r\n", '1'],
  ['comments and blank lines', "# A='0'\n \t\n  # nothing\n\tA='1' # one", '1'],
  ['everything between the quotes as it stands', `A=' "x" # $y \\n=z '`, ' "x" # $y \\n=z '],
  ['several lines', "A='one\n\n # two\n'", 'one\n\n # two\n'],
  ['the first of two', "A='1'\nA='2'", '1'],
  ['an empty value', "A=''", ''],
  ['a blank after the equals sign', "A= '1'\nA='2'", ''],
  ['another name', "AB='1'\nB='A=2'", undefined],
  ['what comes after it is not judged', "A='1'\nnonsense", '1'],
])('a file of variables: %s', (_, text, value) =>
  expect(envFileValue(text, 'A')).toEqual(value === undefined ? {} : { value }),
);

test.each([
  ['no variable', "B='1'\nexport", `${format} at line 2: missing '='`],
  ['no name', "='1'", `${format} at line 1: empty variable name`],
  ['a blank after the name', "A ='1'", `${format} at line 1: whitespace before '=' is not allowed`],
  ['no quotes', 'B=1', `${format} at line 1: value must be enclosed in single quotes`],
  ['double quotes', 'A="1"', `${format} at line 1: value must be enclosed in single quotes`],
  ['more after the quote', "A='1'2", `${format} at line 1: unexpected content after closing quote`],
  ['no end', "\nA='1\n2\n", `${format} starting at line 2: unclosed single quote`],
])('a file of variables that is refused: %s', (_, text, error) =>
  expect(envFileValue(text, 'A')).toEqual({ error }),
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
