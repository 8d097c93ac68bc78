import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileLabelMap,
  compileLabelSelector,
  formatLabelMap,
  formatLabelRequirements,
  formatLabelSelector,
  type LabelRequirement,
  parseLabelSelector,
} from './selectors.ts';
import { compileFieldSelector, formatFieldRequirements, parseFieldSelector } from './selectors-of-fields.ts';

const namePart =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

describe('parseLabelSelector', () => {
  it.each([
    ['', ''],
    ['a=b', 'a=b'],
    ['a==b', 'a==b'],
    ['a!=b', 'a!=b'],
    ['a=', 'a='],
    ['a', 'a'],
    ['!a', '!a'],
    [' a = b , c ', 'a=b,c'],
    ['x in (b,a,b)', 'x in (a,b)'],
    ['x in (a)', 'x in (a)'],
    ['x notin ()', 'x notin ()'],
    ['x in (,a)', 'x in (,a)'],
    ['x in (a,)', 'x in (,a)'],
    ['x in (a,,b)', 'x in (,a,b)'],
    ['x>5,y<-3'.replace('-', ''), 'x>5,y<3'],
    ['z=1,a=2', 'a=2,z=1'],
    ['in in (in,notin)', 'in in (in,notin)'],
    ['example.com/app=web', 'example.com/app=web'],
    ['a\tnotin\n(b)', 'a notin (b)'],
  ])('%j → %j', (text, formatted) => {
    const result = parseLabelSelector(text);
    expect(result.ok && formatLabelRequirements(result.value)).toBe(formatted);
  });

  it.each([
    [',', "found ',', expected: !, identifier, or 'end of string'"],
    ['a,', "found '', expected: identifier after ','"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['a=b c', "found 'c', expected: ',' or 'end of string'"],
    ['!a=b', "found '=', expected: ',' or 'end of string'"],
    ['!', "unable to parse requirement: found '', expected: identifier"],
    ['a=(', "unable to parse requirement: found '(', expected: identifier"],
    ['a in b', "unable to parse requirement: found 'b' expected: '('"],
    ['a in (', "unable to parse requirement: found '', expected: ',', ')' or identifier"],
    ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['a in (b c)', "unable to parse requirement: found 'c', expected: ',' or ')'"],
    ['a in (b,=', "unable to parse requirement: found '=', expected: ',', or identifier"],
    ['-a=b', `unable to parse requirement: <nil>: Invalid value: "-a": ${namePart}`],
    [
      'a>x',
      "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
    ],
  ])('refuses %j', (text, error) => {
    expect(parseLabelSelector(text)).toEqual({ ok: false, error });
  });

  it('names the value that is no label value', () => {
    const result = parseLabelSelector('a=b_');
    expect(!result.ok && result.error).toMatch(
      /^unable to parse requirement: values\[0\]\[a\]: Invalid value: "b_": a valid label must be/,
    );
  });

  it('never throws, and what it prints parses to the same', () => {
    const words = fc.constantFrom(
      'a',
      'b',
      'in',
      'notin',
      '=',
      '==',
      '!=',
      '!',
      '(',
      ')',
      ',',
      '<',
      '>',
      '5',
      ' ',
      '-',
      'x/y',
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 12 }), (parts) => {
        const first = parseLabelSelector(parts.join(''));
        if (!first.ok) return;
        expect(parseLabelSelector(formatLabelRequirements(first.value))).toEqual(first);
      }),
    );
  });
});

