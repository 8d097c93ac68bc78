// `npm test`: everything, on a fresh clone, without root and with no network but npm's. In order: packages, types, lint, build,
// tests. A part that this machine cannot run is skipped with one loud line that says what is missing and how to get it;
// JOTASU_REQUIRE_ALL=1 turns each such line into a failure. Ends with `N passed, N failed`.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
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
const reports = await Promise.all(halves.map((half, i) => runTests({ ...half, shown: i === 0 })));
const results = reports.flatMap((report) => report?.testResults ?? []);
finish(await onceMore(results));

/**
 * What fails while both halves share the machine may be a matter of the machine. So a few files that failed run once more, alone, and
 * that second run counts; it is told loudly. Many that failed are a fault, and stay failed.
 */
async function onceMore(first) {
  const failed = first.filter(({ status }) => status === 'failed').map(({ name }) => name);
  if (failed.length === 0 || failed.length > 3 || problems.length > 0) return first;
  const names = failed.map((name) => relative(root, name));
  console.log(`\n!! FAILED, and run once more alone: ${names.join(', ')}`);
  const second = await runTests({
    title: 'tests that failed, alone',
    names: runnable,
    report: 'dist/test-report-again.json',
    shown: true,
    files: names,
  });
  const again = second?.testResults ?? [];
  for (const name of names)
    if (again.some((result) => relative(root, result.name) === name && result.status === 'passed'))
      console.log(`!! UNSTEADY: ${name} failed beside the others and passed alone`);
  return first.map((result) => again.find(({ name }) => name === result.name) ?? result);
}

/** Runs projects of vitest to their end; its report, or undefined when it did not come to one. `shown`: while it goes on. */
async function runTests({ title, names, report, shown, files = [] }) {
  const file = join(root, report);
  rmSync(file, { force: true });
  if (shown) console.log(`\n== ${title}`);
  // Not a pipe: a process that a test left behind would keep it open.
  const log = `${file}.log`;
  const output = shown ? 'inherit' : openSync(log, 'w');
  const began = Date.now();
  const args = [
    'run',
    ...files,
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
  if (why !== undefined && !read?.testResults.some(({ status }) => status === 'failed'))
    problems.push(`${title} failed${why && `: ${why}`}`);
  return read;
}

/** Prints what else went wrong and the line that counts it all: each failed step is a failure like a failed test. */
function finish(files = []) {
  const tests = files.flatMap((file) => file.assertionResults);
  const count = (...statuses) => tests.filter(({ status }) => statuses.includes(status)).length;
  // A file that could not be loaded has no tests to count; it fails as one.
  const unloaded = files.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  );
  if (problems.length > 0) console.log(`\n${problems.map((problem) => `!! ${problem}`).join('\n')}`);
  const failed = count('failed') + unloaded.length + problems.length;
  const skipped = count('skipped', 'pending', 'todo', 'disabled');
  if (skipped > 0) console.log(`${skipped} tests were skipped`);
  console.log(`\n${count('passed')} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
