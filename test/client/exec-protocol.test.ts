// The real kubectl runs commands through the node's side of exec: over WebSocket (v5), and over SPDY as older ones do. In place
// of a container runtime stands its fake, which runs the commands as processes of this machine.
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { finished } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLog, systemClock } from '../../src/base/index.ts';
import {
  createCa,
  type HttpsServer,
  issueCertificate,
  LocalCommands,
  startHttpsServer,
  type Upgrade,
} from '../../src/http/index.ts';
import { handleExec, parseExecQuery } from '../../src/node/index.ts';

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'exec-protocol-'));
const kubeconfig = path.join(dir, 'kubeconfig');
const local = new LocalCommands(systemClock);
const children = new Set<ChildProcess>();
let server: HttpsServer;
/** What each upgrade asked for. */
const seen: string[] = [];

const documents: Readonly<Record<string, unknown>> = {
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
  '/api/v1': {
    kind: 'APIResourceList',
    groupVersion: 'v1',
    resources: [{ name: 'pods', singularName: 'pod', namespaced: true, kind: 'Pod', verbs: ['get'] }],
  },
  '/api/v1/namespaces/default/pods/web': {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'web', namespace: 'default' },
    spec: { containers: [{ name: 'main', image: 'none' }] },
    status: { phase: 'Running' },
  },
};

/** What the API server does with an exec request: other names for the streams. */
function serveExec(upgrade: Upgrade): void {
  const { request } = upgrade;
  seen.push(`${request.headers.upgrade} ${request.headers['sec-websocket-protocol'] ?? ''}`.trim());
  const given = new URL(request.url ?? '', 'https://node').searchParams;
  const query = new URLSearchParams();
  for (const part of given.getAll('command')) query.append('command', part);
  for (const [from, to] of [
    ['stdin', 'input'],
    ['stdout', 'output'],
    ['stderr', 'error'],
    ['tty', 'tty'],
  ] as const)
    if (given.get(from) === 'true') query.set(to, '1');
  const parsed = parseExecQuery(query);
  if (typeof parsed === 'string') throw new Error(parsed);
  void handleExec(upgrade, {
    ...parsed,
    containerId: 'c1',
    runtime: {
      exec: (asked) =>
        asked.command[0] === 'no-such-container'
          ? Promise.reject(new Error('container is in CONTAINER_EXITED state'))
          : local.exec(asked),
    },
    clock: systemClock,
    log: silentLog,
  });
}

beforeAll(async () => {
  await local.listen();
  const ca = await createCa({ commonName: 'test-ca', days: 1, nowMs: Date.now() });
  const serving = await issueCertificate(
    ca,
    { commonName: 'server', dnsNames: [], ips: ['127.0.0.1'], usage: 'server', days: 1 },
    Date.now(),
  );
  server = await startHttpsServer({
    host: '127.0.0.1',
    port: 0,
    ...serving,
    onRequest: (request, response) => {
      const found = documents[(request.url ?? '').split('?')[0]!];
      response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(found ?? { kind: 'Status', status: 'Failure', code: 404 }));
    },
    onUpgrade: (request, socket, head) => serveExec({ request, socket, head }),
    clock: systemClock,
    log: silentLog,
  });
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    users: [{ name: 'test', user: { token: 'none' } }],
    clusters: [
      {
        name: 'test',
        cluster: {
          server: `https://127.0.0.1:${server.port}`,
          'certificate-authority-data': Buffer.from(ca.cert).toString('base64'),
        },
      },
    ],
  };
  fs.writeFileSync(kubeconfig, JSON.stringify(config));
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await server.close(0);
  await local.close();
  fs.rmSync(dir, { recursive: true, force: true });
});

