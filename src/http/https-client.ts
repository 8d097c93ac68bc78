// The HTTPS client of everything that talks to an API server or a node from outside its process: node's own, HTTP/1.1 with
// connections kept alive. Long-lived calls (watch, logs) have their own connections, so they never hold up short ones.
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import * as https from 'node:https';
import type { Duplex, Readable } from 'node:stream';
import type { Clock } from '../base/index.ts';

export interface HttpsClientOptions {
  /** `https://HOST:PORT`, perhaps with a path that goes before every request's own. */
  readonly server: string;
  /** PEM. undefined = the authorities node trusts */
  readonly ca?: string | undefined;
  /** PEM of the client certificate and its key */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly token?: string | undefined;
  /** The name the server's certificate must have, when it is not the host of `server`. */
  readonly serverName?: string | undefined;
  /** Accepts any server certificate. Only when a kubeconfig says so. */
  readonly insecureSkipTlsVerify?: boolean | undefined;
  readonly userAgent: string;
  /** For an answer to begin; 0 = wait for ever. Streams have none after that. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export interface HttpsCall {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders | undefined;
  readonly body?: Buffer | string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Instead of the client's own. */
  readonly timeoutMs?: number | undefined;
}

export interface HttpsAnswer<Body> {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Body;
}

export interface UpgradedConnection {
  readonly headers: IncomingHttpHeaders;
  readonly socket: Duplex;
  /** Bytes that came with the answer. */
  readonly head: Buffer;
}

/** Every status is an answer; only having none rejects, with a ConnectionError or the signal's reason. */
export interface HttpsClient {
  request(call: HttpsCall): Promise<HttpsAnswer<Buffer>>;
  /** Resolves when the headers are there. The caller reads the body to its end or destroys it; the signal does so too. */
  stream(call: HttpsCall): Promise<HttpsAnswer<Readable>>;
  /** Asks for another protocol. A server that refuses gives its answer instead. */
  upgrade(call: HttpsCall): Promise<UpgradedConnection | HttpsAnswer<Buffer>>;
  /** PEM. New connections show this certificate; what goes on over others is not disturbed, and no new call takes one of them. */
  setCertificate(cert: string, key: string): void;
  /** Cuts every connection; calls under way reject. */
  close(): void;
}

/**
 * refused: nobody listens. unreachable: no such host, or no way to it. timeout: no answer in time. tls: the other side's
 * certificate, or ours, is not accepted. reset: the connection broke, so whether the request took effect is unknown.
 */
export type ConnectionErrorCode = 'refused' | 'unreachable' | 'timeout' | 'tls' | 'reset' | 'closed';

export class ConnectionError extends Error {
  readonly code: ConnectionErrorCode;
  constructor(code: ConnectionErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ConnectionError';
    this.code = code;
  }
}

const codes: Readonly<Record<string, ConnectionErrorCode>> = {
  ECONNREFUSED: 'refused',
  ENOTFOUND: 'unreachable',
  EAI_AGAIN: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ETIMEDOUT: 'timeout',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
};
const tlsCode = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|EPROTO$)/;

function connectionError(server: string, error: NodeJS.ErrnoException): ConnectionError {
  const code = error.code ?? '';
  const kind = codes[code] ?? (tlsCode.test(code) ? 'tls' : 'reset');
  return new ConnectionError(kind, `${server}: ${error.message}`, error);
}

/** What may be sent a second time when a kept connection turns out to be dead. */
const repeatable = new Set(['GET', 'HEAD', 'OPTIONS']);

