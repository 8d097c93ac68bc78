// One forwarded connection between a client's streams in memory and a server on this machine's localhost.
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type Duplex, duplexPair, type Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { FakeClock, silentLog, systemClock } from '../base/index.ts';
import { connectSpdy, SpdySession, type SpdyStream } from '../http/index.ts';
import { type LocalDialer, ownDialer } from '../os/index.ts';
import { forward, type PortForwardTarget, servePortForward } from './port-forward.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function pod(onSocket: (socket: Socket) => void, host = '127.0.0.1'): Promise<number> {
  const sockets: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket.on('error', () => {}));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  open.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** The client's ends of a pair whose other ends are forwarded. */
async function client(port: number, dialer: LocalDialer = ownDialer) {
  const [a, b] = duplexPair();
  const far: SpdyStream[] = [];
  const near = new SpdySession({ role: 'client', socket: a });
  const server = new SpdySession({ role: 'server', socket: b, onStream: (one) => far.push(one) > 0 });
  open.push(() => {
    near.destroy();
    server.destroy();
  });
  const data = await near.openStream(new Map([['streamtype', 'data']]));
  const error = await near.openStream(new Map([['streamtype', 'error']]));
  error.end();
  const network = { sandboxId: 'box', name: '/proc/7/ns/net', dialer };
  const done = forward({ port, requestId: '0', data: far[0]!, error: far[1]! }, network, silentLog);
  return { data, error, done, server };
}

function whole(stream: Readable): Promise<string> {
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk));
  return new Promise((resolve) => stream.once('end', () => resolve(text)));
}

const gone = (socket: Socket | undefined) => expect.poll(() => socket?.destroyed).toBe(true);

