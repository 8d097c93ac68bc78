// An HTTP answer that a client takes over WebSocket: browsers follow logs and watches so. To whoever answers it is a response like any
// other; what is written becomes messages, and a refusal becomes a plain HTTP answer, as no WebSocket was opened yet.
import { type OutgoingHttpHeaders, STATUS_CODES } from 'node:http';
import { Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { HttpResponse } from './exchange.ts';
import type { Upgrade } from './spdy-upgrade.ts';
import { acceptWebSocket } from './websocket.ts';

/** `pieces`: a message for each write, after an empty one that says that the stream is open. `lines`: a message for each line, as text. */
export type WebSocketFraming = 'pieces' | 'lines';

const base64Protocol = 'base64.binary.k8s.io';
const protocols = ['binary.k8s.io', base64Protocol];

const newline = 0x0a;

export class WebSocketAnswer extends Writable implements HttpResponse {
  statusCode = 200;
  headersSent = false;
  always: OutgoingHttpHeaders | undefined = undefined;
  readonly #upgrade: Upgrade;
  readonly #framing: WebSocketFraming;
  readonly #headers: OutgoingHttpHeaders = {};
  /** undefined = nothing was answered yet, or it is a refusal. */
  #opening: Promise<WebSocket | undefined> | undefined;
  #socket: WebSocket | undefined;
  #base64 = false;
  /** Of a refusal the body, of lines the one that has not ended. */
  #held: Buffer[] = [];

  constructor(upgrade: Upgrade, framing: WebSocketFraming) {
    super();
    this.#upgrade = upgrade;
    this.#framing = framing;
    upgrade.socket.on('error', () => {});
    upgrade.socket.once('close', () => this.destroy());
  }

  setHeader(name: string, value: string | number | readonly string[]): this {
    this.#headers[name.toLowerCase()] = value as string | number | string[];
    return this;
  }

  writeHead(status: number, headers: OutgoingHttpHeaders = {}): this {
    this.statusCode = status;
    Object.assign(this.#headers, this.always, headers);
    this.flushHeaders();
    return this;
  }

  flushHeaders(): void {
    if (this.headersSent) return;
    this.headersSent = true;
    if (this.statusCode === 200) this.#opening = this.#open();
  }

  /** undefined = the client's protocols were refused, or it went away. */
  async #open(): Promise<WebSocket | undefined> {
    const accepted = await acceptWebSocket(this.#upgrade, protocols);
    if (accepted === undefined || this.destroyed) {
      accepted?.socket.terminate();
      return undefined;
    }
    const { socket, protocol } = accepted;
    this.#socket = socket;
    this.#base64 = protocol === base64Protocol;
    socket.on('error', () => {});
    socket.once('close', () => this.destroy());
    // Nothing is expected; what comes anyway is read, so that a close is seen.
    socket.resume();
    if (this.#framing === 'pieces') this.#send(Buffer.alloc(0), () => {});
    return socket;
  }

  #send(data: Buffer, sent: (error?: Error | null) => void): void {
    const asText = this.#base64 || this.#framing === 'lines';
    this.#socket?.send(this.#base64 ? data.toString('base64') : data, { binary: !asText }, sent);
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.flushHeaders();
    if (this.#opening === undefined) {
      this.#held.push(chunk);
      done();
      return;
    }
    this.#opening.then((socket) => {
      if (socket === undefined) done();
      else if (this.#framing === 'pieces') this.#send(chunk, done);
      else this.#sendLines(chunk, done);
    }, done);
  }

  #sendLines(chunk: Buffer, done: (error?: Error | null) => void): void {
    let from = 0;
    const lines: Buffer[] = [];
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      lines.push(Buffer.concat([...this.#held, chunk.subarray(from, end + 1)]));
      this.#held = [];
      from = end + 1;
    }
    if (from < chunk.length) this.#held.push(chunk.subarray(from));
    if (lines.length === 0) done();
    for (const [i, line] of lines.entries()) this.#send(line, i === lines.length - 1 ? done : () => {});
  }

  override _final(done: (error?: Error | null) => void): void {
    this.flushHeaders();
    if (this.#opening === undefined) {
      this.#refuse();
      done();
      return;
    }
    this.#opening.then((socket) => {
      socket?.close(1000);
      done();
    }, done);
  }

  #refuse(): void {
    const body = Buffer.concat(this.#held);
    const headers = { ...this.#headers, connection: 'close', 'content-length': body.length };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`);
    const first = `HTTP/1.1 ${this.statusCode} ${STATUS_CODES[this.statusCode] ?? ''}`;
    this.#upgrade.socket.end(Buffer.concat([Buffer.from(`${[first, ...lines].join('\r\n')}\r\n\r\n`), body]));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // A close that was asked for is given the time that it takes.
    if (!this.writableFinished) {
      this.#socket?.terminate();
      this.#upgrade.socket.destroy();
    }
    done(error);
  }
}
