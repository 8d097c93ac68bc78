// A SPDY/3.1 connection as Kubernetes uses it: streams over one socket, each a node Duplex with half-close and back-pressure.
// Choice: windows are not kept. Kubernetes' own implementation never opens one, so a sender that counted would stop for ever
// after 64 KiB; what holds a sender back is the connection itself. A peer that does count is told that our windows are wide open.
// The price: a stream that nobody reads stops the others of its connection, as it does in Kubernetes.
import { Duplex } from 'node:stream';
import {
  goAwayStatus,
  resetStatus,
  SpdyDecoder,
  SpdyEncoder,
  type SpdyFrame,
  settingId,
} from './spdy-frame.ts';
import { SpdyError, type SpdyHeaders } from './spdy-headers.ts';

export interface SpdySessionOptions {
  readonly role: 'client' | 'server';
  /** Is the session's from here on: it reads it, and ends it. */
  readonly socket: Duplex;
  /** Bytes that were read from the socket already. */
  readonly head?: Buffer | undefined;
  /** A stream that the peer opens; whether it is wanted. It writes only after it has returned. undefined = none is wanted. */
  readonly onStream?: ((stream: SpdyStream) => boolean) | undefined;
}

/** How a stream's incoming side ended: by the peer's FIN, by its reset, or because the connection is gone. */
export type StreamEnd = 'fin' | 'reset' | 'lost';

const streamBufferBytes = 64 * 1024;
/** A DATA frame cannot be interrupted; shorter ones let streams take turns. */
const frameBytes = 64 * 1024;
/** Beyond this a peer that pings but does not read gets no answers. */
const maxQueuedForPingBytes = 1024 * 1024;
const widestWindow = 0x7fffffff;
const initialWindow = 64 * 1024;
const nothing = Buffer.alloc(0);
const noHeaders: SpdyHeaders = new Map();

/**
 * One stream. Reading ends when the peer ends or resets it or the connection goes; what came before is always delivered, and
 * `endedBy` says which it was. Writing fails after a reset or without a connection, which 'cut' tells at once, before what came has
 * been read. `end()` half-closes; `destroy()` resets.
 * It may be left without an error listener.
 */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  endedBy: StreamEnd | undefined;
  #cut = false;
  readonly #session: StreamOwner;

  /** Only the session makes streams. */
  constructor(session: StreamOwner, id: number, headers: SpdyHeaders) {
    super({
      allowHalfOpen: true,
      readableHighWaterMark: streamBufferBytes,
      writableHighWaterMark: streamBufferBytes,
    });
    this.id = id;
    this.headers = headers;
    this.#session = session;
    this.on('error', () => {});
  }

  override _read(): void {
    this.#session.unblock(this);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#cut) done(new SpdyError(`stream ${this.id} was ${this.endedBy === 'lost' ? 'lost' : 'reset'}`));
    else this.#session.sendData(this, chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#cut) done();
    else this.#session.sendFin(this, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#session.forget(this);
    done(error);
  }

  /** The session calls it; a peer may reset what it has ended. */
  endReading(by: StreamEnd): void {
    if (this.endedBy === undefined) {
      this.endedBy = by;
      this.push(null);
    }
    if (by === 'fin' || this.#cut) return;
    this.#cut = true;
    this.emit('cut');
  }
}

/** What a stream needs of its session. */
export interface StreamOwner {
  sendData(stream: SpdyStream, data: Buffer, done: (error?: Error | null) => void): void;
  sendFin(stream: SpdyStream, done: (error?: Error | null) => void): void;
  unblock(stream: SpdyStream): void;
  forget(stream: SpdyStream): void;
}

interface Opening {
  readonly stream: SpdyStream;
  resolve(stream: SpdyStream): void;
  reject(error: SpdyError): void;
}

export class SpdySession {
  readonly #socket: Duplex;
  readonly #onStream: (stream: SpdyStream) => boolean;
  readonly #encoder = new SpdyEncoder();
  readonly #decoder = new SpdyDecoder();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #opening = new Map<number, Opening>();
  /** Streams whose readers are behind; the socket is not read while there are any. */
  readonly #blocked = new Set<SpdyStream>();
  readonly #owner: StreamOwner;
  #nextId: number;
  #nextPing: number;
  #lastPeerId = 0;
  #frames = 0;
  /** We, or the peer, said that no further streams will be taken. */
  #goingAway = false;
  #error: Error | undefined;
  /** Resolves when the connection is gone; never rejects. */
  readonly closed: Promise<void>;

