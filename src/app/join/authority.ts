// Learns a cluster's CA from its server and believes it only when it is the one that the token names. The choice: the server shows its CA
// in the TLS handshake, so that nothing at all is sent to a server that is not yet known, the token least of all.
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import type { Clock } from '../../base/index.ts';
import { CommandFailure } from '../../cli/index.ts';
import { authorityHash } from './join-token.ts';

const timeoutMs = 10_000;

export interface Host {
  readonly host: string;
  readonly port: number;
}

/** Throws a CommandFailure for what is no `https://HOST:PORT`. */
export function hostOf(server: string): Host {
  let url: URL | undefined;
  try {
    url = new URL(server);
  } catch {
    // Said below.
  }
  if (url?.protocol !== 'https:')
    throw new CommandFailure(`--server must be https://HOST:PORT, not ${server}`, { exitCode: 2 });
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 443 : Number(url.port) };
}

/**
 * The CA in PEM, from the first of the servers that shows it. Rejects with a CommandFailure when none can be reached, or when one that can
 * has another CA than that of `caHash`.
 */
export async function fetchAuthority(
  servers: readonly string[],
  caHash: string,
  clock: Clock,
): Promise<string> {
  const asked = servers.map((server) => readAuthority(server, caHash, clock));
  try {
    return await Promise.any(asked);
  } catch (error) {
    const failures = (error as AggregateError).errors as readonly Error[];
    // That it is another cluster says more than that one is away.
    throw failures.find((failure) => failure instanceof OtherAuthority) ?? joined(failures);
  }
}

function joined(failures: readonly Error[]): Error {
  const [first] = failures;
  if (failures.length === 1 && first !== undefined) return first;
  return new CommandFailure(failures.map(({ message }) => message).join('; '), { cause: first });
}

/** Who answers is no server of the cluster. */
class OtherAuthority extends CommandFailure {}

async function readAuthority(server: string, caHash: string, clock: Clock): Promise<string> {
  const shown = await fetchChain(server, clock);
  for (const certificate of shown) if (authorityHash(certificate) === caHash) return certificate.toString();
  const authorities = shown.filter(({ ca }) => ca);
  throw new OtherAuthority(
    authorities.length === 0
      ? `${server} does not show its CA: it is no server of jotasu, or something stands in between`
      : `${server} has another CA than the token names (server: ${authorities.map((one) => authorityHash(one)).join(', ')}, token: ${caHash}): it is not the cluster that the token is of. The token was not sent`,
  );
}

/** What the server shows, its own certificate first. */
function fetchChain(server: string, clock: Clock): Promise<readonly X509Certificate[]> {
  const { host, port } = hostOf(server);
  return new Promise((resolve, reject) => {
    // Whoever it is: what it shows is looked at, and the connection is not used.
    const socket = connect({
      host,
      port,
      rejectUnauthorized: false,
      ...(isIP(host) === 0 && { servername: host }),
    });
    const fail = (why: string, cause?: unknown) => {
      done();
      reject(new CommandFailure(`cannot reach ${server}: ${why}`, cause === undefined ? {} : { cause }));
    };
    const timer = clock.after(timeoutMs, () => fail(`no answer within ${timeoutMs / 1000} s`));
    const done = () => {
      timer.cancel();
      socket.destroy();
    };
    socket.once('error', (error) => fail(error.message, error));
    socket.once('secureConnect', () => {
      const chain: X509Certificate[] = [];
      let at: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
      const seen = new Set<DetailedPeerCertificate>();
      // The last one names itself as its issuer.
      while (at?.raw !== undefined && !seen.has(at)) {
        seen.add(at);
        chain.push(new X509Certificate(at.raw));
        at = at.issuerCertificate;
      }
      done();
      resolve(chain);
    });
  });
}
