// The rules of the house that no compiler knows: who imports whom (tools/layers.ts), what a source file may not do
// (lint/rules.ts, with lint/exceptions.ts), and that ARCHITECTURE.md shows the table as it is. Part of `npm run lint`.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { architectureFile, withLayers } from './architecture.ts';
import { layers } from './layers.ts';
import { exceptions } from './lint/exceptions.ts';
import { checkImports } from './lint/imports.ts';
import { checkSource, type Finding } from './lint/rules.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const roots = ['src', 'test', 'tools', 'bench'].filter((folder) => existsSync(join(root, folder)));
const errors: string[] = [];
const warnings: string[] = [];

const files = roots.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.ts') && !path.includes('/node_modules/')),
);

for (const folder of readdirSync(join(root, 'src')))
  if (statSync(join(root, 'src', folder)).isDirectory() && layers[folder] === undefined)
    errors.push(`src/${folder}: not in tools/layers.ts`);

const unused = new Set(
  Object.entries(exceptions).flatMap(([path, rules]) => Object.keys(rules).map((rule) => `${path} ${rule}`)),
);
const excused = (f: Finding): boolean => {
  unused.delete(`${f.path} ${f.rule}`);
  return exceptions[f.path]?.[f.rule] !== undefined;
};
for (const path of files)
  for (const finding of checkSource(path, readFileSync(join(root, path), 'utf8')))
    if (!excused(finding))
      (finding.severity === 'error' ? errors : warnings).push(
        `${finding.path}:${finding.line}: ${finding.what}`,
      );
for (const entry of unused)
  errors.push(`tools/lint/exceptions.ts: "${entry}" is not needed any more; remove it`);

const report = await checkImports(root, roots);
errors.push(...report.violations);
// Without a TypeScript it can use, the import checker finds no modules and nothing wrong.
if (report.modules < files.length * 0.9)
  errors.push(
    `the import checker saw ${report.modules} of ${files.length} files: is typescript 6 installed?`,
  );

const document = readFileSync(architectureFile, 'utf8');
if (withLayers(document) !== document)
  errors.push('ARCHITECTURE.md: its layers are stale; run node --import tsx tools/architecture.ts');

for (const line of warnings) console.warn(`warning: ${line}`);
for (const line of errors) console.error(`error: ${line}`);
console.log(`${report.modules} modules, ${errors.length} errors, ${warnings.length} warnings`);
process.exit(errors.length === 0 ? 0 : 1);
