// HTTP probes against servers that answer in their own ways.
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../base/index.ts';
import { FakeRuntime } from '../../os/index.ts';
import { type ProbeTarget, tryHttp } from './probe.ts';

let server: Server | undefined;
afterEach(() => server?.close());

async function probe(answer: string, podIp: string, scheme = 'HTTP') {
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  });
  await new Promise<void>((done) => server!.listen(0, podIp, done));
  return tryAt((server.address() as AddressInfo).port, podIp, scheme);
}

function tryAt(port: number, podIp = '127.0.0.1', scheme = 'HTTP') {
  const target: ProbeTarget = { container: { name: 'c' }, containerId: 'id', podIp };
  return tryHttp({ port, scheme }, target, {
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

test.each([
  [
    'no HTTP',
    'hello\n',
    'HTTP',
    'net/http: HTTP/1.x transport connection broken: malformed HTTP response "hello"',
  ],
  ['nothing', '', 'HTTP', 'EOF'],
  ['HTTP, not HTTPS', 'HTTP/1.1 400 Bad\r\n\r\n', 'HTTPS', 'http: server gave HTTP response to HTTPS client'],
])('%s is told as Go tells it', async (_, answer, scheme, why) => {
  const { message } = await probe(answer, '127.0.0.1', scheme);
  const { port } = server!.address() as AddressInfo;
  expect(message).toBe(`Get "${scheme.toLowerCase()}://127.0.0.1:${port}/": ${why}`);
});

test.each<[string, string, string | undefined, boolean]>([
  ['to another host', '302 Found', 'http://elsewhere.invalid/', true],
  ['to nowhere', '302 Found', undefined, true],
  ['of no kind that is followed', '304 Not Modified', '/x', true],
  ['to an address that is none', '302 Found', 'http://[', false],
])('a redirect %s', async (_, status, location, ok) => {
  // An answer of 304 has none.
  const body = status.startsWith('304') ? '' : 'bye';
  const to = location === undefined ? '' : `Location: ${location}\r\n`;
  const outcome = await probe(`HTTP/1.1 ${status}\r\n${to}\r\n${body}`, '127.0.0.1');
  const { port } = server!.address() as AddressInfo;

  expect(outcome).toEqual({
    ok,
    message: ok
      ? `Probe terminated redirects, Response body: ${body}`
      : `Get "http://127.0.0.1:${port}/": failed to parse Location header "http://["`,
  });
});

test('of a long body the start is told', async () => {
  const answer = `HTTP/1.1 302 Found\r\nLocation: http://elsewhere.invalid/\r\n\r\n${'x'.repeat(20_000)}`;
  expect((await probe(answer, '127.0.0.1')).message).toHaveLength(
    'Probe terminated redirects, Response body: '.length + 10_240,
  );
});

test('redirects to itself are followed, up to nine of them', async () => {
  for (const [count, ok] of [
    [9, true],
    [10, false],
  ] as const) {
    let left = count;
    server = createServer((socket) => {
      socket.once('data', () =>
        socket.end(
          left-- > 0
            ? 'HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n'
            : 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
        ),
      );
    });
    await new Promise<void>((done) => server!.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    expect(await tryAt(port)).toEqual(
      ok ? { ok, message: '' } : { ok, message: 'Get "/again": stopped after 10 redirects' },
    );
    server.close();
  }
});

test('a port that the protocol has anyway is told', async () => {
  // Nobody listens there: what is told is where it was tried.
  const { message } = await tryAt(80, '127.0.0.99');
  expect(message).toBe('Get "http://127.0.0.99:80/": dial tcp 127.0.0.99:80: connect: connection refused');
});
