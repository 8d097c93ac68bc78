// ./jotasu in a checkout of its own, with an npm and a build that only note that they were called.
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let root: string;
const at = (path: string) => join(root, path);
const calls = () => (existsSync(at('calls')) ? readFileSync(at('calls'), 'utf8').trim().split('\n') : []);
const executable = (path: string, text: string) => {
  writeFileSync(at(path), text);
  chmodSync(at(path), 0o755);
};
/** Past, so that what is written now counts as newer whatever the file system's clock. */
const age = (path: string, seconds: number) => {
  const when = new Date(Date.now() - seconds * 1000);
  utimesSync(at(path), when, when);
};
const environment = (path = `${at('bin')}:${process.env['PATH']}`) => ({ ...process.env, PATH: path });
function jotasu(args: string[] = [], path?: string): SpawnSyncReturns<string> {
  return spawnSync('/bin/sh', [at('jotasu'), ...args], { encoding: 'utf8', env: environment(path) });
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'jotasu-launcher-'));
  for (const folder of ['bin', 'src', 'tools']) mkdirSync(at(folder));
  copyFileSync(fileURLToPath(new URL('../jotasu', import.meta.url)), at('jotasu'));
  writeFileSync(at('package-lock.json'), '{}');
  writeFileSync(at('src/main.ts'), '');
  executable(
    'bin/npm',
    '#!/bin/sh\necho "$1" >>calls\n[ ! -e npm-fails ] || exit 1\nsleep 0.3\nmkdir -p node_modules\ntouch node_modules/.package-lock.json\n',
  );
  writeFileSync(
    at('tools/build.mjs'),
    `import fs from 'node:fs';
     fs.appendFileSync('${root}/calls', 'build\\n');
     if (fs.existsSync('${root}/build-fails')) process.exit(1);
     fs.writeFileSync('${root}/dist/jotasu.js', 'console.log(JSON.stringify(process.argv.slice(2)))');`,
  );
  for (const path of ['package-lock.json', 'src/main.ts', 'src', 'tools/build.mjs']) age(path, 60);
});
afterEach(() => rmSync(root, { recursive: true }));

describe('the launcher', () => {
  test('installs and builds once, then only starts', () => {
    const first = jotasu(['a b', '--c']);
    expect([first.status, first.stdout]).toEqual([0, '["a b","--c"]\n']);
    expect(first.stderr).toContain('installing packages');
    const second = jotasu();
    expect([second.stdout, second.stderr]).toEqual(['[]\n', '']);
    expect(calls()).toEqual(['ci', 'build']);
    expect(existsSync(at('dist/.lock'))).toBe(false);
  });

  test('builds again when a source is newer or gone, installs again when the lockfile says something else', () => {
    jotasu();
    age('dist/jotasu.js', 30);
    writeFileSync(at('src/main.ts'), '//');
    jotasu();
    age('dist/jotasu.js', 30);
    rmSync(at('src/main.ts'));
    jotasu();
    expect(calls()).toEqual(['ci', 'build', 'build', 'build']);
    age('node_modules/.package-lock.json', 30);
    writeFileSync(at('package-lock.json'), '{"new":1}');
    jotasu();
    expect(calls().slice(4)).toEqual(['ci', 'build']);
    // Touched by a checkout, but the same.
    age('node_modules/.package-lock.json', 30);
    writeFileSync(at('package-lock.json'), '{"new":1}');
    jotasu();
    expect(calls().slice(6)).not.toContain('ci');
  });

  test('does the work once when started several times at once', async () => {
    const ends = Array.from({ length: 4 }, (_, i) => {
      const child = spawn('/bin/sh', [at('jotasu'), `${i}`], { env: environment() });
      let out = '';
      child.stdout.on('data', (data) => {
        out += String(data);
      });
      return new Promise((resolve) => child.on('close', (code) => resolve([code, out])));
    });
    expect(await Promise.all(ends)).toEqual([0, 1, 2, 3].map((i) => [0, `["${i}"]\n`]));
    expect(calls()).toEqual(['ci', 'build']);
  });

  test('takes over from one that was killed', () => {
    mkdirSync(at('dist/.lock'), { recursive: true });
    writeFileSync(at('dist/.lock/pid'), '999999999\n');
    expect(jotasu().stdout).toBe('[]\n');
    expect(existsSync(at('dist/.lock'))).toBe(false);
  });

  test('only starts in a package, which holds no sources', () => {
    jotasu();
    for (const path of ['src', 'tools', 'package-lock.json', 'node_modules'])
      rmSync(at(path), { recursive: true });
    const end = jotasu(['x']);
    expect([end.status, end.stdout, end.stderr]).toEqual([0, '["x"]\n', '']);
    expect(calls()).toEqual(['ci', 'build']);
  });

  test('works through a symbolic link, with the exit code of the program', () => {
    jotasu();
    symlinkSync(at('jotasu'), at('bin/linked'));
    writeFileSync(at('dist/jotasu.js'), 'process.exit(7)');
    expect(spawnSync(at('bin/linked'), { env: environment() }).status).toBe(7);
  });

  const old = '#!/bin/sh\necho v20.18.3\n';
  const broken: [string, () => string | undefined, RegExp][] = [
    ['no node', () => '/nonexistent', /needs Node\.js 20\.19 or newer, and there is no "node"/],
    [
      'an old node',
      () => void executable('bin/node', old),
      /needs Node\.js 20\.19 or newer, this is 20\.18\.3/,
    ],
    ['npm ci fails', () => void writeFileSync(at('npm-fails'), ''), /npm ci failed/],
    ['the build fails', () => void writeFileSync(at('build-fails'), ''), /the build failed/],
  ];
  test.each(broken)('says so when %s', (_, damage, message) => {
    const end = jotasu([], damage());
    expect(end.status).toBe(1);
    expect(end.stderr).toMatch(message);
    expect(existsSync(at('dist/.lock'))).toBe(false);
  });
});
