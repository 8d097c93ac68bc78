// SPDY inside a WebSocket, as kubectl forwards ports since 1.31: the binary messages, one after the other, are the bytes of a SPDY
// connection. The tunnel is a node Duplex, so that a session runs over it as over a socket.
import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { chooseProtocol, refuseUpgrade } from './remote-command-refusal.ts';
import type { Upgrade } from './spdy-upgrade.ts';
import { bytesOf, webSocketProtocolsOf } from './websocket.ts';

/** Before the name of the protocol that is spoken inside. */
export const tunnelPrefix = 'SPDY/3.1+';

const maxMessageBytes = 32 * 1024 * 1024;
const bufferBytes = 64 * 1024;
const protocolHeader = 'sec-websocket-protocol';

/** Whether the client offers to speak SPDY inside. */
export const offersTunnel = (request: Upgrade['request']): boolean =>
  webSocketProtocolsOf(request).some((one) => one.startsWith(tunnelPrefix));

/**
 * Answers with 101 and the client's first protocol that is `SPDY/3.1+` and one of `protocols`. Resolves to undefined when it was
 * refused, and answered so.
 */
export function acceptTunnel(
  { request, socket, head }: Upgrade,
  protocols: readonly string[],
): Promise<{ readonly tunnel: WebSocketTunnel; readonly protocol: string } | undefined> {
  const choice = chooseProtocol(
    webSocketProtocolsOf(request),
    protocols.map((one) => tunnelPrefix + one),
  );
  if ('refusal' in choice) {
    refuseUpgrade(socket, choice.refusal);
    return Promise.resolve(undefined);
  }
  const { protocol } = choice;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    skipUTF8Validation: true,
  });
  // The name has a slash, which no token of HTTP has: ws would refuse the request, so the header goes past it.
  const { [protocolHeader]: _, ...headers } = request.headers;
  const plain = Object.create(request, { headers: { value: headers } }) as IncomingMessage;
  server.once('headers', (lines) => lines.push(`Sec-WebSocket-Protocol: ${protocol}`));
  return new Promise((resolve) => {
    const gone = () => resolve(undefined);
    socket.once('close', gone);
    server.handleUpgrade(plain, socket, head, (accepted) => {
      socket.off('close', gone);
      resolve({ tunnel: new WebSocketTunnel(accepted), protocol: protocol.slice(tunnelPrefix.length) });
    });
  });
}

/** The bytes of the messages. The other side's close is the end; ours closes the WebSocket after everything written. */
export class WebSocketTunnel extends Duplex {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    super({ readableHighWaterMark: bufferBytes, writableHighWaterMark: bufferBytes });
    this.#socket = socket;
    socket.on('message', (data: RawData, binary: boolean) => {
      // Text has no place here; what it was meant to be cannot be known.
      if (!binary) this.destroy(new Error('unexpected message type: text'));
      else if (!this.destroyed && !this.push(bytesOf(data))) socket.pause();
    });
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => {
      this.push(null);
      // Read to its end it is destroyed by itself; nobody may be reading.
      if (this.writableFinished || this.readableEnded) this.destroy();
      else this.once('end', () => this.destroy());
    });
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(chunk, { binary: true }, done);
    else done(new Error('the connection is closed'));
  }

  /** The pieces of a frame in one message. */
  override _writev(chunks: readonly { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this._write(Buffer.concat(chunks.map((one) => one.chunk)), 'binary' as BufferEncoding, done);
  }

  override _final(done: () => void): void {
    this.#socket.close(1000);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.terminate();
    done(error);
  }
}
