// The server's side against our own SPDY client: over TCP as it is, and inside the WebSocket of the ws library.
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Duplex, type Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Clock, FakeClock, settle, systemClock } from '../base/index.ts';
import type { ForwardEnd, ForwardPair } from './port-forward-pairs.ts';
import { acceptPortForward, type PortForwardSession } from './port-forward-server.ts';
import { SpdySession } from './spdy-session.ts';
import { connectSpdy } from './spdy-upgrade.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** Accepts every upgrade; `onPair` stands for the pod. */
async function serve(onPair: (pair: ForwardPair) => void, clock: Clock = systemClock) {
  const sessions: (PortForwardSession | undefined)[] = [];
  const sockets: Socket[] = [];
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    sockets.push((socket as Socket).on('error', () => {}));
    void acceptPortForward({ request, socket, head }, { clock, onPair }).then((one) => sessions.push(one));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => {
    for (const one of sessions) one?.destroy();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, sessions, sockets };
}

const echo = ({ data, error }: ForwardPair) => {
  error.resume();
  data.pipe(data);
  data.once('end', () => error.end());
};

const upgraded = (port: number, method: string, headers: Record<string, string>) =>
  new Promise<{ answer: IncomingMessage; socket?: Duplex }>((resolve) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, headers });
    request.on('upgrade', (answer, socket) => resolve({ answer, socket }));
    request.on('response', (answer) => resolve({ answer }));
    request.end();
  });

async function overSpdy(port: number): Promise<SpdySession> {
  const url = `http://127.0.0.1:${port}/`;
  const target = { url, protocols: ['portforward.k8s.io'], timeoutMs: 60_000, clock: systemClock };
  const { session } = await connectSpdy(target);
  open.push(() => session.destroy());
  return session;
}

/** As kubectl does it: ws will not offer the name, so the frames are made here. Messages are masked with zeros. */
async function overWebSocket(port: number): Promise<SpdySession> {
  const { answer, socket } = await upgraded(port, 'GET', {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.alloc(16, 7).toString('base64'),
    'sec-websocket-protocol': 'SPDY/3.1+portforward.k8s.io',
  });
  expect(answer.headers['sec-websocket-protocol']).toBe('SPDY/3.1+portforward.k8s.io');
  const raw = socket!;
  let rest = Buffer.alloc(0);
  const inner: Duplex = new Duplex({
    read: () => raw.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      const head = Buffer.alloc(14);
      head.writeUInt16BE(0x82ff);
      head.writeUInt32BE(chunk.length, 6);
      raw.write(Buffer.concat([head, chunk]), done);
    },
    destroy: (error, done) => {
      raw.destroy();
      done(error);
    },
  });
  raw.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 2) {
      const short = rest[1]! & 0x7f;
      const at = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (rest.length < at) return;
      const length = short === 127 ? rest.readUInt32BE(6) : short === 126 ? rest.readUInt16BE(2) : short;
      if (rest.length < at + length) return;
      if (rest[0] === 0x82 && !inner.push(rest.subarray(at, at + length))) raw.pause();
      rest = rest.subarray(at + length);
    }
  });
  raw.on('close', () => inner.push(null));
  const session = new SpdySession({ role: 'client', socket: inner });
  open.push(() => session.destroy());
  return session;
}

function whole(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => stream.once('end', () => resolve(Buffer.concat(chunks))));
}

let nextRequest = 0;
async function openPair(session: SpdySession, port: string) {
  const requestid = String(nextRequest++);
  const headers = (streamtype: string) => new Map(Object.entries({ streamtype, port, requestid }));
  const error = await session.openStream(headers('error'));
  error.end();
  return { error, data: await session.openStream(headers('data')) };
}

