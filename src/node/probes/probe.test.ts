// HTTP probes against servers that answer in their own ways.
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../base/index.ts';
import { FakeRuntime } from '../../os/index.ts';
import { type ProbeTarget, tryHttp } from './probe.ts';

let server: Server | undefined;
afterEach(() => server?.close());

async function probe(answer: string, podIp: string) {
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  });
  await new Promise<void>((done) => server!.listen(0, podIp, done));
  const target: ProbeTarget = { container: { name: 'c' }, containerId: 'id', podIp };
  return tryHttp({ port: (server.address() as AddressInfo).port }, target, {
    runtime: new FakeRuntime({ clock: systemClock }),
    timeoutMs: 60_000,
    userAgent: 'kube-probe/1.35',
    clock: systemClock,
    signal: new AbortController().signal,
  });
}

test.each([
  ['an answer by the book', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', '127.0.0.1', true],
  ['lines that end without CR', 'HTTP/1.0 200 OK\nServer: small\n\nhello', '127.0.0.1', true],
  ['no header, and a line without CR', 'HTTP/1.0 200 OK\r\n\nhello', '127.0.0.1', true],
  ['IPv6', 'HTTP/1.1 204 No Content\r\n\r\n', '::1', true],
  ['a failure', 'HTTP/1.1 503 Busy\nContent-Length: 0\n\n', '127.0.0.1', false],
  ['no HTTP', 'hello\n', '127.0.0.1', false],
])('%s', async (_, answer, podIp, ok) => expect(await probe(answer, podIp)).toMatchObject({ ok }));
