// The server's side against clients written here: a WebSocket client (ws), and the SPDY client that talks to runtimes. Processes
// of this machine stand for the commands.
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { type RawData, WebSocket } from 'ws';
import { FakeClock, settle, systemClock } from '../base/index.ts';
import {
  exitStatus,
  failureStatus,
  type RemoteStreamOptions,
  type RemoteStreams,
  successStatus,
  type TerminalSize,
} from './remote-command.ts';
import { openRemoteProcess } from './remote-command-client.ts';
import { LocalCommands } from './remote-command-local.ts';
import { acceptRemoteCommand } from './remote-command-server.ts';

const all: RemoteStreamOptions = { stdin: true, stdout: true, stderr: true, tty: false };
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** A server that accepts every upgrade and hands out what it became. */
async function serve(options: RemoteStreamOptions, clock = systemClock) {
  const accepted: (RemoteStreams | undefined)[] = [];
  const server: Server = createServer();
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    void acceptRemoteCommand({ request, socket, head }, options, clock).then((one) => accepted.push(one));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => {
    for (const one of accepted) one?.destroy();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  const next = async (): Promise<RemoteStreams> => {
    await expect.poll(() => accepted.length).toBeGreaterThan(0);
    return accepted.shift()!;
  };
  return { port, next, accepted };
}

interface Message {
  readonly channel: number;
  readonly text: string;
}

function dial(port: number, protocols: string[]) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, protocols);
  open.push(() => socket.terminate());
  const messages: Message[] = [];
  let pings = 0;
  let code = 0;
  socket.on('error', () => {});
  socket.on('ping', () => pings++);
  socket.on('message', (data: RawData, binary: boolean) => {
    const bytes = data as Buffer;
    messages.push(
      binary
        ? { channel: bytes[0]!, text: bytes.toString('utf8', 1) }
        : {
            channel: bytes[0]! - 0x30,
            text: Buffer.from(bytes.toString('latin1', 1), 'base64').toString('utf8'),
          },
    );
  });
  const closed = new Promise<number>((resolve) => socket.once('close', (given) => resolve((code = given))));
  return {
    socket,
    messages,
    closed,
    opened: new Promise((resolve) => socket.once('open', resolve)),
    textOf: (channel: number) =>
      messages
        .filter((one) => one.channel === channel)
        .map((one) => one.text)
        .join(''),
    get pings() {
      return pings;
    },
    get code() {
      return code;
    },
  };
}

function whole(stream: Readable): Promise<string> {
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk));
  return new Promise((resolve) => stream.once('end', () => resolve(text)));
}

const frame = (channel: number, data: string | Buffer) =>
  Buffer.concat([Buffer.from([channel]), Buffer.from(data)]);