export function createHttpsClient(options: HttpsClientOptions): HttpsClient {
  const base = new URL(options.server);
  if (base.protocol !== 'https:') throw new Error(`${options.server}: only https:// is spoken`);
  const server = `${base.protocol}//${base.host}`;
  const prefix = base.pathname.replace(/\/+$/, '');
  const tls = {
    host: base.hostname.replace(/^\[|\]$/g, ''),
    port: base.port === '' ? 443 : Number(base.port),
    ca: options.ca,
    cert: options.cert,
    key: options.key,
    ...(options.serverName !== undefined && { servername: options.serverName }),
    rejectUnauthorized: options.insecureSkipTlsVerify !== true,
    minVersion: 'TLSv1.2' as const,
  };
  // Without `tls`: an agent's own options win over those of a request, and connections are kept apart by the certificate they show.
  // Few connections that stay: a burst on many would be handshakes above all.
  const short = new https.Agent({
    keepAlive: true,
    maxSockets: 8,
    maxFreeSockets: 8,
    scheduling: 'lifo',
  });
  const long = new https.Agent({ keepAlive: true, maxFreeSockets: 4 });
  const common: OutgoingHttpHeaders = { 'user-agent': options.userAgent };
  if (options.token !== undefined) common['authorization'] = `Bearer ${options.token}`;
  let closed = false;

  function send<T>(
    agent: https.Agent,
    call: HttpsCall,
    onAnswer: (
      answer: IncomingMessage,
      resolve: (value: T) => void,
      reject: (error: unknown) => void,
    ) => void,
    onUpgrade?: (answer: IncomingMessage, socket: Duplex, head: Buffer) => T,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const { signal } = call;
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      if (closed) {
        reject(new ConnectionError('closed', `${server}: the client has been closed`));
        return;
      }
      const body = typeof call.body === 'string' ? Buffer.from(call.body) : call.body;
      let repeated = false;
      let request: ReturnType<typeof https.request>;
      const timeoutMs = call.timeoutMs ?? options.timeoutMs;
      const timer =
        timeoutMs === 0
          ? undefined
          : options.clock.after(timeoutMs, () =>
              request.destroy(
                new ConnectionError('timeout', `${server}: no answer within ${timeoutMs / 1000} s`),
              ),
            );
      const onAbort = () => request.destroy(signal?.reason);
      const done = () => {
        timer?.cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      const attempt = () => {
        request = https.request({
          ...tls,
          agent,
          method: call.method,
          path: prefix + call.path,
          headers: {
            ...common,
            ...call.headers,
            ...(body !== undefined && { 'content-length': body.length }),
          },
        });
        request.on('response', (answer) => {
          timer?.cancel();
          answer.once('close', done);
          onAnswer(answer, resolve, reject);
        });
        if (onUpgrade !== undefined)
          request.on('upgrade', (answer, socket, head) => {
            done();
            resolve(onUpgrade(answer, socket, head));
          });
        request.on('error', (error: NodeJS.ErrnoException) => {
          // The server had closed an idle connection just as it was used again: nothing has happened yet.
          if (
            request.reusedSocket &&
            error.code === 'ECONNRESET' &&
            !repeated &&
            repeatable.has(call.method)
          ) {
            repeated = true;
            attempt();
            return;
          }
          done();
          if (signal?.aborted) reject(signal.reason);
          else if (error instanceof ConnectionError) reject(error);
          else if (closed)
            reject(new ConnectionError('closed', `${server}: the client has been closed`, error));
          else reject(connectionError(server, error));
        });
        request.end(body);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      attempt();
    });
  }

  const readWhole = (
    call: HttpsCall,
    answer: IncomingMessage,
    resolve: (value: HttpsAnswer<Buffer>) => void,
    reject: (error: unknown) => void,
  ) => {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('end', () => {
      const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body });
    });
    answer.on('error', (error: NodeJS.ErrnoException) =>
      reject(call.signal?.aborted ? call.signal.reason : connectionError(server, error)),
    );
  };

  return {
    request: (call) =>
      send(short, call, (answer, resolve, reject) => readWhole(call, answer, resolve, reject)),
    stream: (call) =>
      send(long, call, (answer, resolve) =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: answer }),
      ),
    upgrade: (call) =>
      send<UpgradedConnection | HttpsAnswer<Buffer>>(
        long,
        call,
        (answer, resolve, reject) => readWhole(call, answer, resolve, reject),
        (answer, socket, head) => ({ headers: answer.headers, socket, head }),
      ),
    setCertificate(cert, key) {
      tls.cert = cert;
      tls.key = key;
      // Those at rest would be kept for nothing.
      for (const agent of [short, long])
        for (const socket of Object.values(agent.freeSockets).flatMap((list) => list ?? [])) socket.destroy();
    },
    close() {
      closed = true;
      short.destroy();
      long.destroy();
    },
  };
}
