// `npm test`: everything, on a fresh clone, without root and with no network but npm's. In order: packages, types, lint, build,
// tests. A part that this machine cannot run is skipped with one loud line that says what is missing and how to get it;
// JOTASU_REQUIRE_ALL=1 turns each such line into a failure. Ends with `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureKubectl120 } from './kubectl-1.20.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const requireAll = process.env.JOTASU_REQUIRE_ALL === '1';
const report = join(root, 'dist/test-report.json');
const problems = [];

function run(title, command, args, options = {}) {
  console.log(`\n== ${title}`);
  const began = Date.now();
  const { status, error, signal } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  const ok = status === 0;
  if (!ok) problems.push(`${title} failed${error ? `: ${error.message}` : signal ? `: ${signal}` : ''}`);
  console.log(`== ${title}: ${ok ? 'ok' : 'FAILED'} in ${seconds} s`);
  return ok;
}

const onPath = (name) =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** What a project needs: a test for it, and how to get it. */
const program = (name, debianPackage) => ({
  there: () => onPath(name),
  what: name,
  how: `apt-get install ${debianPackage}`,
});
const needs = {
  unit: [],
  scenario: [],
  client: [program('kubectl', 'kubernetes-client')],
  node: [
    { there: () => process.platform === 'linux', what: 'Linux', how: 'run on Linux' },
    { there: () => process.getuid?.() === 0, what: 'root', how: 'sudo npm test' },
    program('kubectl', 'kubernetes-client'),
    program('containerd', 'containerd'),
    { there: () => onPath('crun') || onPath('runc'), what: 'crun or runc', how: 'apt-get install crun' },
    {
      there: () => ['/usr/lib/cni/bridge', '/opt/cni/bin/bridge'].some((path) => existsSync(path)),
      what: 'CNI plugins',
      how: 'apt-get install containernetworking-plugins',
    },
    program('nft', 'nftables'),
    program('ip', 'iproute2'),
    program('nsenter', 'util-linux'),
    program('busybox', 'busybox-static'),
  ],
};

const installed = ['.package-lock.json', 'vitest/package.json', 'esbuild/package.json'].every((name) =>
  existsSync(join(root, 'node_modules', name)),
);
const npmCi = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
if (!installed && !run('npm ci', 'npm', npmCi)) finish(undefined);

const bin = (name) => join(root, 'node_modules/.bin', name);
run('types', process.execPath, ['node_modules/typescript7/bin/tsc', '--noEmit', '-p', 'tsconfig.json']);
run('format and lint', bin('biome'), ['check', '.']);
run('layers', process.execPath, ['--import', 'tsx', 'tools/check-layers.ts']);
const built = run('build', process.execPath, ['tools/build.mjs']);

function leaveOut(what) {
  if (requireAll) problems.push(`cannot run ${what}`);
  console.log(`\n!! ${requireAll ? 'CANNOT RUN' : 'SKIPPING'} ${what}`);
}

const projects = [];
for (const [project, wanted] of Object.entries(needs)) {
  const missing = wanted.filter((need) => !need.there());
  if (missing.length === 0) {
    projects.push(project);
    continue;
  }
  const what = missing.map((need) => `${need.what} (${need.how})`).join(', ');
  leaveOut(`the ${project} tests, because this machine lacks ${what}`);
}

const env = { ...process.env };
if (projects.includes('client')) {
  const old = ensureKubectl120();
  if (old.path !== undefined) env.JOTASU_KUBECTL_120 = old.path;
  else leaveOut(`the tests with kubectl 1.20, because ${old.why} (set JOTASU_KUBECTL_120 to one)`);
}

// Without the program the tests that drive it would only repeat the build's message.
const runnable = built ? projects : projects.filter((name) => name === 'unit' || name === 'scenario');
mkdirSync(join(root, 'dist'), { recursive: true });
rmSync(report, { force: true });
run(
  'tests',
  bin('vitest'),
  [
    'run',
    ...runnable.flatMap((name) => ['--project', name]),
    '--passWithNoTests',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ],
  { timeout: 25 * 60_000, env },
);
finish(existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined);

/** Prints what else went wrong and the line that counts it all: each failed step is a failure like a failed test. */
function finish(tests) {
  const passed = tests?.numPassedTests ?? 0;
  let failed = tests?.numFailedTests ?? 0;
  // A file that could not be loaded has no tests to count; it fails as one.
  for (const file of tests?.testResults ?? [])
    if (file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed')) failed++;
  // vitest fails for reasons of its own too: an error outside every test, a process left behind.
  const others = problems.filter((problem) => failed === 0 || problem !== 'tests failed');
  if (others.length > 0) console.log(`\n${others.map((problem) => `!! ${problem}`).join('\n')}`);
  failed += others.length;
  const skipped = (tests?.numPendingTests ?? 0) + (tests?.numTodoTests ?? 0);
  if (skipped > 0) console.log(`${skipped} tests were skipped`);
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