describe('over WebSocket', () => {
  test('v5: channels, closing of stdin, status, close', async () => {
    const { port, next } = await serve(all);
    const client = dial(port, ['v5.channel.k8s.io', 'v4.channel.k8s.io']);
    const streams = await next();
    await client.opened;
    expect(client.socket.protocol).toBe('v5.channel.k8s.io');
    const input = whole(streams.stdin!);
    client.socket.send(frame(0, 'one '));
    client.socket.send(frame(0, ''));
    client.socket.send(frame(9, 'unknown'));
    client.socket.send(frame(0, 'two'));
    client.socket.send(Buffer.from([255, 0]));
    client.socket.send(Buffer.from([255, 7]));
    expect(await input).toBe('one two');
    streams.stdout!.write('out');
    streams.stderr!.write('err');
    await streams.finish(exitStatus(3));
    expect(await client.closed).toBe(1000);
    expect(client.textOf(1)).toBe('out');
    expect(client.textOf(2)).toBe('err');
    expect(JSON.parse(client.textOf(3))).toEqual({
      metadata: {},
      status: 'Failure',
      message: 'command terminated with non-zero exit code: exit status 3',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
    expect(client.messages.at(-1)!.channel).toBe(3);
  });

  test.each([
    ['v4.base64.channel.k8s.io', '{"metadata":{},"status":"Success"}'],
    ['v4.channel.k8s.io', '{"metadata":{},"status":"Success"}'],
    ['channel.k8s.io', ''],
    ['base64.channel.k8s.io', ''],
    ['', ''],
  ])('protocol %j', async (protocol, status) => {
    const { port, next } = await serve(all);
    const client = dial(port, protocol === '' ? [] : [protocol]);
    const streams = await next();
    const base64 = protocol.includes('base64');
    await client.opened;
    client.socket.send(base64 ? `0${Buffer.from('ünï').toString('base64')}` : frame(0, 'ünï'));
    const got = await new Promise<Buffer>((resolve) => streams.stdin!.once('data', resolve));
    expect(String(got)).toBe('ünï');
    // The sign that the session stands.
    await expect.poll(() => client.messages).toEqual([{ channel: 1, text: '' }]);
    streams.stdout!.write(Buffer.from('größe'));
    await streams.finish(successStatus);
    expect(client.textOf(1)).toBe('größe');
    expect(client.textOf(3)).toBe(status);
  });

  test('without status objects a failure is told in words', async () => {
    const { port, next } = await serve(all);
    const client = dial(port, ['channel.k8s.io']);
    const streams = await next();
    await streams.finish(failureStatus('boom'));
    expect(client.textOf(3)).toBe('Internal error occurred: boom');
  });

  test('a protocol that nobody speaks is refused with the ones that are', async () => {
    const { port, accepted } = await serve(all);
    const client = new WebSocket(`ws://127.0.0.1:${port}/`, ['v9.channel.k8s.io']);
    const answer = await new Promise<IncomingMessage>((resolve) =>
      client.once('unexpected-response', (_, response) => resolve(response)),
    );
    expect(answer.statusCode).toBe(403);
    expect(await whole(answer)).toContain(
      'client supports [v9.channel.k8s.io], server accepts [v5.channel.k8s.io',
    );
    expect(accepted).toEqual([undefined]);
  });

  test('sizes of the terminal, also those that came early', async () => {
    const { port, next } = await serve({ stdin: true, stdout: true, stderr: true, tty: true });
    const client = dial(port, ['v5.channel.k8s.io']);
    await client.opened;
    const streams = await next();
    expect(streams.stderr).toBeUndefined();
    client.socket.send(frame(4, '{"Width":80,"Height":24}'));
    client.socket.send(frame(0, 'x'));
    await new Promise((resolve) => streams.stdin!.once('data', resolve));
    const sizes: TerminalSize[] = [];
    streams.onResize((size) => sizes.push(size));
    client.socket.send(frame(4, '{"Width":100,"Height":30}'));
    await expect
      .poll(() => sizes)
      .toEqual([
        { width: 80, height: 24 },
        { width: 100, height: 30 },
      ]);
  });

  test('a client that vanishes ends the streams', async () => {
    const { port, next } = await serve(all);
    const client = dial(port, ['v5.channel.k8s.io']);
    const streams = await next();
    await client.opened;
    client.socket.send(frame(0, 'x'));
    await expect.poll(() => streams.stdin!.readableLength).toBe(1);
    client.socket.terminate();
    await streams.closed;
    expect(await whole(streams.stdin!)).toBe('x');
    const failed = new Promise((resolve) => streams.stdout!.once('error', resolve));
    streams.stdout!.write('late');
    expect(await failed).toBeInstanceOf(Error);
    await streams.finish(successStatus);
  });

  test('input that nobody takes is left at the client', async () => {
    const { port, next } = await serve(all);
    const client = dial(port, ['v5.channel.k8s.io']);
    const streams = await next();
    await client.opened;
    const chunk = frame(0, Buffer.alloc(100_000));
    const total = 400;
    for (let i = 0; i < total; i++) client.socket.send(chunk);
    await new Promise((resolve) => setTimeout(resolve, 200));
    // What the kernel takes differs; a part of 40 MB stays.
    expect(client.socket.bufferedAmount).toBeGreaterThan(10_000_000);
    expect(streams.stdin!.readableLength).toBeLessThan(1_000_000);
    let got = 0;
    streams.stdin!.on('data', (data: Buffer) => (got += data.length));
    await expect.poll(() => got).toBe(total * 100_000);
    client.socket.send(Buffer.from([255, 0]));
    await new Promise((resolve) => streams.stdin!.once('end', resolve));
  });

  test('is pinged now and then, and cut when it does not close', async () => {
    const clock = new FakeClock();
    const { port, next } = await serve(all, clock);
    const client = dial(port, ['v5.channel.k8s.io']);
    const streams = await next();
    await client.opened;
    await clock.advance(30_000);
    await expect.poll(() => client.pings).toBe(1);
    await clock.advance(30_000);
    await expect.poll(() => client.pings).toBe(2);
    // A client that reads no more does not answer the close.
    client.socket.pause();
    let ended = false;
    const finished = streams.finish(successStatus).then(() => (ended = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(ended).toBe(false);
    await clock.advance(5_000);
    await finished;
    await settle();
  });
});

describe('over SPDY', () => {
  async function local(clock = systemClock): Promise<LocalCommands> {
    const commands = new LocalCommands(clock);
    await commands.listen();
    open.push(() => commands.close());
    return commands;
  }

  test('input, output, errors, exit code', async () => {
    const commands = await local();
    const url = await commands.exec({ ...all, command: ['sh', '-c', 'cat; echo err >&2; exit 9'] });
    const process = await openRemoteProcess(url, all, systemClock);
    process.stdin!.end('in');
    expect(await Promise.all([whole(process.stdout!), whole(process.stderr!)])).toEqual(['in', 'err\n']);
    expect(await process.status).toEqual(exitStatus(9));
    await expect(openRemoteProcess(url, all, systemClock)).rejects.toThrow(
      'refused to stream: 404 404 page not found',
    );
  });

  test('a terminal has sizes and no stderr', async () => {
    const commands = await local();
    const options = { stdin: true, stdout: true, stderr: false, tty: true };
    const url = await commands.exec({ ...options, command: ['cat'] });
    const process = await openRemoteProcess(url, options, systemClock);
    expect(process.stderr).toBeUndefined();
    process.resize({ width: 80, height: 24 });
    process.resize({ width: 81, height: 25 });
    await expect
      .poll(() => commands.sizes)
      .toEqual([
        { width: 80, height: 24 },
        { width: 81, height: 25 },
      ]);
    process.stdin!.end();
    process.stdout!.resume();
    expect(await process.status).toEqual(successStatus);
  });

  test('a server that vanishes leaves no status', async () => {
    const commands = await local();
    const url = await commands.exec({ ...all, command: ['cat'] });
    const process = await openRemoteProcess(url, all, systemClock);
    process.stdout!.resume();
    process.stderr!.resume();
    await commands.close();
    open.pop();
    expect(await process.status).toBeUndefined();
  });

  test('a client that vanishes ends the input', async () => {
    const commands = await local();
    const process = await openRemoteProcess(
      await commands.exec({ ...all, command: ['cat'] }),
      all,
      systemClock,
    );
    process.destroy();
    await expect.poll(() => commands.ended).toBe(1);
  });

  test('a server that is not there, and one that does not answer', async () => {
    const clock = new FakeClock();
    const silent = createServer();
    const sockets: { destroy(): void }[] = [];
    silent.on('upgrade', (_, socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const asked = openRemoteProcess(`http://127.0.0.1:${port}/exec/1`, all, clock);
    const failed = expect(asked).rejects.toThrow('no answer within 30 s');
    await clock.advance(30_000);
    await failed;
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
    await expect(openRemoteProcess(`http://127.0.0.1:${port}/exec/1`, all, clock)).rejects.toThrow(
      'ECONNREFUSED',
    );
    await expect(openRemoteProcess('https://127.0.0.1/exec/1', all, clock)).rejects.toThrow('only http://');
  });

  test('a client that does not open its streams is cut', async () => {
    const clock = new FakeClock();
    const { port, accepted } = await serve(all, clock);
    const headers = {
      connection: 'Upgrade',
      upgrade: 'SPDY/3.1',
      'x-stream-protocol-version': 'v5.channel.k8s.io, v4.channel.k8s.io',
    };
    const request = httpRequest({ host: '127.0.0.1', port, method: 'POST', headers });
    request.end();
    const [answer, socket] = await new Promise<[IncomingMessage, NodeJS.WritableStream & Readable]>(
      (resolve) => request.once('upgrade', (response, raw) => resolve([response, raw as never])),
    );
    expect(answer.headers['x-stream-protocol-version']).toBe('v4.channel.k8s.io');
    socket.resume();
    await clock.advance(30_000);
    await expect.poll(() => accepted).toEqual([undefined]);
    socket.end();
  });
});
