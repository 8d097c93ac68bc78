// Bundles the program into one file, dist/jotasu.js: reading one file is most of what makes it start fast. What other programs
// import is a second one, dist/library.js. Native modules stay outside (lmdb finds its binary beside itself). A file appears at once
// and whole, dated to when the build began, so that the launcher's "is it older than the source" also sees what was changed meanwhile.
//
// `node tools/build.mjs [ENTRY OUTFILE]`; the types of the library are made by tools/build-types.mjs.
import { mkdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const [entry, outfile = join(root, 'dist/jotasu.js')] = process.argv.slice(2);
const bundles =
  entry === undefined
    ? [
        // The program last: the launcher takes its date for that of the whole build.
        { entry: join(root, 'src/app/library.ts'), outfile: join(root, 'dist/library.js') },
        { entry: join(root, 'src/app/main.ts'), outfile: join(root, 'dist/jotasu.js') },
      ]
    : [{ entry, outfile }];
const began = new Date();
// Beside the real one under a name of its own: the source map's paths are relative to it.
const temporaryOf = ({ outfile }) => join(dirname(outfile), `.build-${process.pid}-${basename(outfile)}`);

const bundle = (one) =>
  build({
    entryPoints: [one.entry],
    outfile: temporaryOf(one),
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
    footer: { js: `//# sourceMappingURL=${basename(one.outfile)}.map` },
  });

for (const { outfile } of bundles) mkdirSync(dirname(outfile), { recursive: true });
try {
  await Promise.all(bundles.map(bundle));
  for (const one of bundles) {
    const temporary = temporaryOf(one);
    // One letter that is not ASCII makes the program's text take twice its size in every process. esbuild leaves some in comments and
    // regular expressions; an escape means the same there.
    const text = readFileSync(temporary, 'utf8');
    const escaped = (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
    writeFileSync(temporary, text.replace(/[^\x00-\x7f]/g, escaped));
    renameSync(`${temporary}.map`, `${one.outfile}.map`);
    utimesSync(temporary, began, began);
    renameSync(temporary, one.outfile);
  }
} catch (error) {
  for (const one of bundles) {
    rmSync(temporaryOf(one), { force: true });
    rmSync(`${temporaryOf(one)}.map`, { force: true });
  }
  // esbuild has printed what is wrong and where.
  if (!Array.isArray(error?.errors)) throw error;
  process.exit(1);
}
