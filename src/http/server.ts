// One TLS port that speaks HTTP/2 and HTTP/1.1, on node's own server. HOT (bench/api.sh): per request it adds a try and a
// compare; certificates are looked at once a connection (connection.ts), and handlers get node's own objects (exchange.ts).
import type { IncomingMessage } from 'node:http';
import * as http2 from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Clock, Log } from '../base/index.ts';
import { Http1Answer, Http2Answer } from './answers.ts';
import { rememberSession, rememberSocket } from './connection.ts';
import type { HttpRequest, HttpResponse, RequestHandler } from './exchange.ts';

/**
 * An `upgrade` request (WebSocket, SPDY) over HTTP/1.1. The socket is the handler's from here on; bytes that came with the
 * request are in `head`. `connectionOf(request)` works as for any request.
 */
export type UpgradeHandler = (request: HttpRequest, socket: Duplex, head: Buffer) => void;

export interface HttpsServerOptions {
  /** An address of this machine; `0.0.0.0` or `::` for all. */
  readonly host: string;
  /** 0 = any free one */
  readonly port: number;
  readonly cert: string;
  readonly key: string;
  /** PEM of the CA that signs client certificates. undefined = none are asked for. */
  readonly clientCa?: string | undefined;
  /** What it throws is logged and answered with 500; what it does later is its own. */
  readonly onRequest: RequestHandler;
  /** undefined = an upgrade request is answered like any other. */
  readonly onUpgrade?: UpgradeHandler | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface HttpsServer {
  readonly port: number;
  /** Where it can be reached from outside this process: for a wildcard host every address of the machine. */
  readonly addresses: readonly string[];
  /** Serves new connections with this certificate; existing ones keep theirs. */
  setCertificate(cert: string, key: string): void;
  /**
   * Stops accepting, closes idle connections at once and busy ones when their request has been answered; what still lives
   * after `graceMs` is cut. Resolves when every connection is gone. A second call shares the first one's end.
   */
  close(graceMs: number): Promise<void>;
}

export type ListenErrorCode = 'portInUse' | 'noSuchAddress' | 'notAllowed' | 'badCertificate' | 'other';

/** The server could not start. The message is for the person who chose the address. */
export class ListenError extends Error {
  readonly code: ListenErrorCode;
  constructor(code: ListenErrorCode, message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'ListenError';
    this.code = code;
  }
}

/** Longer than the 90 s for which Go's clients keep an idle connection, so that it is the client that closes it. */
const keepAliveTimeoutMs = 180_000;
const idleSweepMs = 50;

const endpoint = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

function listenError(options: HttpsServerOptions, cause: NodeJS.ErrnoException): ListenError {
  const at = `cannot listen on ${endpoint(options.host, options.port)}`;
  switch (cause.code) {
    case 'EADDRINUSE':
      return new ListenError('portInUse', `${at}: another program uses this port`, cause);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new ListenError('noSuchAddress', `${at}: this machine has no address ${options.host}`, cause);
    case 'EACCES':
    case 'EPERM':
      return new ListenError('notAllowed', `${at}: this user may not use this port`, cause);
    case 'ERR_SOCKET_BAD_PORT':
      return new ListenError('other', `${at}: a port is a number from 0 to 65535`, cause);
    default:
      return new ListenError('other', `${at}: ${cause.message}`, cause);
  }
}

function reachableAddresses(bound: string): string[] {
  if (bound !== '0.0.0.0' && bound !== '::') return [bound];
  const out: string[] = [];
  for (const list of Object.values(networkInterfaces())) {
    for (const found of list ?? []) {
      if (found.family === 'IPv6' && (bound === '0.0.0.0' || found.scopeid !== 0)) continue;
      out.push(found.address);
    }
  }
  return out;
}

/** Parts of node's server that its types leave out for `allowHTTP1`. */
interface Http1Side {
  keepAliveTimeout: number;
  closeIdleConnections(): void;
}

export async function startHttpsServer(options: HttpsServerOptions): Promise<HttpsServer> {
  const { clock, log, onRequest, onUpgrade } = options;
  let closing: Promise<void> | undefined;

  const server = createServer(options);
  const http1 = server as unknown as Http1Side;
  http1.keepAliveTimeout = keepAliveTimeoutMs;

  const sockets = new Set<Socket>();
  const sessions = new Set<http2.Http2Session>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    // A machine that lost its power never closes its watches; the kernel finds out.
    socket.setKeepAlive(true, 30_000);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol !== 'h2') rememberSocket(socket);
  });
  server.on('session', (session) => {
    rememberSession(session);
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    // A client may send a large body at once instead of waiting for the window to open after every 64 KiB.
    session.setLocalWindowSize(4 << 20);
    if (closing !== undefined) session.close();
  });
  server.on('tlsClientError', (error) => log.debug('TLS handshake failed', { error }));
  server.on('sessionError', (error) => log.debug('HTTP/2 session failed', { error }));

  server.on('request', (request, response) => {
    if (closing !== undefined && request.httpVersionMajor === 1) response.setHeader('connection', 'close');
    try {
      onRequest(request as HttpRequest, response as unknown as HttpResponse);
    } catch (error) {
      log.error('request handler failed', { method: request.method, url: request.url, error });
      if (!response.headersSent) response.writeHead(500);
      response.end();
    }
  });
  if (onUpgrade !== undefined) {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      // The handler listens too; this one only keeps a reset between its listeners from ending the process.
      socket.on('error', (error) => log.debug('upgraded connection failed', { error }));
      try {
        onUpgrade(request as HttpRequest, socket, head);
      } catch (error) {
        log.error('upgrade handler failed', { url: request.url, error });
        socket.destroy();
      }
    });
  }

  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => reject(listenError(options, error));
    server.once('error', failed);
    try {
      server.listen({ host: options.host, port: options.port, backlog: 1024 }, () => {
        server.off('error', failed);
        resolve();
      });
    } catch (error) {
      failed(error as NodeJS.ErrnoException);
    }
  });
  // Out of file descriptors, mostly: the connection is lost, the server lives.
  server.on('error', (error) => log.error('cannot accept a connection', { error }));
  const bound = server.address() as AddressInfo;

  async function shutDown(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const session of sessions) session.close();
    // A connection that was busy becomes idle when its answer has gone out; node does not close it by itself then.
    const sweep = () => {
      http1.closeIdleConnections();
      sweeper = clock.after(idleSweepMs, sweep);
    };
    let sweeper = clock.after(idleSweepMs, sweep);
    const cut = () => {
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
    };
    const cutter = graceMs > 0 ? clock.after(graceMs, cut) : undefined;
    if (cutter === undefined) cut();
    await closed;
    sweeper.cancel();
    cutter?.cancel();
  }

  return {
    port: bound.port,
    addresses: reachableAddresses(bound.address),
    setCertificate: (cert, key) =>
      server.setSecureContext({ cert, key, ca: options.clientCa, minVersion: 'TLSv1.2' }),
    close: (graceMs) => (closing ??= shutDown(graceMs)),
  };
}

function createServer(options: HttpsServerOptions): http2.Http2SecureServer {
  try {
    return http2.createSecureServer({
      allowHTTP1: true,
      Http1ServerResponse: Http1Answer,
      Http2ServerResponse: Http2Answer,
      cert: options.cert,
      key: options.key,
      ...(options.clientCa !== undefined && { ca: options.clientCa, requestCert: true }),
      // An untrusted certificate is no reason to hang up: the request may carry a token.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      handshakeTimeout: 10_000,
      // Informers of one program share a connection, one stream for each watch.
      settings: { maxConcurrentStreams: 1000, initialWindowSize: 1 << 20 },
      // In MB. Node counts what waits to be sent; a slow reader of a large list must not lose its other streams.
      maxSessionMemory: 1024,
    }) as unknown as http2.Http2SecureServer;
  } catch (error) {
    throw new ListenError(
      'badCertificate',
      `cannot use the serving certificate: ${(error as Error).message}`,
      error,
    );
  }
}
