// What is known of a connection, learnt once at the TLS handshake and shared by all its requests. HOT: looking it up is one
// map access, so a client certificate is decoded once a connection and not once a request.
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest, Http2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { HttpRequest } from './exchange.ts';

export interface PeerCertificate {
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** The end of its validity: a connection can outlive it, so whoever trusts it compares. */
  readonly notAfterMs: number;
  /** of the certificate in DER, hex with colons, as node prints it */
  readonly fingerprint256: string;
}

export interface Connection {
  readonly remoteAddress: string;
  /** undefined = none was shown, or it was not signed by the client CA. */
  readonly peer: PeerCertificate | undefined;
  /** Why a certificate that was shown is not trusted, for the log and the 401. */
  readonly peerError: string | undefined;
}

const bySocket = new WeakMap<TLSSocket, Connection>();
const bySession = new WeakMap<Http2Session, Connection>();

const one = (value: string | string[] | undefined): string => (Array.isArray(value) ? value[0] : value) ?? '';
const many = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

function inspect(socket: TLSSocket): Connection {
  const remoteAddress = socket.remoteAddress ?? '';
  const shown = socket.getPeerCertificate(false);
  // node answers an empty object when the client showed no certificate.
  if (shown === undefined || shown === null || shown.subject === undefined)
    return { remoteAddress, peer: undefined, peerError: undefined };
  if (!socket.authorized) {
    const peerError = String(socket.authorizationError ?? 'not signed by the client CA');
    return { remoteAddress, peer: undefined, peerError };
  }
  const subject = shown.subject as unknown as Record<string, string | string[] | undefined>;
  return {
    remoteAddress,
    peer: {
      commonName: one(subject['CN']),
      organizations: many(subject['O']),
      notAfterMs: Date.parse(shown.valid_to),
      fingerprint256: shown.fingerprint256,
    },
    peerError: undefined,
  };
}

/** Called by the server when a handshake has ended. */
export function rememberSocket(socket: TLSSocket): void {
  bySocket.set(socket, inspect(socket));
}

/** Called by the server for each HTTP/2 session; the session's socket is a guarded view of the real one. */
export function rememberSession(session: Http2Session): void {
  bySession.set(session, inspect(session.socket as TLSSocket));
}

const unknown: Connection = { remoteAddress: '', peer: undefined, peerError: undefined };

/** The connection a request came over. A request whose connection has gone already is from nobody. */
export function connectionOf(request: HttpRequest): Connection {
  if (request.httpVersionMajor === 2) {
    const session = (request as unknown as Http2ServerRequest).stream?.session;
    return (session === undefined ? undefined : bySession.get(session)) ?? unknown;
  }
  return bySocket.get((request as unknown as IncomingMessage).socket as TLSSocket) ?? unknown;
}
