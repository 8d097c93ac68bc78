// Bundles the program into one file, dist/jotasu.js: reading one file is most of what makes it start fast. Native modules stay
// outside (lmdb finds its binary beside itself). The file appears at once and whole, dated to when the build began, so that the
// launcher's "is it older than the source" also sees what was changed meanwhile.
//
// `node tools/build.mjs [ENTRY [OUTFILE]]`
import { mkdirSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const entry = process.argv[2] ?? join(root, 'src/app/main.ts');
const outfile = process.argv[3] ?? join(root, 'dist/jotasu.js');
const began = new Date();
// Beside the real one under a name of its own: the source map's paths are relative to it.
const temporary = join(dirname(outfile), `.build-${process.pid}.js`);

mkdirSync(dirname(outfile), { recursive: true });
try {
  await build({
    entryPoints: [entry],
    outfile: temporary,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'external',
    legalComments: 'none',
    logLevel: 'warning',
    external: ['lmdb'],
    // Bundled CommonJS packages still call require, __filename and __dirname.
    banner: {
      js: [
        "import { createRequire as __createRequire } from 'node:module';",
        "import { fileURLToPath as __fileURLToPath } from 'node:url';",
        'const require = __createRequire(import.meta.url);',
        'const __filename = __fileURLToPath(import.meta.url);',
        "const __dirname = __fileURLToPath(new URL('.', import.meta.url));",
      ].join(' '),
    },
    footer: { js: `//# sourceMappingURL=${basename(outfile)}.map` },
  });
  renameSync(`${temporary}.map`, `${outfile}.map`);
  utimesSync(temporary, began, began);
  renameSync(temporary, outfile);
} catch (error) {
  rmSync(temporary, { force: true });
  rmSync(`${temporary}.map`, { force: true });
  // esbuild has printed what is wrong and where.
  if (!Array.isArray(error?.errors)) throw error;
  process.exit(1);
}
