// Accepts a client's upgrade for a remote command, over WebSocket (kubectl since 1.31, browsers, most languages) or SPDY
// (older kubectl, client-go's fallback). Both become the same RemoteStreams.

import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Clock } from '../base/index.ts';
import {
  type RemoteStatus,
  type RemoteStreamOptions,
  type RemoteStreams,
  TerminalSizeReader,
} from './remote-command.ts';
import { chooseProtocol, type Refusal, refuseUpgrade } from './remote-command-refusal.ts';
import type { SpdyStream } from './spdy-session.ts';
import { acceptSpdy, isSpdyUpgrade, spdyProtocolsOf, type Upgrade } from './spdy-upgrade.ts';
import {
  acceptWebSocket,
  type ChannelEncoding,
  isWebSocketUpgrade,
  WebSocketChannels,
  webSocketProtocolsOf,
} from './websocket.ts';

/** For a SPDY client to open the streams that it asked for. */
const streamsTimeoutMs = 30_000;
/** For the other side to close the connection after the status. */
const closeTimeoutMs = 5_000;
/** A client that is gone while nothing is written to it, or read from it, is noticed by this. */
const pingPeriodMs = 30_000;

/** Why this client could not be accepted, found before anything is started for it; undefined = it can. */
export function remoteCommandRefusal({ request }: Upgrade): Refusal | undefined {
  if (isWebSocketUpgrade(request)) {
    const asked = webSocketProtocolsOf(request);
    const choice = asked.length === 0 ? undefined : chooseProtocol(asked, webSocketProtocolNames);
    return choice !== undefined && 'refusal' in choice ? choice.refusal : undefined;
  }
  if (isSpdyUpgrade(request)) {
    const choice = chooseProtocol(spdyProtocolsOf(request), spdyProtocols);
    return 'refusal' in choice ? choice.refusal : undefined;
  }
  const asked = JSON.stringify(request.headers.upgrade ?? '');
  return { status: 400, message: `unable to upgrade: ${asked} is neither websocket nor SPDY/3.1` };
}

/** Resolves to undefined when the client was refused (and told why) or went away. Never rejects. */
export async function acceptRemoteCommand(
  upgrade: Upgrade,
  wanted: RemoteStreamOptions,
  clock: Clock,
): Promise<RemoteStreams | undefined> {
  const options = wanted.tty && wanted.stderr ? { ...wanted, stderr: false } : wanted;
  if (isWebSocketUpgrade(upgrade.request)) return overWebSocket(upgrade, options, clock);
  if (isSpdyUpgrade(upgrade.request)) return overSpdy(upgrade, options, clock);
  refuseUpgrade(upgrade.socket, remoteCommandRefusal(upgrade)!);
  return undefined;
}

// WebSocket

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

interface WebSocketProtocol {
  readonly encoding: ChannelEncoding;
  /** The error channel carries a Status object; without it the message of a failure as text. */
  readonly statusObject: boolean;
  /** Clients wait for a word that the session stands. Those of v5 do not, and kubectl may complain of what comes before its streams do. */
  readonly isGreeted: boolean;
}

/** '' is a client that asks for no protocol. v5 differs from v4 in that the client can close stdin. */
const webSocketProtocols: Readonly<Record<string, WebSocketProtocol>> = {
  'v5.channel.k8s.io': { encoding: 'binary', statusObject: true, isGreeted: false },
  'v4.channel.k8s.io': { encoding: 'binary', statusObject: true, isGreeted: true },
  'v4.base64.channel.k8s.io': { encoding: 'base64', statusObject: true, isGreeted: true },
  'channel.k8s.io': { encoding: 'binary', statusObject: false, isGreeted: true },
  'base64.channel.k8s.io': { encoding: 'base64', statusObject: false, isGreeted: true },
  '': { encoding: 'binary', statusObject: false, isGreeted: true },
};
const webSocketProtocolNames = Object.keys(webSocketProtocols).filter((name) => name !== '');

