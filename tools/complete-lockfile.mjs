// Fills the gaps a registry mirror leaves in package-lock.json, so that `npm ci` accepts it everywhere.
//
// npm leaves an optional platform package (`@biomejs/cli-darwin-arm64` …) out of the lockfile when the registry it asked
// does not hold it, and `npm ci` then calls the lockfile out of sync. Each missing one is entered with its version and the
// platforms its name stands for, so that npm skips it elsewhere. Run after every change of dependencies:
// `node tools/complete-lockfile.mjs`.
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const packages = lock.packages;

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'sunos', 'win32'];
const processors = { arm: 'arm', armv7: 'arm', arm64: 'arm64', aarch64: 'arm64', ia32: 'ia32', x64: 'x64' };

/** Where node looks for `name` from the package at `from`: its own node_modules first, then those above it. */
function find(from, name) {
  for (let at = from; ; ) {
    const path = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (at === '') return undefined;
    const above = at.lastIndexOf('/node_modules/');
    at = above < 0 ? '' : at.slice(0, above);
  }
}

const added = [];
for (const [path, entry] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (find(path, name) !== undefined) continue;
    const words = name.split(/[/-]/);
    const os = systems.find((s) => words.includes(s));
    const cpu = Object.keys(processors).find((p) => words.includes(p));
    if (os === undefined || cpu === undefined || !/^\d/.test(version)) {
      console.error(
        `package-lock.json lacks ${name}@${version}, and its name does not say which platform it is for`,
      );
      process.exit(1);
    }
    packages[`node_modules/${name}`] = {
      version,
      cpu: [processors[cpu]],
      ...(entry.dev === true && { dev: true }),
      ...(words.includes('musl') && { libc: ['musl'] }),
      optional: true,
      os: [os],
    };
    added.push(name);
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, JSON.stringify(lock, null, 2) + '\n');
console.log(added.length === 0 ? 'nothing was missing' : `entered ${added.join(', ')}`);
