import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findDuplicateFields, parseJson } from './json.ts';

describe('parseJson', () => {
  it.each([
    ['', 'unexpected end of JSON input'],
    ['{', 'unexpected end of JSON input'],
    ['{"a":1', 'unexpected end of JSON input'],
    ['"abc', 'unexpected end of JSON input'],
    ['"\\u12', 'unexpected end of JSON input'],
    ['tru', 'unexpected end of JSON input'],
    ['-', 'unexpected end of JSON input'],
    ['x', "invalid character 'x' looking for beginning of value"],
    ['apiVersion: v1', "invalid character 'a' looking for beginning of value"],
    ["{'a':1}", "invalid character '\\'' looking for beginning of object key string"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b":2}', `invalid character '"' after object key:value pair`],
    ['[1 2]', "invalid character '2' after array element"],
    ['[1,]', "invalid character ']' looking for beginning of value"],
    ['{}}', "invalid character '}' after top-level value"],
    ['1 2', "invalid character '2' after top-level value"],
    ['01', "invalid character '1' after top-level value"],
    ['trux', "invalid character 'x' in literal true (expecting 'e')"],
    ['"a\nb"', "invalid character '\\n' in string literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
    ['1.x', "invalid character 'x' after decimal point in numeric literal"],
    ['1e]', "invalid character ']' in exponent of numeric literal"],
    ['-x', "invalid character 'x' in numeric literal"],
  ])('%j: %s', (text, error) => {
    expect(parseJson(text)).toEqual({ ok: false, error });
  });

  it('explains whatever JSON.parse refuses, without a fall through', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '1',
      '-',
      '.',
      'e',
      'true',
      'nul',
      ' ',
      '\\',
      'u',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 10 }), (parts) => {
        const text = parts.join('');
        const result = parseJson(text);
        if (!result.ok)
          expect(result.error).toMatch(/^(invalid character '.+' |unexpected end of JSON input$)/);
      }),
    );
  });

  it('takes bytes', () => {
    expect(parseJson(new TextEncoder().encode('{"a":"é"}'))).toEqual({ ok: true, value: { a: 'é' } });
  });

  it('refuses what is nested beyond reason', () => {
    expect(parseJson('['.repeat(5000) + ']'.repeat(5000))).toEqual({
      ok: false,
      error: 'exceeded max depth',
    });
    expect(parseJson(`"${'['.repeat(5000)}"`).ok).toBe(true);
  });
});

describe('findDuplicateFields', () => {
  it.each([
    ['{}', []],
    ['[]', []],
    ['1', []],
    ['{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}', []],
    ['{"a":1,"a":2}', ['a']],
    ['{"a":1,"a":2,"a":3}', ['a']],
    ['{"spec":{"replicas":1,"x":{},"replicas":2}}', ['spec.replicas']],
    ['{"spec":{"containers":[{"name":"a"},{"image":"x","image":"y"}]}}', ['spec.containers[1].image']],
    ['{"a":[[1,2],[{"b":1,"b":2}]]}', ['a[1][0].b']],
    ['{"a":"b","b":"a:{\\"a\\":1,\\"a\\":2}"}', []],
    ['{"a\\"b":1,"a\\u0022b":2}', ['a"b']],
    ['{"a":{"b":1},"a":{"b":2}}', ['a']],
    ['{ "a" : 1 , "a" : [ ] }', ['a']],
    ['{"a\\\\":1,"b":"\\\\","c":1,"c":2}', ['c']],
    ['{"__proto__":1,"__proto__":2,"constructor":1}', ['__proto__']],
  ])('%s → %j', (text, expected) => {
    expect(findDuplicateFields(text)).toEqual(expected);
  });

  it('finds none in what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2), (value, indent) => {
        expect(findDuplicateFields(JSON.stringify(value, null, indent))).toEqual([]);
      }),
    );
  });
});
