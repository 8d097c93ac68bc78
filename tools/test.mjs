// `npm test`: everything, on a fresh clone, without root and with no network but npm's. In order: packages, types, lint, build,
// tests. A part that this machine cannot run is skipped with one loud line that says what is missing and how to get it;
// JOTASU_REQUIRE_ALL=1 turns each such line into a failure. Ends with `N passed, N failed`.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureKubectl120 } from './kubectl-1.20.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const requireAll = process.env.JOTASU_REQUIRE_ALL === '1';
const problems = [];

function run(title, command, args) {
  console.log(`\n== ${title}`);
  const began = Date.now();
  const { status, error, signal } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
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
if (!installed && !run('npm ci', 'npm', npmCi)) finish();

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
// Those with real containers wait for most of their time, so they run beside all others; what they say is shown when they are through.
const halves = [
  { title: 'tests', names: runnable.filter((name) => name !== 'node'), report: 'dist/test-report.json' },
  {
    title: 'tests with containers',
    names: runnable.filter((name) => name === 'node'),
    report: 'dist/test-report-node.json',
  },
].filter(({ names }) => names.length > 0);
const reports = await Promise.all(halves.map((half, i) => runTests(half, i === 0)));
finish(reports.flatMap((one) => one ?? []));

/** Runs projects of vitest to their end; its report, or undefined when it did not come to one. `shown`: while it goes on. */
async function runTests({ title, names, report }, shown) {
  const file = join(root, report);
  rmSync(file, { force: true });
  if (shown) console.log(`\n== ${title}`);
  // Not a pipe: a process that a test left behind would keep it open.
  const log = `${file}.log`;
  const output = shown ? 'inherit' : openSync(log, 'w');
  const began = Date.now();
  const args = [
    'run',
    ...names.flatMap((name) => ['--project', name]),
    '--passWithNoTests',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
  ];
  const child = spawn(bin('vitest'), args, {
    cwd: root,
    stdio: ['ignore', output, output],
    timeout: 25 * 60_000,
    env,
  });
  const why = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(code === 0 ? undefined : (signal ?? '')));
  });
  if (!shown) console.log(`\n== ${title}\n${readFileSync(log, 'utf8')}`);
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  console.log(`== ${title}: ${why === undefined ? 'ok' : 'FAILED'} in ${seconds} s`);
  const read = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  // vitest fails for reasons of its own too: an error outside every test, a process left behind.
  if (why !== undefined && countFailed(read) === 0) problems.push(`${title} failed${why && `: ${why}`}`);
  return read;
}

/** A file that could not be loaded has no tests to count; it fails as one. */
function countFailed(report) {
  const unloaded = (report?.testResults ?? []).filter(
    ({ status, assertionResults }) =>
      status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  );
  return (report?.numFailedTests ?? 0) + unloaded.length;
}

/** Prints what else went wrong and the line that counts it all: each failed step is a failure like a failed test. */
function finish(reports = []) {
  const sum = (count) => reports.reduce((all, report) => all + count(report), 0);
  if (problems.length > 0) console.log(`\n${problems.map((problem) => `!! ${problem}`).join('\n')}`);
  const failed = sum(countFailed) + problems.length;
  const skipped = sum((report) => (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0));
  if (skipped > 0) console.log(`${skipped} tests were skipped`);
  console.log(`\n${sum((report) => report.numPassedTests ?? 0)} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
