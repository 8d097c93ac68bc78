// What could stand in front of services on a node: Node's own http, nginx, HAProxy. The same load through each of them to the same two
// upstreams, connections kept open; then the same load while each is told of a change ten times, in its own way.
// Needs root, wrk, haproxy and nginx: apt-get install wrk haproxy nginx-light
//
//   node --import tsx bench/ingress.ts [SECONDS]
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { silentLog, systemClock } from '../src/base/index.ts';
import { createCa } from '../src/http/index.ts';
import {
  type Arrangement,
  arrange,
  configFiles,
  defaultCertificateName,
  Haproxy,
  type IngressPlan,
  mapFileName,
  planStep,
} from '../src/ingress/index.ts';
import { systemExec } from '../src/os/index.ts';

const run = promisify(execFile);
const seconds = Number(process.argv[2] ?? 5);
const directory = mkdtempSync(join(tmpdir(), 'ingress-bench-'));
const upstreams = [21901, 21902];
const port = 21900;
const children = new Set<ChildProcess>();

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  children.add(child);
  return child;
}

async function listening(at: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(at, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nobody listens at ${at}`);
}

const file = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};

const haproxyHead = (socket = '') => `global
  maxconn 4000
${socket === '' ? '' : `  stats socket ${socket} level admin expose-fd listeners\n`}defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  timeout http-keep-alive 30s
`;

interface Candidate {
  readonly name: string;
  start(): ChildProcess;
  /** Tells it that the n-th change of its upstreams has happened. */
  change(process: ChildProcess, n: number): Promise<void>;
}

const nodeText = `
const http = require('node:http');
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
let n = 0;
process.on('SIGUSR2', () => {});
http.createServer((request, response) => {
  const up = http.request({ host: '127.0.0.1', port: [${upstreams}][n++ % 2], path: request.url, method: request.method, headers: request.headers, agent }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  up.on('error', () => response.writeHead(502).end());
  request.pipe(up);
}).listen(${port});`;

const nginxText = (n: number) => `
worker_processes 2; daemon off; pid ${directory}/nginx.pid; error_log /dev/null;
events { worker_connections 2000; }
http {
  access_log off; keepalive_requests 1000000;
  upstream u { ${upstreams.map((one) => `server 127.0.0.1:${one};`).join(' ')} keepalive 64; }
  server { listen ${port}; location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Change ${n}; } }
}`;

const socket = join(directory, 'admin.sock');
const haproxyText = `${haproxyHead(socket)}frontend f
  bind :${port}
  option idle-close-on-response
  default_backend u
backend u
  balance leastconn
  option redispatch 1
  http-reuse always
${upstreams.map((one) => `  server s${one} 127.0.0.1:${one}\n`).join('')}${Array.from({ length: 10 }, (_, i) => `  server free${i + 1} 127.0.0.1:1 disabled\n`).join('')}`;

function ask(command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const to = connect(socket, () => to.end(`${command}\n`));
    to.on('data', (data) => (answer += data));
    to.on('end', () => resolve(answer.trim()));
    to.on('error', reject);
  });
}

const candidates: readonly Candidate[] = [
  { name: 'Node http', start: () => start('node', [file('proxy.cjs', nodeText)]), change: async () => {} },
  {
    name: 'nginx, reload',
    start: () => start('nginx', ['-c', file('nginx.conf', nginxText(0))]),
    change: async (process, n) => {
      file('nginx.conf', nginxText(n));
      process.kill('SIGHUP');
    },
  },
  {
    name: 'HAProxy, reload',
    start: () => start('haproxy', ['-W', '-f', file('haproxy.cfg', haproxyText)]),
    change: async (process) => void process.kill('SIGUSR2'),
  },
  {
    name: 'HAProxy, runtime socket',
    start: () => start('haproxy', ['-W', '-f', file('haproxy.cfg', haproxyText)]),
    change: async (_, n) => {
      const server = `set server u/free${n}`;
      const said = await ask(`${server} addr 127.0.0.1 port ${upstreams[n % 2]};${server} state ready`);
      if (!said.includes('changed from')) throw new Error(said);
    },
  },
];

/** Own memory of a process and its children (proportional set size), in MB; and how many they are. */
async function memoryOf(pid: number): Promise<string> {
  const { stdout } = await run('ps', ['-o', 'pid=', '--ppid', String(pid), '-p', String(pid)]);
  const pids = stdout.trim().split(/\s+/);
  const kb = pids.map((one) =>
    Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${one}/smaps_rollup`, 'utf8'))?.[1] ?? 0),
  );
  return `${(kb.reduce((sum, one) => sum + one, 0) / 1024).toFixed(0)} MB in ${pids.length}`;
}

