// Forwarded ports over a WebSocket in whose messages the first byte names a channel, as client libraries without SPDY ask for them:
// the query names the ports, and the n-th has channel 2n for its data and 2n+1 for its error. Each begins with its port as two
// bytes, the lower first. There is one connection a port and no half-close; when all are over the WebSocket is closed.
import { Duplex, type Readable } from 'node:stream';
import type { Clock } from '../base/index.ts';
import { type ForwardEnd, type ForwardPair, parsePort } from './port-forward-pairs.ts';
import type { StreamEnd } from './spdy-session.ts';
import type { Upgrade } from './spdy-upgrade.ts';
import { acceptWebSocket, type ChannelEncoding, WebSocketChannels } from './websocket.ts';

export const channelProtocols: Readonly<Record<string, ChannelEncoding>> = {
  'v4.channel.k8s.io': 'binary',
  'v4.base64.channel.k8s.io': 'base64',
};

/** For the other side to close after us. */
const closeTimeoutMs = 5_000;
/** A byte names a channel, each port has two, and the last is the closing one of later protocols. */
const maxPorts = 127;

/** `?ports=80&ports=81,82`; a string says what is wrong with it, for a 400. */
export function parsePortsQuery(query: URLSearchParams): readonly number[] | string {
  const given = query.getAll('ports');
  if (given.length === 0) return 'query parameter "ports" is required';
  const ports: number[] = [];
  for (const text of given) {
    if (text === '') return 'query parameter "ports" cannot be empty';
    for (const one of text.split(',')) {
      const port = parsePort(one);
      if (port === undefined) return `unable to parse ${JSON.stringify(text)} as a port`;
      ports.push(port);
    }
  }
  return ports.length > maxPorts ? `at most ${maxPorts} ports can be forwarded over one WebSocket` : ports;
}

/** One channel. It is cut when the connection is gone, which is also the only end of what the client sends. */
class ChannelStream extends Duplex implements ForwardEnd {
  endedBy: StreamEnd | undefined;
  readonly #connection: WebSocketChannels;
  readonly #channel: number;
  readonly #reader: Readable;
  readonly #onBytes: () => void;

  constructor(connection: WebSocketChannels, channel: number, onBytes: () => void) {
    super({ readableHighWaterMark: 65536, writableHighWaterMark: 65536 });
    this.#connection = connection;
    this.#channel = channel;
    this.#onBytes = onBytes;
    this.#reader = connection.reader(channel);
    this.#reader.on('data', (chunk: Buffer) => {
      onBytes();
      if (!this.push(chunk)) this.#reader.pause();
    });
    this.#reader.on('end', () => this.push(null));
    this.on('error', () => {});
    void connection.closed.then(() => {
      this.endedBy = 'lost';
      this.emit('cut');
    });
  }

  override _read(): void {
    this.#reader.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#onBytes();
    this.#connection.send(this.#channel, chunk, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#reader.destroy();
    done(error);
  }
}

/** What of a session can be watched: whether anything happens in it, and whether the client is still there. */
export interface ForwardConnection {
  readonly closed: Promise<void>;
  /** Grows with whatever the client sends and is sent. */
  readonly frames: number;
  ping(): void;
  destroy(): void;
}

/** Resolves to undefined when the client was refused, and told why. */
export async function acceptChannels(
  upgrade: Upgrade,
  ports: readonly number[],
  { clock, onPair }: { readonly clock: Clock; readonly onPair: (pair: ForwardPair) => void },
): Promise<ForwardConnection | undefined> {
  const accepted = await acceptWebSocket(upgrade, Object.keys(channelProtocols));
  if (accepted === undefined) return undefined;
  const connection = new WebSocketChannels(accepted.socket, channelProtocols[accepted.protocol] ?? 'binary');
  let frames = 0;
  let open = ports.length * 2;
  const close = () => {
    if (--open > 0) return;
    connection.close();
    const cutter = clock.after(closeTimeoutMs, () => connection.destroy());
    void connection.closed.then(() => cutter.cancel());
  };
  const stream = (channel: number, port: number) => {
    const one = new ChannelStream(connection, channel, () => frames++);
    one.write(Buffer.from([port & 0xff, port >> 8]));
    one.once('finish', close);
    return one;
  };
  const pairs = ports.map((port, i) => ({
    port,
    requestId: String(i),
    data: stream(2 * i, port),
    error: stream(2 * i + 1, port),
  }));
  connection.start();
  for (const pair of pairs) onPair(pair);
  return {
    closed: connection.closed,
    get frames() {
      return frames;
    },
    ping: () => connection.ping(),
    destroy: () => connection.destroy(),
  };
}