describe.each([
  { name: 'WebSocket', sockets: 'true', upgrade: 'websocket v5.channel.k8s.io' },
  { name: 'SPDY', sockets: 'false', upgrade: 'SPDY/3.1' },
])('kubectl exec over $name', ({ sockets, upgrade }) => {
  function startProgram(program: string, ...args: string[]): ChildProcess {
    seen.length = 0;
    const child = spawn(program, args, {
      env: {
        ...process.env,
        HOME: dir,
        KUBECONFIG: kubeconfig,
        KUBECTL_REMOTE_COMMAND_WEBSOCKETS: sockets,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    children.add(child);
    child.stdin!.on('error', () => {});
    child.once('exit', () => children.delete(child));
    return child;
  }
  const start = (...args: string[]) => startProgram('kubectl', 'exec', ...args);

  async function ended(
    child: ChildProcess,
  ): Promise<{ code: number | null; stdout: Buffer; stderr: string }> {
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout!.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr!.on('data', (chunk: Buffer) => stderr.push(chunk));
    const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
    await Promise.all([finished(child.stdout!), finished(child.stderr!)]);
    return { code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
  }

  test('output, errors and the exit code', async () => {
    const { code, stdout, stderr } = await ended(
      start('web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'),
    );
    expect({ code, stdout: String(stdout), stderr }).toEqual({
      code: 7,
      stdout: 'out\n',
      stderr: 'err\ncommand terminated with exit code 7\n',
    });
    expect(seen).toEqual([upgrade]);
  });

  test('success without output', async () => {
    const { code, stdout, stderr } = await ended(start('web', '--', 'true'));
    expect({ code, stdout: String(stdout), stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('stdin ends where the input ends', async () => {
    const child = start('-i', 'web', '--', 'sh', '-c', 'cat; echo done');
    child.stdin!.end('line\n');
    const { code, stdout } = await ended(child);
    expect({ code, stdout: String(stdout) }).toEqual({ code: 0, stdout: 'line\ndone\n' });
  });

  test('20 MB through cat arrive unchanged', async () => {
    const child = start('-i', 'web', '--', 'cat');
    const data = Buffer.alloc(20 << 20);
    for (let i = 0; i < data.length; i += 4) data.writeUInt32LE((i * 2654435761) >>> 0, i);
    child.stdin!.end(data);
    const { code, stdout } = await ended(child);
    expect(code).toBe(0);
    expect(stdout.equals(data)).toBe(true);
  });

  test('input that the command does not read', async () => {
    const child = start('-i', 'web', '--', 'sh', '-c', 'head -c 3; exit 5');
    child.stdin!.end(Buffer.alloc(5 << 20, 'x'));
    const { code, stdout } = await ended(child);
    expect({ code, stdout: String(stdout) }).toEqual({ code: 5, stdout: 'xxx' });
  });

  test('much output that nobody reads for a while', async () => {
    const child = start('web', '--', 'sh', '-c', 'head -c 30000000 /dev/zero');
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { code, stdout } = await ended(child);
    expect({ code, length: stdout.length }).toEqual({ code: 0, length: 30_000_000 });
  });

  test('a command that cannot be run', async () => {
    const { code, stderr } = await ended(start('web', '--', 'no-such-command'));
    expect(code).toBe(1);
    expect(stderr).toContain('Internal error occurred: spawn no-such-command ENOENT');
  });

  test('a session that the runtime refuses', async () => {
    const { code, stderr } = await ended(start('web', '--', 'no-such-container'));
    expect(code).toBe(1);
    expect(stderr).toContain('unable to upgrade connection: container is in CONTAINER_EXITED state');
  });

  test('when kubectl is killed the command sees the end of its input', async () => {
    const before = local.ended;
    const child = start('-i', 'web', '--', 'sh', '-c', 'echo ready; cat');
    await new Promise((resolve) => child.stdout!.once('data', resolve));
    child.kill('SIGKILL');
    await expect.poll(() => local.ended).toBe(before + 1);
  });

  test('a terminal: its size, and one output', async () => {
    local.sizes.length = 0;
    const inTerminal =
      "stty cols 97 rows 31; kubectl exec -it web -- sh -c 'echo out; echo err >&2; read line; exit 6'";
    const child = startProgram('script', '-qec', inTerminal, '/dev/null');
    const end = ended(child);
    await expect.poll(() => local.sizes).toContainEqual({ width: 97, height: 31 });
    child.stdin!.write('\n');
    const { code, stdout } = await end;
    expect(code).toBe(6);
    expect(String(stdout)).toContain('out');
    expect(String(stdout)).not.toContain('err\n');
  });
});
