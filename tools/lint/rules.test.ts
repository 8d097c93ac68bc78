import { describe, expect, test } from 'vitest';
import { checkSource } from './rules.ts';

const found = (path: string, text: string) =>
  checkSource(path, text).map((f) => `${f.line} ${f.rule} ${f.severity}`);

describe('a source file', () => {
  const bad: [string, string][] = [
    ['const a = 1;\nconst b = Date.now();', '2 clock error'],
    ['const a = new Date();', '1 clock error'],
    ['const a = performance.now();', '1 clock error'],
    ['const a = Math.random();', '1 randomness error'],
    ['setTimeout(() => {}, 1);', '1 timer error'],
    ['const t = setInterval(() => {}, 1);', '1 timer error'],
    ["import { setTimeout } from 'node:timers/promises';", '1 timer error'],
    ["const a = process.env['HOME'];", '1 environment error'],
    ["console.log('x');", '1 console error'],
  ];
  test.each(bad)('%s', (text, finding) => {
    expect(found('src/http/x.ts', text)).toEqual([finding]);
    for (const free of [
      'src/app/x.ts',
      'src/cli/x.ts',
      'src/testkit/x.ts',
      'src/http/x.test.ts',
      'test/node/x.ts',
      'tools/x.ts',
    ])
      expect(found(free, text)).toEqual([]);
  });

  test('of base may touch the clock, but not print', () => {
    expect(found('src/base/x.ts', 'const a = Date.now() + Math.random(); setTimeout(run, 1);')).toEqual([]);
    expect(found('src/base/x.ts', 'console.log(process.env);')).toEqual([
      '1 console error',
      '1 environment error',
    ]);
  });

  const good = [
    'const a = new Date(0);',
    'const a = Date.UTC(2026, 0, 1);',
    '// Date.now() is not called',
    "const a = 'console.log(1)';",
    'clock.now(); this.setTimeout(1); setImmediate(run);',
  ];
  test.each(good)('%s', (text) => expect(found('src/http/x.ts', text)).toEqual([]));

  test('is not too long', () => {
    const of = (lines: number, path = 'src/http/x.test.ts') => found(path, '//\n'.repeat(lines));
    expect(of(400)).toEqual([]);
    expect(of(401)).toEqual(['1 length warning']);
    expect(of(801)).toEqual(['1 length error']);
    expect(of(801, 'src/api/generated/x.ts')).toEqual([]);
  });
});