async function overWebSocket(
  upgrade: Upgrade,
  options: RemoteStreamOptions,
  clock: Clock,
): Promise<RemoteStreams | undefined> {
  const accepted = await acceptWebSocket(upgrade, webSocketProtocolNames);
  if (accepted === undefined) return undefined;
  const { encoding, statusObject, isGreeted } = webSocketProtocols[accepted.protocol]!;
  const connection = new WebSocketChannels(accepted.socket, encoding);
  const sizes = new TerminalSizeReader();
  if (options.tty) connection.reader(channels.resize).on('data', (chunk: Buffer) => sizes.push(chunk));
  const stdin = options.stdin ? connection.reader(channels.stdin) : undefined;
  connection.start();
  const first = options.stdout ? channels.stdout : options.stderr ? channels.stderr : channels.error;
  if (isGreeted) connection.send(first, Buffer.alloc(0));
  return remoteStreams(connection, clock, {
    stdin,
    stdout: options.stdout ? connection.writer(channels.stdout) : undefined,
    stderr: options.stderr ? connection.writer(channels.stderr) : undefined,
    sizes,
    error: connection.writer(channels.error),
    statusObject,
  });
}

// SPDY

const spdyProtocols = ['v4.channel.k8s.io'] as const;

function expectedStreams(options: RemoteStreamOptions): Set<string> {
  const names = new Set(['error']);
  if (options.stdin) names.add('stdin');
  if (options.stdout) names.add('stdout');
  if (options.stderr) names.add('stderr');
  if (options.tty) names.add('resize');
  return names;
}

async function overSpdy(
  upgrade: Upgrade,
  options: RemoteStreamOptions,
  clock: Clock,
): Promise<RemoteStreams | undefined> {
  const missing = expectedStreams(options);
  const streams = new Map<string, SpdyStream>();
  let complete = () => {};
  const all = new Promise<void>((resolve) => (complete = resolve));
  const accepted = acceptSpdy(upgrade, spdyProtocols, (stream) => {
    const type = stream.headers.get('streamtype') ?? '';
    if (!missing.delete(type)) return false;
    streams.set(type, stream);
    if (missing.size === 0) complete();
    return true;
  });
  if (accepted === undefined) return undefined;
  const { session } = accepted;
  const timer = clock.after(streamsTimeoutMs, () => session.destroy());
  await Promise.race([all, session.closed]);
  timer.cancel();
  if (missing.size > 0) return undefined;
  const sizes = new TerminalSizeReader();
  streams.get('resize')?.on('data', (chunk: Buffer) => sizes.push(chunk));
  // Clients send nothing on these; their end must be read all the same.
  for (const name of ['stdout', 'stderr', 'error']) streams.get(name)?.resume();
  return remoteStreams(session, clock, {
    stdin: streams.get('stdin'),
    stdout: streams.get('stdout'),
    stderr: streams.get('stderr'),
    sizes,
    error: streams.get('error')!,
    statusObject: true,
  });
}

// Both

interface Connection {
  readonly closed: Promise<void>;
  ping(): void;
  close(): void;
  destroy(): void;
}

interface Parts extends Pick<RemoteStreams, 'stdin' | 'stdout' | 'stderr'> {
  readonly sizes: TerminalSizeReader;
  readonly error: Writable;
  readonly statusObject: boolean;
}

function remoteStreams(connection: Connection, clock: Clock, parts: Parts): RemoteStreams {
  const { stdin, stdout, stderr, sizes, error, statusObject } = parts;
  const { closed } = connection;
  const ping = () => {
    connection.ping();
    pinger = clock.after(pingPeriodMs, ping);
  };
  let pinger = clock.after(pingPeriodMs, ping);
  void closed.then(() => pinger.cancel());

  const end = async (writer: Writable | undefined, last?: string) => {
    if (writer === undefined || writer.destroyed) return;
    if (last === undefined) writer.end();
    else writer.end(last);
    await finished(writer, { readable: false }).catch(() => {});
  };
  const say = async (status: RemoteStatus) => {
    await Promise.all([end(stdout), end(stderr)]);
    const text = statusObject
      ? JSON.stringify(status)
      : status.status === 'Success'
        ? undefined
        : (status.message ?? '');
    await end(error, text);
    const cutter = clock.after(closeTimeoutMs, () => connection.destroy());
    connection.close();
    await closed;
    cutter.cancel();
  };
  return {
    stdin,
    stdout,
    stderr,
    onResize: (listener) => sizes.onSize(listener),
    // Input that nobody takes any more would keep the other side from seeing the end.
    finish: async (status) => {
      stdin?.resume();
      await Promise.race([say(status), closed]);
    },
    closed,
    destroy: () => connection.destroy(),
  };
}