describe.each([
  ['SPDY', overSpdy],
  ['SPDY inside a WebSocket', overWebSocket],
])('%s', (_, dial) => {
  test('data both ways, with half-close', async () => {
    const { port } = await serve(echo);
    const { data, error } = await openPair(await dial(port), '80');
    data.end('question');
    expect(String(await whole(data))).toBe('question');
    expect(String(await whole(error))).toBe('');
  });

  test('a hundred connections at once, each with its own bytes', async () => {
    const ports: number[] = [];
    const { port } = await serve((pair) => {
      ports.push(pair.port);
      echo(pair);
    });
    const session = await dial(port);
    const one = async (i: number) => {
      const { data } = await openPair(session, String(1000 + i));
      data.end(`${i}:`.repeat(5000));
      expect(String(await whole(data))).toBe(`${i}:`.repeat(5000));
    };
    await Promise.all(Array.from({ length: 100 }, (_, i) => one(i)));
    expect(ports.sort()).toEqual(Array.from({ length: 100 }, (_, i) => 1000 + i));
  });

  test('20 MB that wait for a slow reader do not pile up', async () => {
    let pod: ForwardEnd | undefined;
    const { port } = await serve((pair) => (pod = pair.data));
    const { data } = await openPair(await dial(port), '80');
    const bytes = Buffer.alloc(20 << 20, 'x');
    data.end(bytes);
    await expect.poll(() => pod?.readableLength).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(pod!.readableLength).toBeLessThan(1 << 20);
    expect((await whole(pod!)).equals(bytes)).toBe(true);
  });

  test('a client that vanishes ends every stream, which is told at once', async () => {
    const pods: ForwardEnd[] = [];
    const { port, sessions } = await serve((pair) => pods.push(pair.data));
    const session = await dial(port);
    await openPair(session, '80');
    await expect.poll(() => pods.length).toBe(1);
    const cut = new Promise<void>((resolve) => pods[0]!.once('cut', resolve));
    session.destroy();
    await cut;
    expect(pods[0]!.endedBy).toBe('lost');
    await sessions[0]!.closed;
  });

  test('a stream that says nothing of its port is refused', async () => {
    const { port } = await serve(echo);
    const session = await dial(port);
    await expect(session.openStream(new Map([['streamtype', 'data']]))).rejects.toThrow('refused');
  });

  test('without any frame it ends after four hours; the client’s pings keep it', async () => {
    const clock = new FakeClock();
    const { port, sessions, sockets } = await serve(echo, clock);
    const session = await dial(port);
    await expect.poll(() => sessions.length).toBe(1);
    let ended = false;
    void sessions[0]!.closed.then(() => (ended = true));
    /** The answers to the server's pings have all come, and nothing does any more. */
    const quiet = async () => {
      let heard = 0;
      let looks = 0;
      const look = () => {
        looks = sockets[0]!.bytesRead === heard ? looks + 1 : 0;
        heard = sockets[0]!.bytesRead;
        return looks;
      };
      await expect.poll(look, { interval: 20 }).toBeGreaterThan(10);
      return heard;
    };
    await clock.advance(3 * 3600_000);
    const before = await quiet();
    session.ping();
    await expect.poll(() => sockets[0]!.bytesRead).toBeGreaterThan(before);
    await clock.advance(3 * 3600_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(ended).toBe(false);
    await clock.advance(2 * 3600_000);
    await sessions[0]!.closed;
    await settle();
  });
});

describe('channels of a WebSocket', () => {
  const dial = (port: number, query: string, protocols: string[]) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/?${query}`, protocols);
    open.push(() => socket.terminate());
    const channels = new Map<number, string>();
    socket.on('error', () => {});
    socket.on('message', (data: Buffer, binary: boolean) => {
      const channel = binary ? data[0]! : data[0]! - 0x30;
      const bytes = binary ? data.subarray(1) : Buffer.from(data.toString('latin1', 1), 'base64');
      channels.set(channel, (channels.get(channel) ?? '') + bytes.toString('latin1'));
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    return { socket, channels, closed, opened: new Promise((resolve) => socket.once('open', resolve)) };
  };
  const answerOnce = ({ port, data, error }: ForwardPair) => {
    error.resume();
    if (port === 81) {
      error.end('refused');
      data.resume().end();
      return;
    }
    data.once('data', (chunk: Buffer) => {
      data.end(`${chunk}!`);
      error.end();
    });
  };

  test.each([
    ['v4.channel.k8s.io', (text: string) => Buffer.from(`\0${text}`)],
    ['v4.base64.channel.k8s.io', (text: string) => `0${Buffer.from(text).toString('base64')}`],
    ['', (text: string) => Buffer.from(`\0${text}`)],
  ])('%j: a pair a port, each begins with its port, and the end of all is the end', async (name, message) => {
    const { port, sessions } = await serve(answerOnce);
    const client = dial(port, 'ports=8080&ports=81', name === '' ? [] : ['v5.channel.k8s.io', name]);
    await client.opened;
    expect(client.socket.protocol).toBe(name);
    client.socket.send(message('hello'));
    await client.closed;
    expect([...client.channels].sort(([a], [b]) => a - b)).toEqual([
      [0, '\x90\x1fhello!'],
      [1, '\x90\x1f'],
      [2, 'Q\0'],
      [3, 'Q\0refused'],
    ]);
    await sessions[0]!.closed;
  });

  test('a client that vanishes cuts them', async () => {
    const pods: ForwardEnd[] = [];
    const { port } = await serve(({ data }) => pods.push(data));
    const client = dial(port, 'ports=80', ['v4.channel.k8s.io']);
    await client.opened;
    const cut = new Promise((resolve) => pods[0]!.once('cut', resolve));
    client.socket.terminate();
    await cut;
    expect(pods[0]!.endedBy).toBe('lost');
  });

  test.each([
    ['', 'query parameter "ports" is required'],
    ['ports=', 'query parameter "ports" cannot be empty'],
    ['ports=80,http', 'unable to parse "80,http" as a port'],
    [
      `ports=${Array.from({ length: 128 }, (_, i) => i + 1)}`,
      'at most 127 ports can be forwarded over one WebSocket',
    ],
  ])('%.20s is refused', async (query, message) => {
    const { port } = await serve(echo);
    const client = dial(port, query, ['v4.channel.k8s.io']);
    const answer = await new Promise<IncomingMessage>((resolve) =>
      client.socket.once('unexpected-response', (_, response) => resolve(response)),
    );
    expect([answer.statusCode, String(await whole(answer)).trim()]).toEqual([400, message]);
  });
});

describe('refusals', () => {
  test.each([
    [
      'another protocol',
      'POST',
      { upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'v4.channel.k8s.io' },
      403,
    ],
    ['no protocol', 'POST', { upgrade: 'SPDY/3.1' }, 400],
    ['another upgrade', 'GET', { upgrade: 'h2c' }, 400],
    [
      'a WebSocket with another protocol',
      'GET',
      { upgrade: 'websocket', 'sec-websocket-protocol': 'SPDY/3.1+v9.example.com' },
      403,
    ],
  ])('%s', async (_, method, headers, status) => {
    const { port, sessions } = await serve(echo);
    const { answer } = await upgraded(port, method, { connection: 'Upgrade', ...headers } as never);
    expect(answer.statusCode).toBe(status);
    expect(String(await whole(answer))).toMatch(/^unable to upgrade: /);
    expect(sessions).toEqual([undefined]);
  });

  test('text in the tunnel ends it', async () => {
    const { port, sessions } = await serve(echo);
    const socket = connect({ host: '127.0.0.1', port });
    open.push(() => socket.destroy());
    socket.write(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: BwcHBwcHBwcHBwcHBwcHBw==\r\nSec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n\r\n',
    );
    await expect.poll(() => sessions.length).toBe(1);
    socket.resume().write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x41]));
    await sessions[0]!.closed;
  });
});
