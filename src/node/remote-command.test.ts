// The node's side of exec between a SPDY client and the fake of a runtime's streaming server.
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { type Clock, FakeClock, silentLog, systemClock } from '../base/index.ts';
import { LocalCommands, openRemoteProcess, type RemoteStreamOptions } from '../http/index.ts';
import { RuntimeError } from '../os/index.ts';
import { handleExec, parseExecQuery, parseStreamQuery, type RemoteCommandTarget } from './remote-command.ts';

const all: RemoteStreamOptions = { stdin: true, stdout: true, stderr: true, tty: false };
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function whole(stream: Readable): Promise<string> {
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk));
  return new Promise((resolve) => stream.once('end', () => resolve(text)));
}

/** A node on which one command can be run. */
async function node(given: Partial<RemoteCommandTarget> & Pick<RemoteCommandTarget, 'command'>) {
  const commands = new LocalCommands(systemClock);
  await commands.listen();
  open.push(() => commands.close());
  let handled = 0;
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    const target = {
      containerId: 'c1',
      streams: all,
      runtime: commands,
      clock: systemClock as Clock,
      log: silentLog,
      ...given,
    };
    void handleExec({ request, socket, head }, target).then(() => handled++);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => new Promise((resolve) => server.close(resolve)));
  return {
    commands,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/exec`,
    get handled() {
      return handled;
    },
  };
}

describe('exec', () => {
  test('joins client and process', async () => {
    const at = await node({ command: ['sh', '-c', 'cat; echo err >&2; exit 4'] });
    const process = await openRemoteProcess(at.url, all, systemClock);
    process.stdin!.end('in');
    expect(await Promise.all([whole(process.stdout!), whole(process.stderr!)])).toEqual(['in', 'err\n']);
    expect(await process.status).toMatchObject({
      details: { causes: [{ reason: 'ExitCode', message: '4' }] },
    });
    process.destroy();
    await expect.poll(() => at.handled).toBe(1);
  });

  test('passes the size of the terminal on', async () => {
    const streams = { stdin: true, stdout: true, stderr: false, tty: true };
    const at = await node({ command: ['cat'], streams });
    const process = await openRemoteProcess(at.url, streams, systemClock);
    process.resize({ width: 132, height: 43 });
    await expect.poll(() => at.commands.sizes).toEqual([{ width: 132, height: 43 }]);
    process.stdin!.end();
    process.stdout!.resume();
    expect(await process.status).toMatchObject({ status: 'Success' });
    process.destroy();
    await expect.poll(() => at.handled).toBe(1);
  });

  test('when the client vanishes the process sees the end of its input', async () => {
    const at = await node({ command: ['cat'] });
    const process = await openRemoteProcess(at.url, all, systemClock);
    process.destroy();
    await expect.poll(() => [at.commands.ended, at.handled]).toEqual([1, 1]);
  });

  test('when the runtime vanishes the client is told', async () => {
    const at = await node({ command: ['cat'] });
    const process = await openRemoteProcess(at.url, all, systemClock);
    process.stdout!.resume();
    process.stderr!.resume();
    process.stdin!.write('x');
    await new Promise((resolve) => process.stdout!.once('data', resolve));
    await at.commands.close();
    open.shift();
    expect(await process.status).toMatchObject({
      status: 'Failure',
      message: 'Internal error occurred: the connection to the container runtime was lost',
    });
    process.destroy();
  });

  test('when the node stops its sessions are cut', async () => {
    const stop = new AbortController();
    const at = await node({ command: ['cat'], signal: stop.signal });
    const process = await openRemoteProcess(at.url, all, systemClock);
    process.stdin!.write('x');
    await new Promise((resolve) => process.stdout!.once('data', resolve));
    stop.abort();
    expect(await process.status).toBeUndefined();
    await expect.poll(() => [at.commands.ended, at.handled]).toEqual([1, 1]);
    const late = await refused(at);
    expect(late).toContain('HOST');
    await expect.poll(() => at.handled).toBe(2);
  });

  const refused = async (at: { url: string }) =>
    openRemoteProcess(at.url, all, systemClock).then(
      () => 'accepted',
      (error: Error) => error.message.replace(/127\.0\.0\.1:\d+/g, 'HOST'),
    );

  test.each([
    ['failed', 'HOST refused to stream: 500 container is in CONTAINER_EXITED state'],
    ['notFound', 'HOST refused to stream: 404 container is in CONTAINER_EXITED state'],
    ['unavailable', 'HOST refused to stream: 503 container is in CONTAINER_EXITED state'],
  ] as const)('what the runtime refuses (%s) is a plain answer', async (code, message) => {
    const exec = () => Promise.reject(new RuntimeError(code, 'container is in CONTAINER_EXITED state'));
    expect(await refused(await node({ command: ['true'], runtime: { exec } }))).toBe(message);
  });

  test('a streaming server that is not there', async () => {
    const exec = () => Promise.resolve('http://127.0.0.1:1/exec/x');
    expect(await refused(await node({ command: ['true'], runtime: { exec } }))).toContain(
      '500 HOST: connect ECONNREFUSED',
    );
  });

  test('nothing is started for a client whose protocol is not spoken', async () => {
    let asked = 0;
    const exec = () => {
      asked++;
      return Promise.reject(new Error('never'));
    };
    const at = await node({ command: ['true'], runtime: { exec }, clock: new FakeClock() });
    const headers = {
      connection: 'Upgrade',
      upgrade: 'SPDY/3.1',
      'x-stream-protocol-version': 'v1.channel.k8s.io',
    };
    const status = await new Promise((resolve) => {
      const request = httpRequest(at.url, { method: 'POST', headers, agent: false });
      request.once('response', (answer) => {
        answer.resume();
        resolve([answer.statusCode, answer.headers['x-accepted-stream-protocol-versions']]);
      });
      request.end();
    });
    expect(status).toEqual([403, 'v4.channel.k8s.io']);
    expect(asked).toBe(0);
  });
});

describe('the query', () => {
  test.each([
    ['command=ls&command=-l&output=1&error=1', { command: ['ls', '-l'], streams: { ...all, stdin: false } }],
    [
      'command=sh&input=1&output=true&error=1&tty=1',
      { command: ['sh'], streams: { stdin: true, stdout: true, stderr: false, tty: true } },
    ],
    ['output=1', 'you must specify at least 1 command for exec'],
    ['command=ls&input=0', 'you must specify at least 1 of stdin, stdout, stderr'],
    ['command=ls&error=1&tty=1', 'you must specify at least 1 of stdin, stdout, stderr'],
  ])('%s', (query, expected) => {
    expect(parseExecQuery(new URLSearchParams(query))).toEqual(expected);
  });
  test('of attach has no command', () => {
    expect(parseStreamQuery(new URLSearchParams('input=1'))).toMatchObject({ stdin: true, stdout: false });
  });
});
