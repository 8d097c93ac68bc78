// Hands requests on to other API servers, with the user in headers and the certificate that makes them believed. What goes wrong on the
// way is told in a line of text, as kube-apiserver does it: clients have words of their own for it.
import { isIPv6 } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Random } from '../../base/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import { StatusError } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { destinationOf } from '../admission/webhooks/destination.ts';
import type { UserInfo } from '../auth/attributes.ts';
import { relay, tunnel } from '../endpoints/relay.ts';
import { sendText } from '../endpoints/respond.ts';
import type { Target } from '../endpoints/targets.ts';
import { type FrontProxy, identityHeaders } from './identity.ts';
import type { RemoteApi } from './remote-apis.ts';

export interface RemoteProxyOptions {
  readonly store: Store;
  readonly random: Random;
  /** undefined = no certificate is shown. Read anew for each connection. */
  readonly frontProxy: FrontProxy | undefined;
  /** Told that a server which is said to be there could not be reached. */
  readonly onUnreachable: (remote: RemoteApi) => void;
}

/** Nodes' credentials are not for other API servers. */
const noCredentials = { cert: '', key: '', ca: '' };

/** What a discovery document is: everybody waits for all of them. */
const discoveryTimeoutMs = 5000;

/** With whom requests are made, and where. */
export interface AskedBy {
  readonly remote: RemoteApi;
  readonly user: UserInfo;
}

const isUnreachable = (error: unknown): error is StatusError =>
  error instanceof StatusError && error.code === 503;

const serviceUnavailable = (): StatusError =>
  new StatusError(503, 'ServiceUnavailable', 'service unavailable');

export class RemoteProxy {
  readonly #options: RemoteProxyOptions;

  constructor(options: RemoteProxyOptions) {
    this.#options = options;
  }

  /** Resolves when the answer has ended; rejects with what is no failure of the other side. */
  async serve({ remote, user }: AskedBy, request: HttpRequest, response: HttpResponse): Promise<void> {
    try {
      const target = this.#targetOf({ remote, user }, request.url ?? '/');
      await relay({ target, credentials: noCredentials, prefix: '' }, request, response);
    } catch (error) {
      if (!isUnreachable(error) || response.headersSent) throw error;
      if (remote.available) this.#options.onUnreachable(remote);
      request.resume();
      sendText(response, 503, `${error.message}\n`);
    }
  }

  /** Rejects when the other side cannot be reached. */
  async upgrade(
    { remote, user }: AskedBy,
    request: HttpRequest,
    connection: { socket: Duplex; head: Buffer },
  ): Promise<void> {
    const target = this.#targetOf({ remote, user }, request.url ?? '/');
    try {
      await tunnel({ target, credentials: noCredentials, relays: true }, request, connection);
    } catch (error) {
      if (isUnreachable(error)) this.#options.onUnreachable(remote);
      throw error;
    }
  }

  #targetOf({ remote, user }: AskedBy, path: string): Target {
    const { store, random, frontProxy } = this.#options;
    if (!remote.available) throw serviceUnavailable();
    const { host, port, serverName } = endpointOf(remote, store, random);
    return {
      host,
      port,
      path,
      trust: {
        servername: serverName,
        minVersion: 'TLSv1.2',
        rejectUnauthorized: !remote.insecureSkipTlsVerify,
        ...(remote.ca !== undefined && { ca: remote.ca }),
        ...(frontProxy !== undefined && { cert: frontProxy.cert, key: frontProxy.key }),
      },
      identity: identityHeaders(user),
      ...(isDiscovery(path, remote) && { silenceMs: discoveryTimeoutMs }),
    };
  }
}

function isDiscovery(path: string, { group, version }: RemoteApi): boolean {
  return path.split('?', 1)[0]!.replace(/\/$/, '') === `/apis/${group}/${version}`;
}

export interface RemoteEndpoint {
  readonly host: string;
  readonly port: number;
  /** The name in its certificate. */
  readonly serverName: string;
  /** `https://HOST:PORT` */
  readonly server: string;
}

/** One of the ready endpoints of the service. Throws 503 when there is none. */
export function endpointOf({ service }: RemoteApi, store: Store, random: Random): RemoteEndpoint {
  try {
    const { server, serverName = '' } = destinationOf({ service }, store, random);
    const at = new URL(server);
    const host = at.hostname.replace(/^\[|\]$/g, '');
    // A URL leaves out the port that is the protocol's own.
    const port = at.port === '' ? 443 : Number(at.port);
    return { host, port, serverName, server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}` };
  } catch (error) {
    throw new StatusError(503, 'ServiceUnavailable', 'service unavailable', undefined, error);
  }
}