describe('a forwarded connection', () => {
  test('the client ends first, and the answer comes as late as it likes', async () => {
    let late: Socket | undefined;
    const port = await pod((socket) => (late = socket.resume()));
    const { data, error } = await client(port);
    data.end('question');
    await expect.poll(() => late?.readableEnded).toBe(true);
    late!.end('answer');
    expect(await Promise.all([whole(data), whole(error)])).toEqual(['answer', '']);
    await gone(late);
  });

  test('the pod ends first: both streams end, and what the client still says arrives', async () => {
    let heard: Promise<string> | undefined;
    const port = await pod((socket) => {
      heard = whole(socket);
      socket.end('first');
    });
    const { data, error, done } = await client(port);
    expect(await Promise.all([whole(data), whole(error)])).toEqual(['first', '']);
    await done;
    data.write('still ');
    data.end('here');
    expect(await heard).toBe('still here');
  });

  test('a port on which nobody listens', async () => {
    const { data, error, done } = await client(1);
    data.write('dropped');
    const four = 'dial tcp4 127.0.0.1:1: connect: connection refused';
    const said = await whole(error);
    expect(said.replace(/IPv6 .*/, 'IPv6')).toBe(
      'error forwarding port 1 to pod box, uid : failed to execute portforward in network namespace "/proc/7/ns/net": ' +
        `failed to connect to localhost:1 inside namespace "box", IPv4: ${four} IPv6`,
    );
    expect(said).toMatch(/IPv6 dial tcp6 \[::1\]:1: connect: \w/);
    expect(await whole(data)).toBe('');
    await done;
  });

  test('a dialer that fails says why', async () => {
    const dialer = { dial: () => Promise.reject(new Error('no namespace')), close() {} };
    const { error } = await client(80, dialer);
    expect(await whole(error)).toMatch(/^error forwarding port 80 to pod box, uid : .*": no namespace$/);
  });

  test('a connection that the pod resets', async () => {
    const port = await pod((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const { data, error } = await client(port);
    data.write('x');
    expect(await whole(error)).toMatch(/: read ECONNRESET$/);
    await whole(data);
  });

  test.each(['resets its stream', 'vanishes'])(
    'a client that %s lets go of the pod, though that reads nothing',
    async (how) => {
      let idle: Socket | undefined;
      const port = await pod((socket) => (idle = socket));
      const { data, server } = await client(port);
      data.write(Buffer.alloc(8 << 20));
      await expect.poll(() => idle !== undefined).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (how === 'vanishes') server.destroy();
      else data.destroy();
      idle!.resume();
      await expect.poll(() => idle!.readableEnded || idle!.destroyed).toBe(true);
    },
  );

  test('bytes that the client does not take are left in the pod', async () => {
    let sent = 0;
    const port = await pod((socket) => {
      const more = () => {
        while (sent < 40 << 20) {
          sent += 65536;
          if (!socket.write(Buffer.alloc(65536))) {
            socket.once('drain', more);
            return;
          }
        }
        socket.end();
      };
      more();
    });
    const { data } = await client(port);
    await expect.poll(() => data.readableLength).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 200));
    // What the kernel keeps for a connection differs; a part of 40 MB stays.
    expect(sent).toBeLessThan(30 << 20);
    let got = 0;
    data.on('data', (chunk: Buffer) => (got += chunk.length));
    await new Promise((resolve) => data.once('end', resolve));
    expect(got).toBe(40 << 20);
  });

  test('a server on IPv6 alone', async () => {
    const port = await pod((socket) => socket.end('six'), '::1').catch(() => undefined);
    if (port === undefined) return;
    expect(await whole((await client(port)).data)).toBe('six');
  });
});

describe('a session', () => {
  /** A node whose pod is on its own network. */
  async function node(given: Partial<PortForwardTarget> = {}) {
    const abort = new AbortController();
    const clock = new FakeClock();
    const server = createHttpServer();
    let handled = 0;
    const sockets: Duplex[] = [];
    server.on('upgrade', (request, socket, head) => {
      sockets.push(socket.on('error', () => {}));
      const target: PortForwardTarget = {
        sandboxId: 'box',
        hostNetwork: true,
        runtime: { sandboxPid: async () => undefined },
        clock,
        log: silentLog,
        signal: abort.signal,
        running: () => true,
        ...given,
      };
      void servePortForward({ request, socket, head }, target).then(() => handled++);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(() => {
      abort.abort();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/portForward/default/p`;
    const dial = async () => {
      const protocols = ['portforward.k8s.io'];
      const { session } = await connectSpdy({ url, protocols, timeoutMs: 60_000, clock: systemClock });
      open.push(() => session.destroy());
      return session;
    };
    return {
      abort,
      clock,
      url,
      dial,
      handled: () => handled,
      sockets,
    };
  }

  test('of a sandbox without a process is refused', async () => {
    const { dial, handled } = await node({ hostNetwork: false });
    await expect(dial()).rejects.toThrow('500 sandbox container "box" is not running');
    await expect.poll(handled).toBe(1);
  });

  test('ends soon after its sandbox', async () => {
    let running = true;
    const { clock, dial, handled } = await node({ running: () => running });
    const session = await dial();
    await clock.advance(10_000);
    expect(handled()).toBe(0);
    running = false;
    await clock.advance(2_000);
    await session.closed;
    await expect.poll(handled).toBe(1);
  });

  test('of a sandbox that went while it was set up ends at once', async () => {
    const { dial, handled } = await node({ running: () => false });
    await (await dial()).closed;
    await expect.poll(handled).toBe(1);
  });

  test('is cut when the node stops', async () => {
    const { abort, dial, handled } = await node();
    const session = await dial();
    abort.abort();
    await session.closed;
    await expect.poll(handled).toBe(1);
  });

  test.each(['closes', 'is reset'])(
    'a client that %s while the runtime is asked leaves nothing',
    async (how) => {
      let answer = (_: number | undefined) => {};
      const asked = new Promise<number | undefined>((resolve) => (answer = resolve));
      let asking = false;
      const sandboxPid = () => {
        asking = true;
        return asked;
      };
      const { url, handled, sockets } = await node({ hostNetwork: false, runtime: { sandboxPid } });
      const headers = {
        connection: 'Upgrade',
        upgrade: 'SPDY/3.1',
        'x-stream-protocol-version': 'portforward.k8s.io',
      };
      const request = httpRequest(url, { method: 'POST', headers }).on('error', () => {});
      request.end();
      await expect.poll(() => asking).toBe(true);
      if (how === 'closes') request.destroy();
      else for (const socket of sockets) socket.destroy();
      await new Promise(setImmediate);
      answer(1);
      await expect.poll(handled).toBe(1);
    },
  );
});
