// The server and the client against each other, and against node's own HTTP/2 client, over real sockets of the loopback.
import * as http2 from 'node:http2';
import type * as net from 'node:net';
import * as tls from 'node:tls';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { silentLog, systemClock } from '../base/index.ts';
import { readBody } from './body.ts';
import { connectionOf } from './connection.ts';
import type { HttpRequest, HttpResponse } from './exchange.ts';
import {
  ConnectionError,
  createHttpsClient,
  type HttpsClient,
  type HttpsClientOptions,
} from './https-client.ts';
import { createCa, issueCertificate, type KeyPairPem } from './pki.ts';
import { type HttpsServer, type HttpsServerOptions, ListenError, startHttpsServer } from './server.ts';

const nowMs = Date.now();
let ca: KeyPairPem;
let serving: KeyPairPem;
let user: KeyPairPem;
let stranger: KeyPairPem;

beforeAll(async () => {
  ca = await createCa({ commonName: 'test-ca', days: 10, nowMs });
  const otherCa = await createCa({ commonName: 'test-ca', days: 10, nowMs });
  serving = await issueCertificate(
    ca,
    { commonName: 'server', dnsNames: ['localhost'], ips: ['127.0.0.1'], usage: 'server', days: 1 },
    nowMs,
  );
  const person = {
    commonName: 'zoë',
    organizations: ['dev', 'ops, "night"'],
    usage: 'client',
    days: 1,
  } as const;
  user = await issueCertificate(ca, person, nowMs);
  stranger = await issueCertificate(otherCa, person, nowMs);
});

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

type Given = Partial<HttpsServerOptions>;
async function serve(onRequest: HttpsServerOptions['onRequest'], given: Given = {}): Promise<HttpsServer> {
  const server = await startHttpsServer({
    host: '127.0.0.1',
    port: 0,
    ...serving,
    clientCa: ca.cert,
    onRequest,
    clock: systemClock,
    log: silentLog,
    ...given,
  });
  open.push({ close: () => server.close(0) });
  return server;
}

function clientOf(port: number, given: Partial<HttpsClientOptions> = {}): HttpsClient {
  const client = createHttpsClient({
    server: `https://127.0.0.1:${port}`,
    ca: ca.cert,
    userAgent: 'test',
    timeoutMs: 60_000,
    clock: systemClock,
    ...given,
  });
  open.push(client);
  return client;
}

function overHttp2(port: number, pair?: KeyPairPem): http2.ClientHttp2Session {
  const session = http2.connect(`https://127.0.0.1:${port}`, { ca: ca.cert, ...pair });
  session.on('error', () => {});
  open.push({ close: () => session.destroy() });
  return session;
}

async function ask(
  session: http2.ClientHttp2Session,
  headers: object,
  body?: Buffer,
): Promise<[number, string]> {
  const stream = session.request({ ':path': '/', ...headers });
  stream.end(body);
  let status = 0;
  stream.on('response', (h) => {
    status = h[':status'] ?? 0;
  });
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return [status, text];
}

const whoAmI = (request: HttpRequest, response: HttpResponse): void => {
  const { peer, peerError } = connectionOf(request);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify({
      protocol: request.httpVersionMajor,
      name: peer?.commonName,
      groups: peer?.organizations,
      error: peerError,
    }),
  );
};

describe('one port', () => {
  test('speaks HTTP/1.1 and HTTP/2, and knows who showed a certificate', async () => {
    const { port } = await serve(whoAmI);
    const who = { name: 'zoë', groups: ['dev', 'ops, "night"'] };
    const one = clientOf(port, user);
    const call = { method: 'GET', path: '/' };
    expect(JSON.parse(String((await one.request(call)).body))).toEqual({ protocol: 1, ...who });
    // Once more over the same connection, and over a new one that resumes the TLS session.
    expect(JSON.parse(String((await one.request(call)).body))).toEqual({ protocol: 1, ...who });
    const both = await Promise.all([one.request(call), one.request(call), one.request(call)]);
    for (const answer of both) expect(JSON.parse(String(answer.body))).toEqual({ protocol: 1, ...who });
    expect(JSON.parse((await ask(overHttp2(port, user), {}))[1])).toEqual({ protocol: 2, ...who });
  });

  test('answers those without a certificate, and trusts none of another CA', async () => {
    const { port } = await serve(whoAmI);
    const none = JSON.parse(String((await clientOf(port).request({ method: 'GET', path: '/' })).body));
    expect(none).toEqual({ protocol: 1 });
    const foreign = JSON.parse((await ask(overHttp2(port, stranger), {}))[1]);
    expect(foreign).toEqual({ protocol: 2, error: expect.any(String) });
  });

  test('refuses TLS 1.1', async () => {
    const { port } = await serve(whoAmI);
    const failed = await new Promise<Error>((resolve) => {
      const socket = tls.connect({
        port,
        host: '127.0.0.1',
        ca: ca.cert,
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
      });
      socket.on('error', resolve);
    });
    expect(failed.message).toMatch(/protocol|alert|unsupported/i);
  });

  test('uses a new certificate for new connections', async () => {
    const server = await serve(whoAmI);
    const dnsNames = ['renewed.example'];
    const renewed = await issueCertificate(
      ca,
      { commonName: 'server', dnsNames, usage: 'server', days: 1 },
      nowMs,
    );
    server.setCertificate(renewed.cert, renewed.key);
    const client = clientOf(server.port, { ...user, serverName: 'renewed.example' });
    const { body } = await client.request({ method: 'GET', path: '/' });
    expect(JSON.parse(String(body)).name).toBe('zoë');
  });

  test('survives a handler that throws', async () => {
    const { port } = await serve(() => {
      throw new Error('broken');
    });
    expect((await clientOf(port).request({ method: 'GET', path: '/' })).status).toBe(500);
    expect((await ask(overHttp2(port), {}))[0]).toBe(500);
  });
});

