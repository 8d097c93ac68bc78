// How an HTTP/1.1 connection becomes a SPDY session with one of Kubernetes' stream protocols (`v4.channel.k8s.io` …), from
// either end.
import { request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../base/index.ts';
import type { HttpRequest } from './exchange.ts';
import { chooseProtocol, refuseUpgrade } from './remote-command-refusal.ts';
import { SpdySession, type SpdyStream } from './spdy-session.ts';

const protocolHeader = 'x-stream-protocol-version';
const maxRefusalBytes = 64 * 1024;

/** An upgrade request as an UpgradeHandler gets it. */
export interface Upgrade {
  readonly request: HttpRequest;
  readonly socket: Duplex;
  readonly head: Buffer;
}

const listOf = (value: string | readonly string[] | undefined): string[] =>
  (typeof value === 'string' ? [value] : (value ?? []))
    .flatMap((one) => one.split(','))
    .map((one) => one.trim())
    .filter((one) => one !== '');

export const isSpdyUpgrade = (request: HttpRequest): boolean =>
  (request.headers.upgrade ?? '').toLowerCase().includes('spdy/3.1');

/** The protocols that a client offers, the one it likes best first. */
export const spdyProtocolsOf = (request: HttpRequest): string[] => listOf(request.headers[protocolHeader]);

/**
 * Answers the request with 101 and the client's first protocol that is among `protocols`; undefined = refused, and answered so.
 * Streams that the client opens go to `onStream`.
 */
export function acceptSpdy(
  { request, socket, head }: Upgrade,
  protocols: readonly string[],
  onStream: (stream: SpdyStream) => boolean,
): { readonly session: SpdySession; readonly protocol: string } | undefined {
  const choice = chooseProtocol(spdyProtocolsOf(request), protocols);
  if ('refusal' in choice) {
    refuseUpgrade(socket, choice.refusal);
    return undefined;
  }
  const { protocol } = choice;
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n' +
      `X-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  return { session: new SpdySession({ role: 'server', socket, head, onStream }), protocol };
}

export interface SpdyTarget {
  /** `http://HOST:PORT/PATH` */
  readonly url: string;
  readonly protocols: readonly string[];
  /** For the answer to come. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Rejects with an Error that says what the server answered, or why there was no answer. */
export function connectSpdy(target: SpdyTarget): Promise<{ session: SpdySession; protocol: string }> {
  const url = new URL(target.url);
  if (url.protocol !== 'http:')
    return Promise.reject(
      new Error(`${url.protocol}//${url.host}: only http:// is spoken to streaming servers`),
    );
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, {
      method: 'POST',
      agent: false,
      headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1', [protocolHeader]: [...target.protocols] },
    });
    const timer = target.clock.after(target.timeoutMs, () =>
      request.destroy(new Error(`no answer within ${target.timeoutMs / 1000} s`)),
    );
    request.on('upgrade', (answer, socket, head) => {
      timer.cancel();
      const protocol = listOf(answer.headers[protocolHeader])[0] ?? '';
      if (target.protocols.includes(protocol)) {
        resolve({ session: new SpdySession({ role: 'client', socket, head }), protocol });
        return;
      }
      socket.destroy();
      reject(new Error(`${url.host} chose the stream protocol ${JSON.stringify(protocol)}`));
    });
    request.on('response', (answer) => {
      timer.cancel();
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        text += part;
        if (text.length > maxRefusalBytes) answer.destroy();
      });
      answer.on('error', () => {});
      answer.on('close', () =>
        reject(new Error(`${url.host} refused to stream: ${answer.statusCode} ${text.trim()}`)),
      );
    });
    request.on('error', (error) => {
      timer.cancel();
      reject(new Error(`${url.host}: ${error.message}`, { cause: error }));
    });
    request.end();
  });
}