async function load(at: number): Promise<string> {
  const { stdout } = await run('wrk', [
    '-t1',
    '-c64',
    `-d${seconds}s`,
    '--latency',
    `http://127.0.0.1:${at}/`,
  ]);
  const found = (pattern: RegExp): string => pattern.exec(stdout)?.[1] ?? '0';
  const errors = /Socket errors: (.*)/.exec(stdout)?.[1] ?? 'none';
  return `${found(/Requests\/sec:\s+(\S+)/)} requests/s, p50 ${found(/^\s+50%\s+(\S+)/m)}, p99 ${found(/^\s+99%\s+(\S+)/m)}, not 2xx: ${found(/Non-2xx or 3xx responses: (\d+)/)}, errors: ${errors}`;
}

async function end(child: ChildProcess): Promise<void> {
  children.delete(child);
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 3_000);
  await gone;
  clearTimeout(late);
}

/** What a change costs with so many backends of ten endpoints and as many rules. */
async function changes(backends: number): Promise<void> {
  const plan = (first: string): IngressPlan => ({
    backends: Array.from({ length: backends }, (_, i) => ({
      name: `d_web-${i}_80`,
      protocol: 'h1',
      sticky: false,
      endpoints: Array.from({ length: 10 }, (_, j) =>
        i + j === 0 ? first : `10.${i >> 8}.${i & 255}.${j}:80`,
      ),
    })),
    exact: new Map(),
    prefix: new Map(
      Array.from({ length: backends }, (_, i) => [
        `h${i}.example/`,
        { backend: `d_web-${i}_80`, timeoutMs: 60_000, maxBodyBytes: 0, redirects: i === 0 && first === 'x' },
      ]),
    ),
    certificates: [],
    problems: [],
  });
  const log = join(directory, 'log');
  const haproxy = new Haproxy({
    directory,
    logFile: log,
    exec: systemExec,
    clock: systemClock,
    log: silentLog,
  });
  const settings = {
    ...{ directory, httpPort: 21905, httpsPort: 21906, metricsPort: 21907, maxConnections: 4000 },
    ...{ threads: 2, ipv6: false, user: undefined },
  };
  const ca = await createCa({ commonName: 'default', days: 1, nowMs: Date.now() });
  haproxy.write([{ name: defaultCertificateName, text: `${ca.cert}${ca.key}` }]);
  const timed = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    const startedMs = performance.now();
    await work();
    console.log(`${what.padEnd(40)} ${(performance.now() - startedMs).toFixed(0)} ms`);
  };
  let now: Arrangement = arrange(plan('10.255.0.1:80'), undefined);
  const load = (generation: string): Promise<void> =>
    haproxy.load(configFiles(now, settings, generation), generation);
  try {
    await timed(`${backends} backends: start`, () => load('a'));
    await timed(`${backends} backends: reload`, () => load('b'));
    await timed(`${backends} backends: one endpoint changes`, async () => {
      const next = arrange(plan('10.255.0.2:80'), now);
      const step = planStep(now, next);
      if (step.kind !== 'runtime') throw new Error(step.kind);
      await haproxy.runtime.setServers(step.commands);
      now = next;
    });
    await timed(`${backends} rules: replaced`, () =>
      haproxy.runtime.replaceMap(join(directory, mapFileName('prefix')), now.prefix),
    );
  } finally {
    await haproxy.stop();
  }
}

try {
  for (const backends of [10, 1000]) await changes(backends);
  const answer = `${haproxyHead()}${upstreams
    .map(
      (one) =>
        `frontend u${one}\n  bind :${one}\n  http-request return status 200 content-type text/plain string "${'x'.repeat(200)}"\n`,
    )
    .join('')}`;
  start('haproxy', ['-f', file('upstream.cfg', answer), '-db']);
  await listening(upstreams[1]!);
  console.log(`${'directly'.padEnd(24)} ${await load(upstreams[0]!)}`);
  for (const { name, start: begin, change } of candidates) {
    const child = begin();
    await listening(port);
    if (name !== 'HAProxy, runtime socket')
      console.log(`${name.split(',')[0]!.padEnd(24)} ${await load(port)}, ${await memoryOf(child.pid!)}`);
    if (name !== 'Node http') {
      const loaded = load(port);
      for (let n = 1; n <= 10; n++) {
        await new Promise((resolve) => setTimeout(resolve, (seconds * 1000) / 12));
        await change(child, n);
      }
      console.log(`${`${name} ×10`.padEnd(24)} ${await loaded}, ${await memoryOf(child.pid!)}`);
    }
    await end(child);
  }
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
}