describe('bodies', () => {
  const echo = async (request: HttpRequest, response: HttpResponse) => {
    const body = await readBody(request, 1000);
    response.writeHead(body.ok ? 200 : 413);
    response.end(body.ok ? `${body.bytes.length}` : body.why);
  };
  const cases: [string, number, number, string][] = [
    ['none', 0, 200, '0'],
    ['at the limit', 1000, 200, '1000'],
    ['beyond it', 1001, 413, 'tooLarge'],
    ['far beyond it', 3_000_000, 413, 'tooLarge'],
  ];
  test.each(cases)('%s', async (_, size, status, text) => {
    const { port } = await serve((q, r) => void echo(q, r));
    const body = Buffer.alloc(size);
    const answer = await clientOf(port).request({ method: 'POST', path: '/', body });
    expect([answer.status, String(answer.body)]).toEqual([status, text]);
    expect(await ask(overHttp2(port), { ':method': 'POST' }, body)).toEqual([status, text]);
    // The same without a declared length.
    const chunked = await new Promise<string>((resolve, reject) => {
      const socket = tls.connect({ port, host: '127.0.0.1', ca: ca.cert });
      open.push({ close: () => socket.destroy() });
      socket.on('error', reject);
      socket.on('data', (data) => resolve(String(data)));
      socket.write('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
      if (size > 0) socket.write(`${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`);
      socket.write('0\r\n\r\n');
    });
    expect(chunked).toMatch(new RegExp(`^HTTP/1.1 ${status}`));
  });

  test('that break off are told from whole ones', async () => {
    const seen: unknown[] = [];
    let begun = false;
    const { port } = await serve((request) => {
      begun = true;
      void readBody(request, 1000).then((body) => seen.push(body));
    });
    const socket = tls.connect({ port, host: '127.0.0.1', ca: ca.cert });
    socket.on('error', () => {});
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf');
    await expect.poll(() => begun).toBe(true);
    socket.destroy();
    await expect.poll(() => seen).toEqual([{ ok: false, why: 'aborted' }]);
  });
});

describe('upgrades', () => {
  test('hand over the socket', async () => {
    const { port } = await serve(whoAmI, {
      onUpgrade(request, socket) {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
        socket.write(connectionOf(request).peer?.commonName ?? '');
        socket.pipe(socket);
      },
    });
    const client = clientOf(port, user);
    const headers = { connection: 'upgrade', upgrade: 'echo' };
    const answer = await client.upgrade({ method: 'GET', path: '/', headers });
    if (!('socket' in answer)) throw new Error('not upgraded');
    answer.socket.write('!');
    let text = String(answer.head);
    for await (const chunk of answer.socket) {
      text += String(chunk);
      if (text.endsWith('!')) break;
    }
    expect(text).toBe('zoë!');
  });

  test('can be refused like any request', async () => {
    const { port } = await serve(whoAmI);
    const headers = { connection: 'upgrade', upgrade: 'echo' };
    const answer = await clientOf(port).upgrade({ method: 'GET', path: '/', headers });
    expect('status' in answer && answer.status).toBe(200);
  });
});

describe('close', () => {
  test('lets requests end, then is quick although connections are kept alive', async () => {
    const underWay: HttpResponse[] = [];
    const server = await serve((_, response) => void underWay.push(response));
    const one = clientOf(server.port).request({ method: 'GET', path: '/' });
    const two = ask(overHttp2(server.port), {});
    await expect.poll(() => underWay.length).toBe(2);
    const startMs = performance.now();
    const closed = server.close(600_000);
    for (const response of underWay) response.end('done');
    expect(String((await one).body)).toBe('done');
    expect((await two)[1]).toBe('done');
    await closed;
    expect(performance.now() - startMs).toBeLessThan(60_000);
    const refused = clientOf(server.port).request({ method: 'GET', path: '/' });
    await expect(refused).rejects.toMatchObject({ code: 'refused' });
  });

  test('cuts what outlives the grace', async () => {
    const server = await serve((_, response) => {
      response.write('first');
    });
    const stream = await clientOf(server.port).stream({ method: 'GET', path: '/' });
    const session = overHttp2(server.port);
    const other = ask(session, {}).catch(() => 'cut');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await server.close(50);
    const read = async () => {
      for await (const _ of stream.body);
    };
    await expect(read()).rejects.toThrow();
    await other;
  });
});

describe('a server that cannot start says why', () => {
  const fails = (given: Given) =>
    serve(whoAmI, given).then(
      () => undefined,
      (error: unknown) => error,
    );
  test('busy port', async () => {
    const { port } = await serve(whoAmI);
    const error = await fails({ port });
    expect(error).toBeInstanceOf(ListenError);
    expect(error).toMatchObject({ code: 'portInUse', message: expect.stringContaining(`127.0.0.1:${port}`) });
  });
  test('address of another machine', async () => {
    expect(await fails({ host: '192.0.2.1' })).toMatchObject({
      code: 'noSuchAddress',
      message: 'cannot listen on 192.0.2.1:0: this machine has no address 192.0.2.1',
    });
  });
  test('no port', async () => {
    expect(await fails({ port: 70_000 })).toMatchObject({
      code: 'other',
      message: expect.stringContaining('65535'),
    });
  });
  test('broken certificate', async () => {
    expect(await fails({ cert: 'x' })).toMatchObject({ code: 'badCertificate' });
  });
});

describe('the client', () => {
  const get = { method: 'GET', path: '/' };
  test('says what kept it from an answer', async () => {
    const { port } = await serve((request, response) => {
      if (request.url === '/silent') return;
      response.write('half');
      setTimeout(() => (request as unknown as { socket: net.Socket }).socket.destroy(), 20);
    });
    const code = (client: HttpsClient, path = '/') =>
      client.request({ method: 'GET', path }).then(
        () => 'answered',
        (error: unknown) => (error instanceof ConnectionError ? error.code : error),
      );
    expect(await code(clientOf(1))).toBe('refused');
    expect(await code(clientOf(port, { server: 'https://no-such-host.invalid' }))).toBe('unreachable');
    expect(await code(clientOf(port, { ca: stranger.cert }))).toBe('tls');
    expect(await code(clientOf(port, { serverName: 'other.example' }))).toBe('tls');
    expect(await code(clientOf(port, { timeoutMs: 50 }), '/silent')).toBe('timeout');
    expect(await code(clientOf(port))).toBe('reset');
    const closed = clientOf(port);
    closed.close();
    expect(await code(closed)).toBe('closed');
  });

  test('ends with the signal, before and during an answer', async () => {
    const { port } = await serve((request, response) => {
      if (request.url === '/stream') response.write('x');
    });
    const reason = new Error('enough');
    for (const path of ['/silent', '/stream']) {
      const stop = new AbortController();
      const asked = clientOf(port).request({ ...get, path, signal: stop.signal });
      setTimeout(() => stop.abort(reason), 50);
      await expect(asked).rejects.toBe(reason);
    }
    const stop = new AbortController();
    const { body } = await clientOf(port).stream({ ...get, path: '/stream', signal: stop.signal });
    body.on('error', () => {});
    stop.abort(reason);
    await expect.poll(() => body.destroyed).toBe(true);
  });

  test('shows a new certificate from one call to the next, and what is under way goes on', async () => {
    const next = await issueCertificate(
      ca,
      { commonName: 'zoë again', organizations: ['dev'], usage: 'client', days: 1 },
      nowMs,
    );
    let feed: HttpResponse | undefined;
    const { port } = await serve((request, response) => {
      if (request.url === '/watch') {
        feed = response;
        response.write('one');
      } else whoAmI(request, response);
    });
    const client = clientOf(port, user);
    const name = async () => JSON.parse(String((await client.request(get)).body)).name;
    const { body } = await client.stream({ ...get, path: '/watch' });
    let heard = '';
    body.on('data', (chunk) => {
      heard += String(chunk);
    });
    expect(await name()).toBe('zoë');
    client.setCertificate(next.cert, next.key);
    expect(await name()).toBe('zoë again');
    expect(await name()).toBe('zoë again');
    feed!.end(' two');
    await expect.poll(() => heard).toBe('one two');
  });

  test('sends its token, and repeats a read whose kept connection had died', async () => {
    let count = 0;
    const { port } = await serve((request, response) => {
      count++;
      const { socket } = request as unknown as { socket: net.Socket };
      if (count === 2) socket.destroy();
      else response.end(request.headers.authorization);
    });
    const client = clientOf(port, { token: 'secret' });
    expect(String((await client.request(get)).body)).toBe('Bearer secret');
    expect(String((await client.request(get)).body)).toBe('Bearer secret');
    expect(count).toBe(3);
  });
});
