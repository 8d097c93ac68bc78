// How a machine becomes a node by a token: it learns the CA, asks for a certificate as system:node:NAME, and keeps both. What is kept
// is used from then on; the token is needed once.
import { X509Certificate } from 'node:crypto';
import type { Clock, Log, Random } from '../../base/index.ts';
import { CommandFailure } from '../../cli/index.ts';
import { createClient, createHttpsTransport, createServersClient } from '../../client/index.ts';
import { ConnectionError, createHttpsClient, type KeyPairPem } from '../../http/index.ts';
import { StatusError } from '../../machinery/index.ts';
import { fetchAuthority, hostOf } from './authority.ts';
import { CertificateStore } from './certificate-store.ts';
import { type ClusterSettings, fetchClusterSettings } from './cluster-settings.ts';
import { authorityHash, bearerOf, type JoinToken, parseJoinToken } from './join-token.ts';
import { CertificateRefused, nodeClient, requestCertificate } from './request-certificate.ts';

export interface JoinOptions {
  /** `https://HOST:PORT`; any of them will do. */
  readonly servers: readonly string[];
  readonly token: string | undefined;
  readonly nodeName: string;
  readonly stateDir: string;
  readonly userAgent: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What a node is known by. */
export interface Membership {
  readonly store: CertificateStore;
  /** PEM */
  readonly ca: string;
  readonly client: KeyPairPem;
  /** What the server told of the cluster. */
  readonly settings: ClusterSettings | undefined;
}

/** Rejects with a CommandFailure that says what a person can do. */
export async function joinCluster(options: JoinOptions): Promise<Membership> {
  const { nodeName, stateDir, clock, servers } = options;
  for (const server of servers) hostOf(server);
  const token = options.token === undefined ? undefined : parseJoinToken(options.token);
  if (options.token !== undefined && token === undefined)
    throw new CommandFailure(
      'the token is not of the form K10…::ID.SECRET; "jotasu token create" makes one, where the administrator\'s kubeconfig is',
      { exitCode: 2 },
    );
  const store = new CertificateStore(stateDir);
  const kept = { ca: store.readAuthority(), client: store.read('client') };
  if (kept.ca !== undefined && kept.client !== undefined) {
    if (token !== undefined && authorityHash(kept.ca) !== token.caHash)
      throw new CommandFailure(
        `${stateDir} is that of a node of another cluster than the token's; to leave that cluster remove it, or choose another with --state-dir`,
      );
    const certificate = new X509Certificate(kept.client.cert);
    const name = nameIn(certificate);
    if (name !== nodeName)
      throw new CommandFailure(
        `${stateDir} is that of node ${name}, not ${nodeName}; remove it, or choose another with --state-dir`,
      );
    if (Date.parse(certificate.validTo) > clock.nowMs())
      return { store, ca: kept.ca, client: kept.client, settings: store.readSettings() };
    if (token === undefined)
      throw new CommandFailure(
        `the certificate of node ${nodeName} ended on ${certificate.validTo}; join again with --token ("jotasu token create" makes one)`,
      );
  }
  if (token === undefined)
    throw new CommandFailure(
      `this machine is not a node yet (${store.directory} holds no certificate): agent needs --token, which "jotasu token create" makes`,
      { exitCode: 2 },
    );
  const ca = await fetchAuthority(servers, token.caHash, clock);
  const { client, settings } = await requestMembership(options, token, ca);
  store.writeAuthority(ca);
  if (settings !== undefined) store.writeSettings(settings);
  // Last: with it this machine is a node.
  store.write('client', client);
  options.log.info('joined the cluster', { node: nodeName, servers: servers.join() });
  return { store, ca, client, settings };
}

const nameIn = ({ subject }: X509Certificate): string =>
  /^CN=system:node:(.*)$/m.exec(subject)?.[1] ?? '(unknown)';

async function requestMembership(
  options: JoinOptions,
  token: JoinToken,
  ca: string,
): Promise<Pick<Membership, 'client' | 'settings'>> {
  const { servers, nodeName, userAgent, clock, random, log } = options;
  const http = createServersClient({
    servers,
    open: (server) =>
      createHttpsClient({ server, ca, token: bearerOf(token), userAgent, timeoutMs: 15_000, clock }),
    clock,
    log,
  });
  try {
    const client = createClient(createHttpsTransport({ http, clock, random }), 'kubelet');
    return {
      settings: await fetchClusterSettings(client),
      client: await requestCertificate(nodeClient(nodeName), { ...options, client }),
    };
  } catch (error) {
    throw joinFailure(error, { server: http.server ?? servers.join(), nodeName, id: token.id });
  } finally {
    http.close();
  }
}

/** In words for whoever typed the command; what is not foreseen stays as it is. */
function joinFailure(
  error: unknown,
  { server, nodeName, id }: { server: string; nodeName: string; id: string },
) {
  if (error instanceof CertificateRefused)
    return new CommandFailure(
      error.reason === 'NodeNameInUse'
        ? `the name ${nodeName} is taken: ${error.message}; choose another with --node-name, or stop that node first`
        : `the cluster gave node ${nodeName} no certificate: ${error.message}`,
      { cause: error },
    );
  if (error instanceof StatusError && error.code === 401)
    return new CommandFailure(
      `${server} does not accept token ${id}: it is mistyped, was deleted, or its time is over; "jotasu token list" shows those that are good, "jotasu token create" makes one`,
      { cause: error },
    );
  if (error instanceof StatusError)
    return new CommandFailure(`${server} refuses node ${nodeName}: ${error.message}`, { cause: error });
  if (error instanceof ConnectionError)
    return new CommandFailure(
      error.code === 'tls'
        ? `${error.message}; a server reached by another name or address than its own needs --tls-san`
        : `cannot reach ${error.message}`,
      { cause: error },
    );
  return error;
}
