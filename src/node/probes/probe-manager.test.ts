// What is told of tries: the events of a container whose server answers in its own way.
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { FakeClock, Scope, silentLog } from '../../base/index.ts';
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
