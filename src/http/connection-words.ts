// Why a connection failed, as Go's net/http says it: users, and tools that read messages, look for these words. Everybody who tells
// of a connection to somebody else's server takes them from here.
import { isIP } from 'node:net';
import { ConnectionError } from './https-client.ts';

/** `server` is where the connection went to: `https://HOST:PORT`. An error that is no failed connection keeps its message. */
export function connectionWords(error: unknown, server: string): string {
  if (!(error instanceof ConnectionError)) return error instanceof Error ? error.message : String(error);
  const at = server.replace('https://', '');
  switch (error.code) {
    case 'refused':
      return `dial tcp ${at}: connect: connection refused`;
    case 'unreachable':
      return `dial tcp ${at}: connect: no route to host`;
    case 'timeout':
      return 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
    case 'reset':
      return 'EOF';
    case 'tls':
      return tlsWords(error.cause as TlsError) ?? error.message;
    default:
      return error.message;
  }
}

/** What Node's errors of TLS have beside a message. */
interface TlsError extends NodeJS.ErrnoException {
  readonly host?: string;
  readonly cert?: { readonly subjectaltname?: string };
}

const unverified = 'tls: failed to verify certificate: x509: ';

/** undefined = Go has no better words. */
export function tlsWords(error: TlsError): string | undefined {
  switch (error.code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return unverified + wrongName(error.host?.replace(/\.$/, '') ?? '', error.cert?.subjectaltname ?? '');
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return `${unverified}certificate signed by unknown authority`;
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return `${unverified}certificate has expired or is not yet valid`;
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return /wrong version number/.test(error.message)
        ? 'http: server gave HTTP response to HTTPS client'
        : undefined;
    default:
      return undefined;
  }
}

function wrongName(host: string, altNames: string): string {
  const names = (kind: string): string[] =>
    altNames
      .split(', ')
      .filter((one) => one.startsWith(`${kind}:`))
      .map((one) => one.slice(kind.length + 1));
  if (isIP(host) !== 0) {
    const ips = names('IP Address');
    return ips.length === 0
      ? `cannot validate certificate for ${host} because it doesn't contain any IP SANs`
      : `certificate is valid for ${ips.join(', ')}, not ${host}`;
  }
  const dns = names('DNS');
  return dns.length === 0
    ? `certificate is not valid for any names, but wanted to match ${host}`
    : `certificate is valid for ${dns.join(', ')}, not ${host}`;
}
