// What is told of tries: the events of a container whose server answers in its own way.
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { coreV1 } from '../../api/index.ts';
import { FakeClock, type Log, Scope, silentLog } from '../../base/index.ts';
import { FakeRuntime } from '../../os/index.ts';
import { buildPod } from '../../testkit/index.ts';
import { ProbeManager } from './probe-manager.ts';

let server: Server | undefined;
afterEach(() => server?.close());

test.each([
  [
    '302 Found',
    'Warning ProbeWarning Liveness probe warning: Probe terminated redirects, Response body: bye',
  ],
  ['503 Busy', 'Warning Unhealthy Liveness probe failed: HTTP probe failed with statuscode: 503'],
])('an answer of %s', async (status, said) => {
  const answer = `HTTP/1.1 ${status}\r\nLocation: http://elsewhere.invalid/\r\nContent-Length: 3\r\n\r\nbye`;
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  });
  await new Promise<void>((done) => server!.listen(0, '127.0.0.1', done));
  const clock = new FakeClock();
  const scope = new Scope(silentLog);
  const told = new Promise<string>((tell) => {
    const probes = new ProbeManager({
      runtime: new FakeRuntime({ clock }),
      clock,
      log: silentLog,
      scope,
      userAgent: 'kube-probe/1.35',
      metrics: { probed: () => {} },
      event: (_pod, _container, type, reason, message) => tell(`${type} ${reason} ${message}`),
      onChange: () => {},
    });
    const { port } = server!.address() as AddressInfo;
    probes.add({
      pod: buildPod('p'),
      container: { name: 'c', livenessProbe: { httpGet: { port }, periodSeconds: 1 } },
      containerId: 'id',
      podIp: '127.0.0.1',
      startedAtMs: clock.nowMs(),
    });
  });
  // The first try comes at once. Its limit is of this clock, and the answer of real sockets: no time passes until it has come.
  await clock.advance(0);
  expect(await told).toBe(said);
  await scope.stop();
});

describe('a command that runs longer than its container is probed', () => {
  /** A probe in the middle of its first try; `finish` ends the command. */
  async function world(liveness: Partial<coreV1.Probe> = {}) {
    const clock = new FakeClock();
    const said: string[] = [];
    const log: Log = { ...silentLog, error: (message) => said.push(message) };
    const scope = new Scope(log);
    const commands: { resolve(exitCode: number): void; reject(error: Error): void }[] = [];
    const runtime = new FakeRuntime({ clock });
    runtime.execSync = () =>
      new Promise((resolve, reject) => {
        const none = Buffer.alloc(0);
        commands.push({ resolve: (exitCode) => resolve({ exitCode, stdout: none, stderr: none }), reject });
      });
    const probes = new ProbeManager({
      runtime,
      clock,
      log,
      scope,
      userAgent: 'kube-probe/1.35',
      metrics: { probed: () => {} },
      event: (_pod, _container, _type, reason) => said.push(reason),
      onChange: () => said.push('changed'),
    });
    const pod = buildPod('p');
    const livenessProbe = { exec: { command: ['x'] }, periodSeconds: 1, failureThreshold: 1, ...liveness };
    probes.add({
      pod,
      container: { name: 'c', livenessProbe },
      containerId: 'id',
      podIp: '127.0.0.1',
      startedAtMs: clock.nowMs(),
    });
    await clock.advance(0);
    expect(commands).toHaveLength(1);
    return { clock, probes, pod, commands, said, scope };
  }

  test('fails with it, of which nobody is told', async () => {
    const { clock, probes, pod, commands, said, scope } = await world();
    probes.retain(pod.metadata.uid, new Set());
    commands[0]?.reject(new Error('no such container'));
    await clock.advance(5_000);
    expect([said, commands.length]).toEqual([[], 1]);
    await scope.stop();
  });

  test('is its last one once the pod ends, and kills nothing', async () => {
    const { clock, probes, pod, commands, said, scope } = await world();
    probes.stopLivenessAndStartup(pod.metadata.uid);
    commands[0]?.resolve(1);
    await clock.advance(5_000);
    expect([said, commands.length]).toEqual([[], 1]);
    await scope.stop();
  });

  test('else counts, and is followed by others', async () => {
    const { clock, commands, said, scope } = await world({ failureThreshold: 2 });
    commands[0]?.resolve(1);
    await clock.advance(5_000);
    expect([said, commands.length]).toEqual([['Unhealthy'], 2]);
    commands[1]?.resolve(1);
    await clock.advance(0);
    await scope.stop();
  });
});
