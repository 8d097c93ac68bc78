// The server's side of a WebSocket in whose messages the first byte (or, in the base64 protocols, the first character) names a
// channel. Each channel is a node stream; what a slow reader does not take stops the whole connection, as WebSocket has nothing
// finer.
import type { IncomingMessage } from 'node:http';
import { Readable, Writable } from 'node:stream';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import type { HttpRequest } from './exchange.ts';
import { chooseProtocol, refuseUpgrade } from './remote-command-refusal.ts';
import type { Upgrade } from './spdy-upgrade.ts';

/** Clients send pieces of some 32 KiB; programs may send a file in one message. */
const maxMessageBytes = 32 * 1024 * 1024;
const channelBufferBytes = 64 * 1024;
/** In v5: the channel whose messages name a channel on which the client sends no more. */
const closeChannel = 255;
const base64Zero = 0x30;

export type ChannelEncoding = 'binary' | 'base64';

export const isWebSocketUpgrade = (request: HttpRequest): boolean =>
  (request.headers.upgrade ?? '').toLowerCase() === 'websocket';

/** The protocols that a client offers, the one it likes best first. */
export const webSocketProtocolsOf = (request: HttpRequest): string[] =>
  (request.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');

/**
 * Answers with 101 and the client's first protocol that is among `protocols`; '' = the client asked for none. Resolves to
 * undefined when it was refused, and answered so. The socket is paused, as messages may be there already.
 *
 * @internal The library for WebSockets is none of the types that other programs get.
 */
export function acceptWebSocket(
  { request, socket, head }: Upgrade,
  protocols: readonly string[],
): Promise<{ readonly socket: WebSocket; readonly protocol: string } | undefined> {
  const asked = webSocketProtocolsOf(request);
  const choice = asked.length === 0 ? { protocol: '' } : chooseProtocol(asked, protocols);
  if ('refusal' in choice) {
    refuseUpgrade(socket, choice.refusal);
    return Promise.resolve(undefined);
  }
  const { protocol } = choice;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // What is sent is mostly short or compressed already, and the connection is inside the cluster.
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    skipUTF8Validation: true,
    handleProtocols: () => protocol,
  });
  return new Promise((resolve) => {
    // A handshake that ws refuses is answered by it; the socket's end is then the only sign.
    const gone = () => resolve(undefined);
    socket.once('close', gone);
    server.handleUpgrade(request as unknown as IncomingMessage, socket, head, (accepted) => {
      socket.off('close', gone);
      accepted.pause();
      resolve({ socket: accepted, protocol });
    });
  });
}

/** @internal As `acceptWebSocket`. */
export const bytesOf = (data: RawData): Buffer =>
  Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);

export class WebSocketChannels {
  readonly #socket: WebSocket;
  readonly #encoding: ChannelEncoding;
  readonly #readers = new Map<number, Readable>();
  /** Readers that are behind; the connection is not read while there are any. */
  readonly #blocked = new Set<Readable>();
  /** Resolves when the connection is gone; never rejects. */
  readonly closed: Promise<void>;

  /** @internal Takes over a paused socket. */
  constructor(socket: WebSocket, encoding: ChannelEncoding) {
    this.#socket = socket;
    this.#encoding = encoding;
    socket.on('message', (data) => this.#receive(bytesOf(data)));
    // A close follows, which is all that matters here.
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        for (const reader of this.#readers.values()) reader.push(null);
        this.#readers.clear();
        resolve();
      });
    });
  }

  /** Begins to read, when every reader is there. */
  start(): void {
    this.#socket.resume();
  }

  /** What the client sends on a channel. Channels for which there is no reader are discarded. */
  reader(channel: number): Readable {
    const reader: Readable = new Readable({
      highWaterMark: channelBufferBytes,
      read: () => this.#unblock(reader),
      destroy: (error, done) => {
        if (this.#readers.get(channel) === reader) this.#readers.delete(channel);
        this.#unblock(reader);
        done(error);
      },
    });
    this.#readers.set(channel, reader);
    return reader;
  }

  /** Sends each chunk as one message. Its end is not told: only the client closes channels. */
  writer(channel: number): Writable {
    const writer = new Writable({
      highWaterMark: channelBufferBytes,
      write: (chunk: Buffer, _encoding, done) => this.send(channel, chunk, done),
    });
    writer.on('error', () => {});
    return writer;
  }

  send(channel: number, data: Buffer, done?: (error?: Error) => void): void {
    if (this.#socket.readyState !== WebSocket.OPEN) {
      done?.(new Error('the connection is closed'));
      return;
    }
    if (this.#encoding === 'base64')
      this.#socket.send(String.fromCharCode(base64Zero + channel) + data.toString('base64'), done);
    else this.#socket.send(Buffer.concat([Buffer.from([channel]), data]), { binary: true }, done);
  }

  ping(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  /**
   * Begins an orderly end after everything sent so far; the caller bounds the wait for `closed` with `destroy`. What the client
   * still sends is discarded.
   */
  close(): void {
    for (const reader of this.#readers.values()) reader.resume();
    this.#socket.close(1000);
  }

  destroy(): void {
    this.#socket.terminate();
  }

  #receive(message: Buffer): void {
    if (message.length === 0) return;
    let channel = message[0]!;
    let data = message.subarray(1);
    if (this.#encoding === 'base64') {
      channel -= base64Zero;
      data = Buffer.from(data.toString('latin1'), 'base64');
    } else if (channel === closeChannel && data.length === 1) {
      this.#end(data[0]!);
      return;
    }
    const reader = this.#readers.get(channel);
    if (reader === undefined || data.length === 0 || reader.push(data)) return;
    this.#blocked.add(reader);
    this.#socket.pause();
  }

  #end(channel: number): void {
    const reader = this.#readers.get(channel);
    if (reader === undefined) return;
    this.#readers.delete(channel);
    reader.push(null);
    this.#unblock(reader);
  }

  #unblock(reader: Readable): void {
    if (this.#blocked.delete(reader) && this.#blocked.size === 0) this.#socket.resume();
  }
}
