// The node's side of exec against the real containerd: its streaming server, real containers, real terminals.
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { openRemoteProcess, type RemoteProcess, type RemoteStreamOptions } from '../../src/http/index.ts';
import { handleExec, parseExecQuery } from '../../src/node/index.ts';
import {
  type Containerd,
  type ContainerRuntime,
  connectRuntime,
  ensureCgroup,
  readCgroupLayout,
  removeCgroup,
  type SandboxConfig,
  startContainerd,
  systemExec,
} from '../../src/os/index.ts';

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'exec-'));
const cgroupParent = `/jotasu-test-exec-${process.pid}`;
const pipes: RemoteStreamOptions = { stdin: true, stdout: true, stderr: true, tty: false };
const terminal: RemoteStreamOptions = { stdin: true, stdout: true, stderr: false, tty: true };

let containerd: Containerd;
let runtime: ContainerRuntime;
let sandboxId: string;
let containerId: string;
let server: Server;
const sandbox: SandboxConfig = {
  metadata: { name: 'exec', namespace: 'default', uid: `exec-${process.pid}`, attempt: 0 },
  // The machine's own network has the machine's own name.
  hostname: '',
  logDirectory: path.join(dir, 'logs'),
  portMappings: [],
  labels: {},
  annotations: {},
  cgroupParent,
  sysctls: {},
  namespaces: { network: 'node', pid: 'pod', ipc: 'pod' },
  privileged: false,
  supplementalGroups: [],
};

beforeAll(async () => {
  const layout = readCgroupLayout();
  ensureCgroup(layout, cgroupParent);
  containerd = await startContainerd({
    rootDir: path.join(dir, 'root'),
    runDir: path.join(dir, 'run'),
    logFile: path.join(dir, 'containerd.log'),
    cniBinDir: '/usr/lib/cni',
    cniConfDir: path.join(dir, 'cni'),
    cniDataDir: path.join(dir, 'cni-data'),
    exec: systemExec,
    clock: systemClock,
    log: silentLog,
  });
  runtime = await connectRuntime({ socketPath: containerd.socketPath });
  const archive = path.join(dir, 'busybox.tar');
  const made = spawnSync('node', ['tools/busybox-image.mjs', archive], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`busybox image: ${made.stderr}`);
  const [image] = await containerd.importImage(archive);
  const found = await runtime.imageStatus(image!);
  sandboxId = await runtime.runPodSandbox(sandbox);
  containerId = await runtime.createContainer(
    sandboxId,
    {
      metadata: { name: 'main', attempt: 0 },
      image: found!.id,
      command: ['sleep', '3600'],
      args: [],
      workingDir: '',
      env: [{ name: 'GREETING', value: 'hello' }],
      mounts: [],
      labels: {},
      annotations: {},
      logPath: 'main.log',
      stdin: false,
      stdinOnce: false,
      tty: false,
      resources: {},
      security: {
        addCapabilities: [],
        dropCapabilities: [],
        privileged: false,
        namespaces: sandbox.namespaces,
        readOnlyRootfs: false,
        supplementalGroups: [],
        noNewPrivs: false,
        maskedPaths: [],
        readonlyPaths: [],
      },
    },
    sandbox,
  );
  await runtime.startContainer(containerId);
  server = createServer();
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    const url = new URL(request.url ?? '', 'http://node');
    const parsed = parseExecQuery(url.searchParams);
    if (typeof parsed === 'string') throw new Error(parsed);
    const target = {
      ...parsed,
      containerId: url.pathname === '/exec/main' ? containerId : 'none',
      runtime,
      clock: systemClock,
      log: silentLog,
    };
    void handleExec({ request, socket, head }, target);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  if (sandboxId !== undefined) {
    await runtime.stopPodSandbox(sandboxId);
    await runtime.removePodSandbox(sandboxId);
  }
  runtime?.close();
  await containerd?.stop();
  server?.close();
  await removeCgroup(readCgroupLayout(), cgroupParent, systemClock);
  fs.rmSync(dir, { recursive: true, force: true });
});

function execIn(
  container: string,
  streams: RemoteStreamOptions,
  command: readonly string[],
): Promise<RemoteProcess> {
  const query = new URLSearchParams();
  for (const part of command) query.append('command', part);
  if (streams.stdin) query.set('input', '1');
  if (streams.stdout) query.set('output', '1');
  if (streams.stderr) query.set('error', '1');
  if (streams.tty) query.set('tty', '1');
  const { port } = server.address() as AddressInfo;
  return openRemoteProcess(`http://127.0.0.1:${port}/exec/${container}?${query}`, streams, systemClock);
}

const exec = (streams: RemoteStreamOptions, ...command: string[]) => execIn('main', streams, command);

