// The import checker on a small tree of its own: a checker that finds nothing must be one that can find something.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkImports, type ImportReport } from './imports.ts';

const files: Record<string, string> = {
  'package.json': '{"type":"module","dependencies":{}}',
  'tsconfig.json':
    '{"compilerOptions":{"module":"nodenext","allowImportingTsExtensions":true,"noEmit":true,"types":[]}}',
  'src/base/index.ts': "export * from './deep.ts';",
  'src/base/deep.ts': 'export const deep = 1; export type Deep = number;',
  'src/testkit/index.ts': "export * from '../base/index.ts';",
  'src/machinery/index.ts': "export { deep } from '../base/index.ts';",
  'src/machinery/inside.ts': "import type { Deep } from '../base/deep.ts'; export type D = Deep;",
  'src/base/upward.ts': "import type { D } from '../machinery/index.ts'; export type U = D;",
  'src/base/ring-a.ts': "import { b } from './ring-b.ts'; export const a = () => b;",
  'src/base/ring-b.ts': "import { a } from './ring-a.ts'; export const b = () => a;",
  'src/machinery/kit.ts': "import { deep } from '../testkit/index.ts'; export const k = deep;",
  'src/machinery/kit.test.ts': "import { deep } from '../testkit/index.ts'; export const k = deep;",
  'src/machinery/up.test.ts': "import { x } from '../client/index.ts'; export const k = x;",
  'src/machinery/kit-contract.ts': "import { deep } from '../testkit/index.ts'; export const c = deep;",
  'src/machinery/shipped.ts': "export { c } from './kit-contract.ts';",
  'src/client/index.ts': 'export const x = 1;',
  'src/client/gone.ts': "import { g } from './nowhere.ts'; export const y = g;",
  'src/client/tool.ts': "export const t = () => import('../../tools/t.ts');",
  'tools/t.ts': "import { deep } from '../src/base/deep.ts'; export const t = deep;",
};

let root: string;
let report: ImportReport;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'jotasu-imports-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  report = await checkImports(root, ['src', 'tools']);
});
afterAll(() => rmSync(root, { recursive: true }));

test('every file is seen', () => {
  expect(report.modules).toBeGreaterThanOrEqual(Object.keys(files).length - 2);
});

test('what is wrong is found, and nothing else', () => {
  expect([...new Set(report.violations.filter((v) => !v.includes('no cycles')))].sort()).toEqual([
    'src/base/upward.ts → src/machinery/index.ts: base imports only base',
    'src/client/gone.ts → ./nowhere.ts: what is imported exists and is in package.json',
    'src/client/tool.ts → tools/t.ts: src imports nothing of tests and tools',
    'src/machinery/inside.ts → src/base/deep.ts: another folder of src is entered by its index.ts',
    'src/machinery/kit.ts → src/testkit/index.ts: machinery imports only machinery, base',
    'src/machinery/kit.ts → src/testkit/index.ts: only tests and app use testkit',
    'src/machinery/shipped.ts → src/machinery/kit-contract.ts: only tests import tests',
    'src/machinery/up.test.ts → src/client/index.ts: tests of machinery import only machinery, base, testkit',
    'tools/t.ts → src/base/deep.ts: a folder of src is entered by its index.ts',
  ]);
});

test('cycles are shown whole', () => {
  expect(report.violations).toContain(
    'src/base/ring-a.ts → src/base/ring-b.ts → src/base/ring-a.ts: no cycles',
  );
});
