// The streams of forwarded ports: a client opens two for each connection, one for its data and one on which it is told of an error,
// and names their port, their kind and what they belong to in headers. This joins the two again. Pure but for the clock.
import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../base/index.ts';
import type { SpdyHeaders } from './spdy-headers.ts';
import type { StreamEnd } from './spdy-session.ts';

/** What forwarding needs of a stream. It emits 'cut' as SpdyStream does. */
export interface ForwardEnd extends Duplex {
  readonly endedBy: StreamEnd | undefined;
}

/** What pairing needs of one; a SpdyStream is one. */
export interface ForwardStream extends ForwardEnd {
  readonly id: number;
  readonly headers: SpdyHeaders;
}

/** One connection to a port. */
export interface ForwardPair<S extends ForwardEnd = ForwardEnd> {
  readonly port: number;
  readonly requestId: string;
  readonly data: S;
  /** A message on it is an error; its end without one is success. */
  readonly error: S;
}

export interface ForwardPairsOptions<S extends ForwardStream> {
  readonly clock: Clock;
  /** How long the first stream of a pair waits for the second. */
  readonly timeoutMs: number;
  readonly onPair: (pair: ForwardPair<S>) => void;
}

interface Half<S> {
  data: S | undefined;
  error: S | undefined;
  readonly timer: Timer;
}

export class ForwardPairs<S extends ForwardStream> {
  readonly #options: ForwardPairsOptions<S>;
  readonly #halves = new Map<string, Half<S>>();

  constructor(options: ForwardPairsOptions<S>) {
    this.#options = options;
  }

  /** Whether the stream is wanted: its headers say what it is. Nothing is written to it before this has returned. */
  add(stream: S): boolean {
    const type = stream.headers.get('streamtype');
    if (parsePort(stream.headers.get('port')) === undefined || (type !== 'data' && type !== 'error'))
      return false;
    const id = requestIdOf(stream);
    const half = this.#halves.get(id) ?? this.#start(id);
    if (half[type] !== undefined) {
      const message = `error processing stream for request ${id}: ${type} stream already assigned`;
      queueMicrotask(() => half.error?.write(message));
      return false;
    }
    half[type] = stream;
    const { data, error } = half;
    if (data === undefined || error === undefined) return true;
    half.timer.cancel();
    this.#halves.delete(id);
    // The error stream's headers say the same; the data stream's count, as in Kubernetes.
    const port = parsePort(data.headers.get('port')) ?? 0;
    queueMicrotask(() => this.#options.onPair({ port, requestId: id, data, error }));
    return true;
  }

  /** When the connection is gone. */
  close(): void {
    for (const half of this.#halves.values()) half.timer.cancel();
    this.#halves.clear();
  }

  #start(id: string): Half<S> {
    const timer = this.#options.clock.after(this.#options.timeoutMs, () => {
      this.#halves.delete(id);
      half.error?.end(`(request=${id}) timed out waiting for streams`);
      half.error?.resume();
      half.data?.destroy();
    });
    const half: Half<S> = { data: undefined, error: undefined, timer };
    this.#halves.set(id, half);
    return half;
  }
}

/** 1 to 65535, in decimal digits. */
export function parsePort(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || !/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65535 ? port : undefined;
}

/**
 * Clients before Kubernetes 1.2 send none: they open the error stream first and the data stream next, whose ids differ by two when
 * nobody opens others between.
 */
function requestIdOf(stream: ForwardStream): string {
  const given = stream.headers.get('requestid');
  if (given !== undefined && given !== '') return given;
  return String(stream.headers.get('streamtype') === 'error' ? stream.id : stream.id - 2);
}