  constructor(options: SpdySessionOptions) {
    const { socket, role } = options;
    this.#socket = socket;
    this.#onStream = options.onStream ?? (() => false);
    this.#nextId = this.#nextPing = role === 'client' ? 1 : 2;
    this.#owner = {
      sendData: (stream, data, done) => this.#sendData(stream, data, done),
      sendFin: (stream, done) =>
        this.#send({ type: 'data', streamId: stream.id, fin: true, data: nothing }, done),
      unblock: (stream) => this.#unblock(stream),
      forget: (stream) => this.#forget(stream),
    };
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#lose();
        resolve();
      });
    });
    socket.on('error', (error) => (this.#error ??= error));
    socket.on('end', () => this.#onSocketEnd());
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    if (options.head !== undefined && options.head.length > 0) socket.unshift(options.head);
    this.#send({
      type: 'settings',
      clear: false,
      settings: [{ flags: 0, id: settingId.initialWindowSize, value: widestWindow }],
    });
    this.#send({ type: 'windowUpdate', streamId: 0, delta: widestWindow - initialWindow });
  }

  /** What broke the connection, if anything did. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Frames that came or carried our data; what answers a ping of ours is not counted. Whoever looks for idle sessions compares. */
  get frames(): number {
    return this.#frames;
  }

  /** Resolves when the peer has taken the stream; only then may data be sent: peers drop what comes before their reply. */
  openStream(headers: SpdyHeaders): Promise<SpdyStream> {
    return new Promise((resolve, reject) => {
      if (this.#goingAway || this.#socket.destroyed) {
        reject(new SpdyError('the connection is closed'));
        return;
      }
      const stream = new SpdyStream(this.#owner, this.#nextId, headers);
      this.#nextId += 2;
      this.#streams.set(stream.id, stream);
      this.#opening.set(stream.id, { stream, resolve, reject });
      this.#send({
        type: 'synStream',
        streamId: stream.id,
        associatedTo: 0,
        priority: 0,
        fin: false,
        unidirectional: false,
        headers,
      });
    });
  }

  /** Makes traffic, so that nobody between takes the connection for idle and a peer that is gone is found out. */
  ping(): void {
    this.#send({ type: 'ping', id: this.#nextPing });
    this.#nextPing = this.#nextPing + 2 > widestWindow ? this.#nextPing % 2 || 2 : this.#nextPing + 2;
  }

  /**
   * Ends the session in order. The caller has waited for `finish` of the streams whose bytes matter, and bounds the wait for
   * `closed` with `destroy`. What the peer still sends is read and dropped: left unread, the kernel would answer it with a reset
   * that can destroy what we sent.
   */
  close(): void {
    if (this.#socket.destroyed) return;
    this.#goAway(goAwayStatus.ok);
    this.#socket.end();
    for (const stream of this.#streams.values()) stream.resume();
  }

  /** Cuts the connection. Streams end as lost. */
  destroy(error?: Error): void {
    if (error !== undefined) this.#error ??= error;
    this.#socket.destroy();
  }

  #goAway(status: number): void {
    if (this.#goingAway) return;
    this.#goingAway = true;
    this.#send({ type: 'goAway', lastGoodStreamId: this.#lastPeerId, status });
  }

  #send(frame: SpdyFrame, done?: (error?: Error | null) => void): void {
    const socket = this.#socket;
    if (!socket.writable) {
      done?.(new SpdyError('the connection is closed'));
      return;
    }
    const parts = this.#encoder.encode(frame);
    if (parts.length > 1) socket.cork();
    parts.forEach((part, i) => {
      if (i === parts.length - 1) socket.write(part, done);
      else socket.write(part);
    });
    if (parts.length > 1) socket.uncork();
  }

  #sendData(stream: SpdyStream, data: Buffer, done: (error?: Error | null) => void): void {
    this.#frames++;
    const rest = data.subarray(frameBytes);
    const next = (error?: Error | null) => {
      if (error || rest.length === 0) done(error);
      else this.#sendData(stream, rest, done);
    };
    this.#send({ type: 'data', streamId: stream.id, fin: false, data: data.subarray(0, frameBytes) }, next);
  }

  #receive(chunk: Buffer): void {
    try {
      this.#decoder.push(chunk, (frame) => this.#onFrame(frame));
    } catch (error) {
      this.#goAway(goAwayStatus.protocolError);
      this.destroy(error as Error);
      return;
    }
    if (this.#blocked.size > 0) this.#socket.pause();
  }

  #onFrame(frame: SpdyFrame): void {
    if (frame.type !== 'ping' || frame.id % 2 !== this.#nextPing % 2) this.#frames++;
    switch (frame.type) {
      case 'data': {
        const stream = this.#streams.get(frame.streamId);
        // Frames for a stream that we reset may still be under way.
        if (stream === undefined || stream.endedBy !== undefined) return;
        if (frame.data.length > 0 && !stream.push(frame.data)) this.#blocked.add(stream);
        if (frame.fin) this.#end(stream, 'fin');
        return;
      }
      case 'synStream':
        this.#onSynStream(frame.streamId, frame);
        return;
      case 'synReply': {
        const opening = this.#opening.get(frame.streamId);
        if (opening === undefined) return;
        this.#opening.delete(frame.streamId);
        opening.resolve(opening.stream);
        if (frame.fin) this.#end(opening.stream, 'fin');
        return;
      }
      case 'headers':
        if (frame.fin) this.#end(this.#streams.get(frame.streamId), 'fin');
        return;
      case 'rstStream':
        this.#refused(frame.streamId, `the peer refused the stream (status ${frame.status})`);
        this.#end(this.#streams.get(frame.streamId), 'reset');
        return;
      case 'ping':
        // Ours come back with our own parity.
        if (frame.id % 2 === this.#nextPing % 2) return;
        if (this.#socket.writableLength < maxQueuedForPingBytes) this.#send(frame);
        return;
      case 'goAway':
        this.#goingAway = true;
        return;
      case 'settings':
      case 'windowUpdate':
        return;
    }
  }

  #onSynStream(id: number, frame: { headers: SpdyHeaders; fin: boolean }): void {
    const ours = id % 2 === this.#nextId % 2;
    if (ours || id <= this.#lastPeerId) {
      this.#send({ type: 'rstStream', streamId: id, status: resetStatus.protocolError });
      return;
    }
    if (this.#goingAway) return;
    this.#lastPeerId = id;
    const stream = new SpdyStream(this.#owner, id, frame.headers);
    this.#streams.set(id, stream);
    if (!this.#onStream(stream)) {
      this.#streams.delete(id);
      this.#send({ type: 'rstStream', streamId: id, status: resetStatus.refusedStream });
      stream.destroy();
      return;
    }
    // The peer drops data of a stream that has no reply, so nothing may be written before this.
    this.#send({ type: 'synReply', streamId: id, fin: false, headers: noHeaders });
    if (frame.fin) this.#end(stream, 'fin');
  }

  /** Nothing more will arrive for it, so it no longer holds up the others, however slowly it is read. */
  #end(stream: SpdyStream | undefined, by: StreamEnd): void {
    if (stream === undefined) return;
    stream.endReading(by);
    this.#unblock(stream);
  }

  #refused(id: number, why: string): void {
    const opening = this.#opening.get(id);
    if (opening === undefined) return;
    this.#opening.delete(id);
    opening.reject(new SpdyError(why));
  }

  #unblock(stream: SpdyStream): void {
    if (this.#blocked.delete(stream) && this.#blocked.size === 0) this.#socket.resume();
  }

  #forget(stream: SpdyStream): void {
    if (this.#streams.get(stream.id) === stream) {
      this.#streams.delete(stream.id);
      const over = stream.endedBy !== undefined && stream.writableFinished;
      if (!over && stream.endedBy !== 'reset')
        this.#send({ type: 'rstStream', streamId: stream.id, status: resetStatus.cancel });
      this.#refused(stream.id, 'the stream was given up');
    }
    this.#unblock(stream);
  }

  #onSocketEnd(): void {
    // Kubernetes' clients and servers close both halves at once: whoever sends no more reads no more.
    this.#lose();
    this.#socket.destroy();
  }

  #lose(): void {
    this.#goingAway = true;
    for (const id of [...this.#opening.keys()]) this.#refused(id, 'the connection is closed');
    for (const stream of this.#streams.values()) stream.endReading('lost');
    this.#blocked.clear();
  }
}
