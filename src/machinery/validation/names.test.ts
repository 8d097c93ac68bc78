import { describe, expect, it } from 'vitest';
import {
  checkAbsolutePath,
  checkAnnotationKey,
  checkConfigMapKey,
  checkDescendingPath,
  checkDns1035Label,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkDns1123SubdomainWithUnderscore,
  checkDomainPrefixedPath,
  checkEnvVarName,
  checkLabelValue,
  checkPathSegment,
  checkPercent,
  checkPortName,
  checkPortNumber,
  checkQualifiedName,
  checkStrictEnvVarName,
  checkWildcardDns1123Subdomain,
  nameIsDns1035Label,
  nameIsDnsSubdomain,
} from './names.ts';

const long = 'a'.repeat(254);

describe('forms', () => {
  const fine: [string, (value: string) => readonly string[], string[]][] = [
    ['label', checkDns1123Label, ['a', '0', 'a-b', 'a'.repeat(63), '1-2']],
    ['subdomain', checkDns1123Subdomain, ['a', 'a.b', '1.2.3', 'a-b.c-d', 'a'.repeat(253)]],
    ['underscore', checkDns1123SubdomainWithUnderscore, ['_sip._tcp.example.com', 'a_b']],
    ['wildcard', checkWildcardDns1123Subdomain, ['*.bar.com']],
    ['1035', checkDns1035Label, ['a', 'a1', 'a-1']],
    ['qualified', checkQualifiedName, ['a', 'A.b_c-d', 'example.com/Name', '1.2/3', 'a'.repeat(63)]],
    ['label value', checkLabelValue, ['', 'a', 'A_b.c-d', '1']],
    ['annotation', checkAnnotationKey, ['Example.COM/Name']],
    ['env', checkEnvVarName, ['A', '1 b', 'a.b', '(x)']],
    ['strict env', checkStrictEnvVarName, ['A', 'a.b', '-x', '.x']],
    ['config key', checkConfigMapKey, ['a', '.a', 'A_b-c.d', '...a'.slice(2)]],
    ['port name', checkPortName, ['http', '1a', 'a-b', 'abcdefghijklmno']],
    ['percent', checkPercent, ['0%', '100%', '250%']],
    ['absolute', checkAbsolutePath, ['/', '/a/b']],
    ['descending', checkDescendingPath, ['a', 'a/..b', '']],
    ['domain path', checkDomainPrefixedPath, ['acme.io/foo', 'a/b/c']],
    ['segment', checkPathSegment, ['a', 'a:b', '...']],
  ];
  it.each(fine)('%s accepts', (_, check, values) => {
    for (const value of values) expect([value, check(value)]).toEqual([value, []]);
  });

  const bad: [string, (value: string) => readonly string[], string[]][] = [
    ['label', checkDns1123Label, ['', 'A', '-a', 'a-', 'a.b', 'a_b', 'a\n', 'a'.repeat(64)]],
    ['subdomain', checkDns1123Subdomain, ['', 'A', '.a', 'a.', 'a..b', 'a/b', long]],
    ['wildcard', checkWildcardDns1123Subdomain, ['*', '*.*.a', 'a.*', '*a.b']],
    ['1035', checkDns1035Label, ['', '1a', 'a.b', 'A']],
    ['qualified', checkQualifiedName, ['', '/', 'a/', '/a', 'a/b/c', '-a', 'A/b', 'a b', 'a'.repeat(64)]],
    ['label value', checkLabelValue, ['-', 'a b', 'a/', 'é', 'a'.repeat(64)]],
    ['env', checkEnvVarName, ['', 'a=b', 'é', 'a\tb', 'a\n']],
    ['strict env', checkStrictEnvVarName, ['', '1a', 'a b', '.', '..', '..a']],
    ['config key', checkConfigMapKey, ['', '.', '..', '..a', 'a/b', 'a b', long]],
    ['port name', checkPortName, ['', '1', 'A', '-a', 'a-', 'a--b', 'abcdefghijklmnop']],
    ['percent', checkPercent, ['', '1', '-1%', '1.5%']],
    ['absolute', checkAbsolutePath, ['', 'a']],
    ['descending', checkDescendingPath, ['/a', '..', 'a/../b']],
    ['domain path', checkDomainPrefixedPath, ['', 'a', 'a/', '/a', 'A/b', 'a/b c']],
    ['segment', checkPathSegment, ['.', '..', 'a/b', 'a%b']],
  ];
  it.each(bad)('%s refuses', (_, check, values) => {
    for (const value of values) expect([value, check(value).length > 0]).toEqual([value, true]);
  });
});

describe('wording', () => {
  it.each([
    [
      checkDns1123Label('A'),
      [
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    [checkDns1123Label('a.b'), ['must not contain dots']],
    [
      checkDns1123Subdomain('-'),
      [
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [checkLabelValue('a'.repeat(64)), ['must be no more than 63 bytes']],
    [
      checkQualifiedName('/'),
      [
        'prefix part must be non-empty',
        'name part must be non-empty',
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
    [checkPortNumber(0), ['must be between 1 and 65535, inclusive']],
    [checkConfigMapKey('..a'), ["must not start with '..'"]],
  ])('%#', (got, wanted) => expect(got).toEqual(wanted));
});

it('lets a generateName end in a dash', () => {
  expect(nameIsDnsSubdomain('web-', true)).toEqual([]);
  expect(nameIsDnsSubdomain('web-', false)).toHaveLength(1);
  expect(nameIsDns1035Label('web-', true)).toEqual([]);
  expect(nameIsDnsSubdomain('-', true)).toHaveLength(1);
});
