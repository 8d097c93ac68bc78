// The package as others install it: packed, unpacked beside its dependencies without a network, and used by a program in TypeScript,
// by the example in plain JavaScript, and by the command it brings.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
let dir: string;

/** Standard output of a program that must work. */
function ok(program: string, args: readonly string[], cwd = dir): string {
  const end = spawnSync(program, args, { cwd, encoding: 'utf8', timeout: 200_000 });
  expect({ args, status: end.status, said: end.status === 0 ? '' : end.stdout + end.stderr }).toEqual({
    args,
    status: 0,
    said: '',
  });
  return end.stdout;
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'jotasu-package-'));
  ok('npm', ['pack', '--offline', '--silent', '--pack-destination', dir], root);
  const archive = readdirSync(dir).find((name) => name.endsWith('.tgz'))!;
  const installed = join(dir, 'node_modules/jotasu');
  mkdirSync(join(dir, 'node_modules/.bin'), { recursive: true });
  ok('tar', ['-xzf', archive]);
  ok('mv', ['package', installed]);
  symlinkSync('../jotasu/jotasu', join(dir, 'node_modules/.bin/jotasu'));
  // What npm would install: the one dependency that is not in the bundle, and what programs in TypeScript have.
  for (const name of ['lmdb', '@types/node', 'undici-types']) {
    mkdirSync(join(dir, 'node_modules', name, '..'), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(dir, 'node_modules', name));
  }
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const program = `
import { type ClusterNode, ConfigMap, type Draft, isConflict, Pod, type StartedCluster, type StartedServer } from 'jotasu';
import { startCluster, startServer, StatusError } from 'jotasu';

const lines: string[] = [];
const server: StartedServer = await startServer({ log: (line) => lines.push(line), without: ['scheduler'] });
const { client, url, kubeconfig } = server;
const draft: Draft<ConfigMap> = { metadata: { name: 'a', namespace: 'default' }, data: { k: '1' } };
const made = await client(ConfigMap).create(draft);
// Both are ours: what is done to them changes nothing there.
made.data = { k: 'changed here' };
draft.data = {};
const again: ConfigMap = await client(ConfigMap).get('a', 'default');
const stale = { ...again, metadata: { ...again.metadata, resourceVersion: '1' } };
const refusal: unknown = await client(ConfigMap).update(stale).catch((error: unknown) => error);
const pods = (await client(Pod).list({ namespace: 'default' })).items.map((pod) => pod.spec.containers.length);
const { code, reason } = refusal instanceof StatusError ? refusal : { code: 0, reason: '' };
const second = await startServer();
const apart = second.url !== url;
await Promise.all([second.stop(), server.stop(), server.stop()]);
const cluster: StartedCluster = await startCluster({ name: 'two', simulatedNodes: 2 });
await cluster.addNode({ name: 'third' });
await cluster.killNode('sim-1');
const unknown: unknown = await cluster.killNode('none').catch((error: unknown) => (error as Error).message);
const nodes = (await cluster.nodes()).map(({ name, state }: ClusterNode) => name + ' ' + state);
await cluster.stop();
console.log(JSON.stringify([nodes, unknown, again.data, code, reason, isConflict(refusal), pods, apart, kubeconfig.includes(url), lines.length > 0]));
`;

test('a program in strict TypeScript', () => {
  writeFileSync(join(dir, 'program.ts'), program);
  const strict = [
    '--strict',
    '--noEmitOnError',
    '--target',
    'es2023',
    '--module',
    'nodenext',
    '--types',
    'node',
  ];
  for (const compiler of ['typescript', 'typescript7'])
    ok(process.execPath, [join(root, 'node_modules', compiler, 'bin/tsc'), ...strict, 'program.ts']);
  expect(JSON.parse(ok(process.execPath, ['program.js']))).toEqual([
    ['sim-1 Off', 'sim-2 Ready', 'third Ready'],
    'cluster two has no node none',
    { k: '1' },
    409,
    'Conflict',
    true,
    [],
    true,
    true,
    true,
  ]);
});

test('an option that there is not is a mistake to the compiler', () => {
  writeFileSync(
    join(dir, 'wrong.ts'),
    "import { startServer } from 'jotasu';\nawait startServer({ httpsPort: 1 });\n",
  );
  const end = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/typescript7/bin/tsc'),
      '--noEmit',
      '--strict',
      '--target',
      'es2023',
      '--module',
      'nodenext',
      '--types',
      'node',
      'wrong.ts',
    ],
    { cwd: dir, encoding: 'utf8' },
  );
  expect(end.stdout).toMatch(/^wrong\.ts\(2,\d+\): error TS2353: .*'httpsPort' does not exist/);
});

test('the example, in plain JavaScript', () => {
  const example = join(dir, 'node_modules/jotasu/examples/server-in-process.mjs');
  const out = ok(process.execPath, [example]).split('\n');
  expect(out[0]).toMatch(/^serving https:\/\/127\.0\.0\.1:\d+$/);
  expect(out.slice(1)).toEqual(['3 pods of web', 'a kubeconfig for kubectl', 'pods "none" not found', '']);
});

test('the command', () => {
  expect(ok(join(dir, 'node_modules/.bin/jotasu'), ['version'])).toMatch(
    /^jotasu \d+\.\d+\.\d+, Kubernetes v1\.35/,
  );
});

test('nothing in it that is not needed, and nothing left of the servers', () => {
  expect(readdirSync(join(dir, 'node_modules/jotasu/dist')).sort()).toEqual([
    'jotasu.js',
    'library.js',
    'types',
  ]);
  expect(existsSync(join(dir, 'node_modules/jotasu/src'))).toBe(false);
});
