// Passes bytes on between a client and a node or a workload, as an HTTP answer or as an upgraded connection. What a relayed answer
// tells of its own place (Location, links of pages) is rewritten, so that it can be followed from outside.

import { request as sendPlain } from 'node:http';
import { request as sendSecured } from 'node:https';
import { connect as connectPlain, isIPv6, type Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { type ConnectionOptions, connect } from 'node:tls';
import { createUnzip } from 'node:zlib';
import { connectionOf, type HttpRequest, type HttpResponse } from '../../http/index.ts';
import { badRequest, StatusError } from '../../machinery/index.ts';
import { isIdentityHeader } from '../aggregation/identity.ts';
import type { Connection } from './connections.ts';
import { type PageOrigin, rewriteLink, rewritePage } from './page-links.ts';
import type { ConnectionCall, NodeCredentials, Target } from './targets.ts';

const connectTimeoutMs = 5000;

/** How the other side is known. */
function securityOf(trust: Target['trust'], { cert, key, ca }: NodeCredentials): ConnectionOptions {
  if (typeof trust === 'object') return trust;
  if (trust === 'http') return {};
  // A workload has a certificate of its own making: encryption without identity, and ours is not shown to it.
  if (trust === 'https') return { rejectUnauthorized: false };
  // Nodes are dialled by address; the CA vouches for them.
  return { cert, key, ca, checkServerIdentity: () => undefined };
}

const hostPort = ({ host, port }: Target): string => (isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`);

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'i/o timeout',
};

/** A 503 for what was to be relayed; a 500 for what a node alone can answer, as `kubectl logs` shows it. */
function unreachable(target: Target, error: NodeJS.ErrnoException, relays: boolean | undefined): StatusError {
  if (relays !== true)
    return new StatusError(
      500,
      'InternalError',
      `Get ${JSON.stringify(`https://${hostPort(target)}${target.path}`)}: dial tcp ${hostPort(target)}: ${error.message}`,
      undefined,
      error,
    );
  const reason =
    error.code === 'ECONNRESET'
      ? 'EOF'
      : `dial tcp ${hostPort(target)}: ${reasons[error.code ?? ''] ?? error.message}`;
  return new StatusError(
    503,
    'ServiceUnavailable',
    `error trying to reach service: ${reason}`,
    undefined,
    error,
  );
}

/** Serves a connection that is a plain HTTP answer (log, proxy). Resolves when the answer has ended; rejects before it has begun. */
export async function serveStream(
  connection: Connection,
  call: ConnectionCall,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const target = connection.locate(call);
  const { credentials } = call;
  if (connection.relays !== true) return copyAnswer(target, credentials, response, request);
  const prefix = prefixOf(call);
  const path = target.path === '' || target.path.startsWith('?') ? `/${target.path}` : target.path;
  const reads = request.method === 'GET' || request.method === 'HEAD';
  if (path !== target.path && reads) {
    // A page's relative links lead on from here only behind a slash.
    response.writeHead(301, { location: `${prefix}${path}` });
    response.end();
    request.resume();
    return;
  }
  await relay({ target: { ...target, path }, credentials, prefix }, request, response);
}

/** The request's path up to and with `proxy`. */
function prefixOf({ url, rest }: ConnectionCall): string {
  const path = url.split('?', 1)[0]!;
  return path.slice(0, path.length - rest.length).replace(/\/$/, '');
}

/** A node's answer to a read, as a stream of bytes. */
function copyAnswer(
  target: Target,
  credentials: NodeCredentials,
  response: HttpResponse,
  request: HttpRequest,
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const { host, port, path } = target;
    const options = { host, port, path, method: 'GET', ...securityOf(target.trust, credentials) };
    const upstream = sendSecured({ ...options, timeout: connectTimeoutMs }, (answer) => {
      const code = answer.statusCode ?? 500;
      if (code !== 200) {
        collect(answer).then((body) => reject(nodeRefusal(code, body.toString('utf8').trim())), reject);
        return;
      }
      upstream.setTimeout(0);
      response.writeHead(200, { 'content-type': answer.headers['content-type'] ?? 'text/plain' });
      passOn(answer, response, resolve);
    });
    upstream.on('timeout', () => upstream.destroy(new Error('i/o timeout')));
    upstream.on('error', (error) => {
      if (response.headersSent) resolve();
      else reject(unreachable(target, error, false));
    });
    response.on('close', () => upstream.destroy());
    request.resume();
    upstream.end();
  });
}

function passOn(answer: Readable, response: HttpResponse, ended: () => void): void {
  response.flushHeaders();
  answer.pipe(response);
  answer.on('end', ended);
  answer.on('error', () => {
    response.destroy();
    ended();
  });
}

interface Relayed {
  /** Its path is not empty. */
  readonly target: Target;
  readonly credentials: NodeCredentials;
  readonly prefix: string;
}

/** Hands a request on and its answer back. Rejects with a 503 when the target cannot be reached. */
export function relay(
  { target, credentials, prefix }: Relayed,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const asked = String(request.headers[':authority'] ?? request.headers.host ?? '');
  const origin = { target: hostPort(target), asked, prefix };
  return new Promise<void>((resolve, reject) => {
    const send = target.trust === 'http' ? sendPlain : sendSecured;
    const { host, port, path, silenceMs = 0 } = target;
    const upstream = send(
      {
        ...{ host, port, path, method: request.method, headers: requestHeaders(request, origin, target) },
        ...securityOf(target.trust, credentials),
        timeout: connectTimeoutMs,
        // A kept connection may be gone when it is used again, and not every request may be made twice.
        agent: false,
      },
      (answer) => {
        if (response.headersSent) {
          // It came too late: somebody else has answered.
          answer.destroy();
          resolve();
          return;
        }
        const headers = relayed(answer.headers);
        for (const name of corsHeaders) delete headers[name];
        const { location } = answer.headers;
        if (location !== undefined) headers.location = rewriteLink(location, origin);
        const code = answer.statusCode ?? 500;
        const isPage = location === undefined && isReadablePage(answer.headers);
        if (isPage && request.method !== 'HEAD') {
          sendPage(answer, { code, headers, origin }, response).then(resolve, reject);
          return;
        }
        const length = answer.headers['content-length'];
        if (length !== undefined && !isPage) headers['content-length'] = length;
        response.writeHead(code, headers);
        passOn(answer, response, resolve);
      },
    );
    // Only the dialling is bounded: how long an answer may take is the workload's affair.
    upstream.on('socket', (socket) => socket.once('connect', () => upstream.setTimeout(silenceMs)));
    upstream.on('timeout', () =>
      upstream.destroy(Object.assign(new Error('i/o timeout'), { code: 'ETIMEDOUT' })),
    );
    upstream.on('error', (error) => {
      if (response.headersSent) resolve();
      else reject(unreachable(target, error, true));
    });
    response.on('close', () => upstream.destroy());
    request.pipe(upstream);
  });
}

function requestHeaders(
  request: HttpRequest,
  { asked, prefix }: PageOrigin,
  { path, identity }: Target,
): Record<string, string | string[]> {
  const headers = identified(relayed(request.headers), identity);
  const { remoteAddress } = connectionOf(request);
  const {
    'content-length': length,
    'transfer-encoding': encoding,
    'x-forwarded-for': earlier,
  } = request.headers;
  if (length !== undefined) headers['content-length'] = length;
  else if (encoding !== undefined) headers['transfer-encoding'] = encoding;
  headers.host = asked;
  headers['x-forwarded-for'] = [...(earlier === undefined ? [] : [String(earlier)]), remoteAddress].join(
    ', ',
  );
  headers['x-forwarded-uri'] = `${prefix}${path.split('?', 1)[0]}`;
  return headers;
}

/** Other origins are let in by the API server's own rules alone. */
const corsHeaders = [
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
];

const readableEncodings = new Set(['', 'gzip', 'deflate']);

const isReadablePage = (headers: HttpRequest['headers']): boolean =>
  /^text\/html\s*(?:;|$)/.test(headers['content-type'] ?? '') &&
  readableEncodings.has(headers['content-encoding'] ?? '');

/** A page is read wholly, for its links are rewritten. */
async function sendPage(
  answer: Readable,
  { code, headers, origin }: { code: number; headers: Record<string, string | string[]>; origin: PageOrigin },
  response: HttpResponse,
): Promise<void> {
  const packed = headers['content-encoding'] !== undefined;
  delete headers['content-encoding'];
  // Bytes that are not UTF-8 come through as they are: links are ASCII.
  const page = (await collect(packed ? answer.pipe(createUnzip()) : answer)).toString('latin1');
  const body = Buffer.from(
    rewritePage(page, (link) => rewriteLink(link, origin)),
    'latin1',
  );
  response.writeHead(code, { ...headers, 'content-length': String(body.length) });
  response.end(body);
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The node's refusal in the words that it used. */
function nodeRefusal(code: number, message: string): StatusError {
  if (code === 400) return badRequest(message);
  if (code === 404)
    return new StatusError(
      404,
      'NotFound',
      `the server could not find the requested resource (${message})`,
      {},
    );
  return new StatusError(500, 'InternalError', `Internal error occurred: ${message}`);
}

const hopHeaders = new Set([
  'host',
  'authorization',
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'content-length',
  'transfer-encoding',
]);

/** Headers that are about the message and not about the connection it came on. */
const relayed = (headers: HttpRequest['headers']): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      hopHeaders.has(name) || name.startsWith(':') || name.startsWith('impersonate-') || value === undefined
        ? []
        : [[name, value]],
    ),
  );

function identified(
  headers: Record<string, string | string[]>,
  identity: Target['identity'],
): Record<string, string | string[]> {
  if (identity === undefined) return headers;
  for (const name of Object.keys(headers)) if (isIdentityHeader(name)) delete headers[name];
  return { ...headers, ...identity };
}

/** Opens a connection to the target. Rejects with what says that it could not be reached. */
function dial(target: Target, credentials: NodeCredentials, relays: boolean | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const { host, port, trust } = target;
    const socket =
      trust === 'http'
        ? connectPlain({ host, port })
        : connect({ host, port, ...securityOf(trust, credentials), ALPNProtocols: ['http/1.1'] });
    const fail = (error: Error) => {
      socket.destroy();
      reject(unreachable(target, error, relays));
    };
    socket.setTimeout(connectTimeoutMs);
    socket.once('error', fail);
    socket.once('timeout', () => fail(Object.assign(new Error('i/o timeout'), { code: 'ETIMEDOUT' })));
    socket.once(trust === 'http' ? 'connect' : 'secureConnect', () => {
      socket.removeListener('error', fail);
      socket.removeAllListeners('timeout');
      socket.setTimeout(0);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

/** Tunnels an upgraded connection: the handshake goes to the target as it came, then bytes flow both ways until one side ends. */
export async function serveUpgrade(
  connection: Connection,
  call: ConnectionCall,
  request: HttpRequest,
  client: Duplex,
  head: Buffer,
): Promise<void> {
  const located = connection.locate(call);
  const target = { ...located, path: located.path.startsWith('/') ? located.path : `/${located.path}` };
  const { credentials } = call;
  await tunnel({ target, credentials, relays: connection.relays }, request, { socket: client, head });
}

/** The same for a target that is known already; `relays` as a connection has it. Rejects when the target cannot be reached. */
export async function tunnel(
  {
    target,
    credentials,
    relays,
  }: { target: Target; credentials: NodeCredentials; relays: boolean | undefined },
  request: HttpRequest,
  { socket: client, head }: { socket: Duplex; head: Buffer },
): Promise<void> {
  const far = await dial(target, credentials, relays);
  const lines = [
    `${request.method} ${target.path} HTTP/1.1`,
    `Host: ${relays === true ? request.headers.host : hostPort(target)}`,
    'Connection: Upgrade',
    `Upgrade: ${String(request.headers.upgrade ?? '')}`,
  ];
  for (const [name, value] of Object.entries(identified(relayed(request.headers), target.identity)))
    for (const one of Array.isArray(value) ? value : [value]) lines.push(`${name}: ${one}`);
  far.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (head.length > 0) far.write(head);
  const close = () => {
    far.destroy();
    client.destroy();
  };
  far.on('error', close);
  client.on('error', close);
  far.on('close', () => client.end());
  client.on('close', () => far.destroy());
  far.pipe(client);
  client.pipe(far);
}
