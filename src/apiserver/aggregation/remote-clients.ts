// The server's own questions to other API servers: whether they are there, what they serve, and what its parts want of their objects.
// Connections are kept from one question to the next; idle ones hold nobody up.
import type { Clock, Random } from '../../base/index.ts';
import {
  connectionWords,
  createHttpsClient,
  type HttpsAnswer,
  type HttpsCall,
  type HttpsClient,
} from '../../http/index.ts';
import { StatusError } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import type { UserInfo } from '../auth/attributes.ts';
import { type FrontProxy, identityHeaders } from './identity.ts';
import { endpointOf, type RemoteEndpoint } from './proxy.ts';
import type { RemoteApi } from './remote-apis.ts';

export interface RemoteClientsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly frontProxy: FrontProxy | undefined;
}

export interface RemoteQuestion {
  readonly remote: RemoteApi;
  readonly user: UserInfo;
  /** Any certificate will do: for a question whose answer nobody trusts. */
  readonly trustsAnybody?: boolean;
  /** Left out = any of the service. */
  readonly endpoint?: RemoteEndpoint;
}

/** Destinations to which connections are kept. */
const clientsKept = 100;
const timeoutMs = 30_000;

export class RemoteClients {
  readonly #options: RemoteClientsOptions;
  readonly #clients = new Map<string, HttpsClient>();

  constructor(options: RemoteClientsOptions) {
    this.#options = options;
  }

  /** Any status is an answer. Rejects with what says that there was none: `Get "URL": WHY`. */
  request(question: RemoteQuestion, call: HttpsCall): Promise<HttpsAnswer<Buffer>> {
    return this.#ask(question, call, (client, asked) => client.request(asked));
  }

  /** One that asks as the user, for what takes an HttpsClient. Calls to a server that is not available are refused at once. */
  clientFor(find: () => RemoteApi, user: UserInfo): HttpsClient {
    const checked = (): RemoteApi => {
      const remote = find();
      if (remote.available) return remote;
      throw new StatusError(
        503,
        'ServiceUnavailable',
        'the server is currently unable to handle the request',
        {},
      );
    };
    return {
      request: async (call) => this.request({ remote: checked(), user }, call),
      stream: async (call) =>
        this.#ask({ remote: checked(), user }, call, (client, asked) => client.stream(asked)),
      upgrade: async (call) =>
        this.#ask({ remote: checked(), user }, call, (client, asked) => client.upgrade(asked)),
      setCertificate() {},
      close() {},
    };
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  async #ask<T>(
    question: RemoteQuestion,
    call: HttpsCall,
    send: (client: HttpsClient, call: HttpsCall) => Promise<T>,
  ): Promise<T> {
    const { store, random } = this.#options;
    const { server, serverName } = question.endpoint ?? endpointOf(question.remote, store, random);
    const client = this.#clientOf(question, { server, serverName });
    const headers = { ...call.headers, ...identityHeaders(question.user) };
    try {
      return await send(client, { ...call, headers });
    } catch (error) {
      const method = `${call.method.slice(0, 1)}${call.method.slice(1).toLowerCase()}`;
      throw new Error(
        `${method} ${JSON.stringify(`${server}${call.path}`)}: ${connectionWords(error, server)}`,
        {
          cause: error,
        },
      );
    }
  }

  #clientOf(
    { remote, trustsAnybody = false }: RemoteQuestion,
    at: { readonly server: string; readonly serverName: string },
  ): HttpsClient {
    const insecure = trustsAnybody || remote.insecureSkipTlsVerify;
    const { frontProxy, clock } = this.#options;
    const to = {
      ...at,
      ca: insecure ? undefined : remote.ca,
      cert: frontProxy?.cert,
      key: frontProxy?.key,
      insecureSkipTlsVerify: insecure,
    };
    const id = JSON.stringify(to);
    const known = this.#clients.get(id);
    // What was used last is last in line to go.
    this.#clients.delete(id);
    const client = known ?? createHttpsClient({ ...to, userAgent: 'kube-aggregator', timeoutMs, clock });
    this.#clients.set(id, client);
    if (this.#clients.size > clientsKept) {
      const [oldest] = this.#clients.keys();
      this.#clients.delete(oldest!);
    }
    return client;
  }
}
