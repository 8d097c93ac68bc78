// Makes dist/types, the declarations of what `import … from 'jotasu'` gives: the compiler writes those of every file, and the ones that
// the library's own do not lead to are removed again. Only a package needs them, so the launcher does not wait for this.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = join(root, 'dist/types');
const all = join(root, `dist/.types-${process.pid}`);
const next = `${all}-reached`;
const entry = 'app/library.d.ts';

mkdirSync(join(root, 'dist'), { recursive: true });
try {
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/typescript7/bin/tsc'),
      ...['-p', join(root, 'tools/types.tsconfig.json')],
      ...['--outDir', all],
    ],
    { stdio: 'inherit' },
  );
  if (status !== 0) process.exit(1);
  const reached = new Set([entry]);
  for (const file of reached) {
    const text = readFileSync(join(all, file), 'utf8');
    // Declarations name each other as sources do, by .ts; every setting of a compiler understands .js.
    const rewritten = text.replace(/(['"])(\.{1,2}\/[^'"]+)\.ts\1/g, (_, quote, path) => {
      const found = relative(all, join(all, dirname(file), `${path}.d.ts`));
      if (!existsSync(join(all, found)))
        throw new Error(`${file} imports ${path}.ts, which has no declarations`);
      reached.add(found);
      return `${quote}${path}.js${quote}`;
    });
    mkdirSync(dirname(join(next, file)), { recursive: true });
    writeFileSync(join(next, file), rewritten);
  }
  rmSync(target, { recursive: true, force: true });
  renameSync(next, target);
} finally {
  for (const folder of [all, next]) rmSync(folder, { recursive: true, force: true });
}