describe('matching', () => {
  const parse = (text: string): readonly LabelRequirement[] => {
    const result = parseLabelSelector(text);
    if (!result.ok) throw new Error(result.error);
    return result.value;
  };
  it.each([
    ['', {}, true],
    ['a=b', { a: 'b' }, true],
    ['a=b', { a: 'c' }, false],
    ['a=b', {}, false],
    ['a!=b', {}, true],
    ['a!=b', { a: 'b' }, false],
    ['a', { a: '' }, true],
    ['a', {}, false],
    ['!a', {}, true],
    ['!a', { a: '' }, false],
    ['a in (x,y)', { a: 'y' }, true],
    ['a in (x,y)', { a: 'z' }, false],
    ['a in (x,y)', {}, false],
    ['a notin (x,y)', {}, true],
    ['a notin (x,y)', { a: 'x' }, false],
    ['a>5', { a: '6' }, true],
    ['a>5', { a: '5' }, false],
    ['a<5', { a: '4' }, true],
    ['a<5', { a: 'x' }, false],
    ['a>5', {}, false],
    ['a=b,c', { a: 'b', c: '' }, true],
    ['a=b,c', { a: 'b' }, false],
    ['constructor', {}, false],
    ['!toString', {}, true],
  ] as [string, Record<string, string>, boolean][])('%j on %j: %s', (text, labels, expected) => {
    expect(compileLabelSelector(parse(text))(labels)).toBe(expected);
  });

  it('no selector matches nothing, an empty one everything', () => {
    expect(compileLabelSelector(undefined)({})).toBe(false);
    expect(compileLabelSelector(null)({ a: 'b' })).toBe(false);
    expect(compileLabelSelector({})(undefined)).toBe(true);
    expect(compileLabelSelector({ matchLabels: {}, matchExpressions: [] })({})).toBe(true);
  });

  it('reads selector objects', () => {
    const selector = {
      matchLabels: { z: '1' },
      matchExpressions: [
        { key: 'a', operator: 'In', values: ['x', 'w'] },
        { key: 'b', operator: 'Exists' },
        { key: 'c', operator: 'DoesNotExist' },
        { key: 'd', operator: 'NotIn', values: ['q'] },
      ],
    };
    expect(formatLabelSelector(selector)).toBe('a in (w,x),b,!c,d notin (q),z=1');
    expect(compileLabelSelector(selector)({ z: '1', a: 'x', b: '' })).toBe(true);
    expect(compileLabelSelector(selector)({ z: '1', a: 'x', b: '', c: '' })).toBe(false);
    expect(() => compileLabelSelector({ matchExpressions: [{ key: 'a', operator: 'Near' }] })).toThrow(
      '"Near" is not a valid label selector operator',
    );
  });

  it('plain maps', () => {
    expect(formatLabelMap({ b: '2', a: '1' })).toBe('a=1,b=2');
    expect(compileLabelMap({ a: '1' })({ a: '1', b: '2' })).toBe(true);
    expect(compileLabelMap(undefined)({})).toBe(true);
  });
});

describe('field selectors', () => {
  it.each([
    ['', ''],
    ['a=b', 'a=b'],
    ['a==b', 'a=b'],
    ['b=1,a!=2', 'a!=2,b=1'],
    ['a=', 'a='],
    [',a=b,', 'a=b'],
    ['a=x\\,y\\=z\\\\', 'a=x\\,y\\=z\\\\'],
    ['status.phase!=Running', 'status.phase!=Running'],
  ])('%j → %j', (text, formatted) => {
    const result = parseFieldSelector(text);
    expect(result.ok && formatFieldRequirements(result.value)).toBe(formatted);
  });

  it.each([
    ['a', "invalid selector: 'a'; can't understand 'a'"],
    ['a=b=c', 'invalid field selector: unescaped character in value: 61'],
    ['a=\\x', 'invalid field selector: invalid escape sequence: \\x'],
    ['a=b\\', 'invalid field selector: invalid escape sequence: \\'],
  ])('refuses %j', (text, error) => {
    expect(parseFieldSelector(text)).toEqual({ ok: false, error });
  });

  it('any value survives its escape', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const requirements = [{ field: 'f', operator: '=' as const, value }];
        expect(parseFieldSelector(formatFieldRequirements(requirements))).toEqual({
          ok: true,
          value: requirements,
        });
      }),
    );
  });

  it('compiles', () => {
    const parsed = parseFieldSelector('name=a,node!=n');
    const test = compileFieldSelector<Record<string, string>>(
      parsed.ok ? parsed.value : [],
      (f) => (o) => o[f] ?? '',
    );
    expect(test({ name: 'a' })).toBe(true);
    expect(test({ name: 'a', node: 'n' })).toBe(false);
    expect(test({ name: 'b' })).toBe(false);
  });
});
