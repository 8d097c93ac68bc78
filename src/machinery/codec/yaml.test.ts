import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseYaml, parseYamlDocuments, printYaml, resolvePlainScalar } from './yaml.ts';

describe('scalars', () => {
  it.each([
    ['', null],
    ['~', null],
    ['yes', true],
    ['Off', false],
    ['y', true],
    ['tRUE', 'tRUE'],
    ['010', 8],
    ['0o17', 15],
    ['0x1F', 31],
    ['0b101', 5],
    ['-5', -5],
    ['+5', 5],
    ['1_000', 1000],
    ['08', 8],
    ['1.5', 1.5],
    ['.5', 0.5],
    ['1e3', 1000],
    ['1e', '1e'],
    ['1:20', '1:20'],
    ['2020-01-01', '2020-01-01'],
    ['v1', 'v1'],
    ['-', '-'],
  ])('%j is %j', (text, value) => {
    expect(resolvePlainScalar(text)).toBe(value);
  });
});

describe('parseYaml', () => {
  it.each([
    ['a: yes\nb: "yes"\nc: !!str 5\n', { a: true, b: 'yes', c: '5' }],
    ['1: a\ntrue: b\n1.5: c\n', { '1': 'a', true: 'b', '1.5': 'c' }],
    ['base: &b {x: 1, w: 2}\nd:\n  <<: *b\n  x: 9\n', { base: { x: 1, w: 2 }, d: { x: 9, w: 2 } }],
    ['t: |\n  a\n  b\nf: >-\n  c\n  d\n', { t: 'a\nb\n', f: 'c d' }],
    ['{"a":[1,null,"x"]}', { a: [1, null, 'x'] }],
    ['# nothing', null],
  ])('%j', (text, value) => {
    expect(parseYaml(text)).toEqual({ ok: true, value });
  });

  it('splits documents and leaves out empty ones', () => {
    expect(parseYamlDocuments('---\n---\na: 1\n---\n# c\n---\nb: 2\n...\n')).toEqual({
      ok: true,
      value: [{ a: 1 }, { b: 2 }],
    });
  });

  it.each([
    ['a: 1\na: 2', 'yaml: unmarshal errors:\n  line 2: key "a" already set in map'],
    ['a: [1\nb: 2', 'yaml: line 2: '],
    ['a: &x [*x]', 'yaml: exceeded max depth'],
    ['a: *x', 'yaml: '],
    ['{a: 1}: b', 'yaml: unsupported map key'],
    ['a: .inf', 'json: unsupported value: inf'],
  ])('refuses %j', (text, error) => {
    const result = parseYaml(text);
    expect(result.ok).toBe(false);
    expect(!result.ok && result.error.startsWith(error)).toBe(true);
  });

  it('stops aliases from exploding', () => {
    let text = 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
    for (let i = 1; i < 9; i++)
      text += `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]\n`;
    expect(parseYaml(text)).toEqual({ ok: false, error: 'yaml: document contains excessive aliasing' });
  });
});

describe('printYaml', () => {
  it('prints as kubectl does', () => {
    const value = {
      metadata: { name: 'x', creationTimestamp: '2020-01-01T00:00:00Z', labels: {}, finalizers: [] },
      apiVersion: 'v1',
      data: { a10: 'true', a2: '1', text: 'one\ntwo\n', odd: ' lead', colon: 'a: b', empty: '', no: null },
      list: [{ b: 1, a: [1, 2] }],
    };
    expect(printYaml(value)).toBe(
      [
        'apiVersion: v1',
        'data:',
        '  a2: "1"',
        '  a10: "true"',
        "  colon: 'a: b'",
        '  empty: ""',
        '  "no": null',
        "  odd: ' lead'",
        '  text: |',
        '    one',
        '    two',
        'list:',
        '- a:',
        '  - 1',
        '  - 2',
        '  b: 1',
        'metadata:',
        '  creationTimestamp: "2020-01-01T00:00:00Z"',
        '  finalizers: []',
        '  labels: {}',
        '  name: x',
        '',
      ].join('\n'),
    );
  });

  it('is read back as the same value', () => {
    fc.assert(
      fc.property(
        fc.object({ values: [fc.string(), fc.integer(), fc.boolean(), fc.constant(null)] }),
        (value) => {
          expect(parseYaml(printYaml(value))).toEqual({ ok: true, value });
        },
      ),
    );
  });
});