function whole(stream: Readable | undefined): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) =>
    stream === undefined
      ? resolve(Buffer.alloc(0))
      : stream.once('end', () => resolve(Buffer.concat(chunks))),
  );
}

/** The first piece of output; a process that ends without any is a failure. */
function firstOutput(process: RemoteProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    process.stdout!.once('data', (chunk: Buffer) => resolve(String(chunk)));
    void process.status.then((status) => reject(new Error(`no output: ${JSON.stringify(status)}`)));
  });
}

async function result(process: RemoteProcess) {
  const [stdout, stderr, status] = await Promise.all([
    whole(process.stdout),
    whole(process.stderr),
    process.status,
  ]);
  process.destroy();
  const code = status?.details?.causes?.find((cause) => cause.reason === 'ExitCode')?.message;
  return { stdout: String(stdout), stderr: String(stderr), status: status?.status, code };
}

describe('exec in a real container', () => {
  test('output, errors, exit code, environment', async () => {
    const process = await exec(
      { ...pipes, stdin: false },
      'sh',
      '-c',
      'echo $GREETING; echo err >&2; exit 7',
    );
    expect(await result(process)).toEqual({
      stdout: 'hello\n',
      stderr: 'err\n',
      status: 'Failure',
      code: '7',
    });
  });

  test('twenty at once, each whole', async () => {
    const one = async (i: number) => {
      const session = await exec(pipes, 'sh', '-c', `cat; echo e >&2; exit ${i}`);
      session.stdin!.end(`${i}\n`);
      return result(session);
    };
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => one(i)));
    for (const [i, found] of results.entries())
      expect(found).toEqual({
        stdout: `${i}\n`,
        stderr: 'e\n',
        status: i === 0 ? 'Success' : 'Failure',
        code: i === 0 ? undefined : String(i),
      });
  });

  test('stdin ends where the input ends', async () => {
    const process = await exec(pipes, 'sh', '-c', 'cat; echo done');
    process.stdin!.end('line\n');
    expect(await result(process)).toMatchObject({ stdout: 'line\ndone\n', status: 'Success' });
  });

  test('20 MB through cat arrive unchanged', async () => {
    const process = await exec(pipes, 'cat');
    const data = Buffer.alloc(20 << 20);
    for (let i = 0; i < data.length; i += 4) data.writeUInt32LE((i * 2654435761) >>> 0, i);
    process.stdin!.end(data);
    const [stdout, status] = await Promise.all([whole(process.stdout), process.status]);
    process.destroy();
    expect(stdout.equals(data)).toBe(true);
    expect(status).toMatchObject({ status: 'Success' });
  });

  test('a terminal with its size', async () => {
    const script =
      'until [ "$(stty size 2>/dev/null)" = "31 97" ]; do sleep 0.05; done; echo set; read line; echo "<$line>"; exit 3';
    const session = await exec(terminal, 'sh', '-c', script);
    session.resize({ width: 97, height: 31 });
    expect(await firstOutput(session)).toBe('set\r\n');
    session.stdin!.write('typed\r');
    const { stdout, code } = await result(session);
    expect(code).toBe('3');
    // What is typed is echoed by the terminal.
    expect(stdout).toBe('typed\r\n<typed>\r\n');
  });

  test('a command that is not there', async () => {
    const process = await exec(pipes, 'no-such-command');
    const [status] = await Promise.all([process.status, whole(process.stdout), whole(process.stderr)]);
    process.destroy();
    expect(status).toMatchObject({ status: 'Failure', reason: 'InternalError' });
    expect(status?.message).toContain('no-such-command');
  });

  test('a client that vanishes ends the input, and with it the process', async () => {
    const process = await exec(pipes, 'sh', '-c', 'echo ready; cat; echo ended >/tmp/ended');
    await firstOutput(process);
    process.destroy();
    const look = async () =>
      String((await runtime.execSync(containerId, ['cat', '/tmp/ended'], 60_000)).stdout);
    await expect.poll(look).toBe('ended\n');
  });

  test('a container that is not there', async () => {
    await expect(execIn('none', pipes, ['true'])).rejects.toThrow(/refused to stream: (404|500) .*none/);
  });

  test('when containerd is killed the client is told, and the next exec works', async () => {
    const session = await exec(pipes, 'sh', '-c', 'echo ready; cat');
    await firstOutput(session);
    process.kill(containerd.pid, 'SIGKILL');
    expect(await session.status).toMatchObject({
      message: 'Internal error occurred: the connection to the container runtime was lost',
    });
    session.destroy();
    const again = () =>
      exec({ ...pipes, stdin: false }, 'echo', 'again').then(result, (error: Error) => error.message);
    await expect.poll(again, { interval: 200 }).toMatchObject({ stdout: 'again\n' });
  });
});
