// Posts to webhooks over HTTPS. What is asked and what the answer means is the caller's. Connections are kept from one call to the
// next; idle ones hold nobody up.
import type { admissionregistrationV1 } from '../../../api/index.ts';
import type { Clock, Random } from '../../../base/index.ts';
import {
  ConnectionError,
  connectionWords,
  createHttpsClient,
  type HttpsCall,
  type HttpsClient,
  type HttpsClientOptions,
} from '../../../http/index.ts';
import type { Store } from '../../../storage/index.ts';
import { type Destination, destinationOf, shownDestination } from './destination.ts';
import { refusalWords } from './refusal-words.ts';

export interface WebhookCallsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
}

export interface WebhookPost {
  readonly clientConfig: admissionregistrationV1.WebhookClientConfig;
  readonly timeoutSeconds: number;
  readonly body: object;
}

/** Destinations to which connections are kept. */
const clientsKept = 100;
const maxAnswerBytes = 3 * 1024 * 1024;

export class WebhookCalls {
  readonly #options: WebhookCallsOptions;
  readonly #clients = new Map<string, HttpsClient>();

  constructor(options: WebhookCallsOptions) {
    this.#options = options;
  }

  /**
   * The JSON of a 200. Rejects with an Error that says why there is none, and with the URL where nobody answered; webhooks bear
   * being asked twice.
   */
  async post({ clientConfig, timeoutSeconds, body }: WebhookPost): Promise<unknown> {
    const { store, clock, random } = this.#options;
    const { caBundle } = clientConfig;
    // The webhook is told how long it is waited for.
    const asked = (url: string): string => `${url}${url.includes('?') ? '&' : '?'}timeout=${timeoutSeconds}s`;
    const unanswered = (why: string, cause: unknown): Error =>
      new Error(`Post ${JSON.stringify(asked(shownDestination(clientConfig)))}: ${why}`, { cause });
    let to: Destination;
    try {
      to = destinationOf(clientConfig, store, random);
    } catch (error) {
      throw unanswered((error as Error).message, error);
    }
    const { server, path, serverName } = to;
    const ended = new AbortController();
    const timer = clock.after(timeoutSeconds * 1000, () =>
      ended.abort(new Error('context deadline exceeded')),
    );
    const client = this.#clientFor({
      server,
      serverName,
      ca:
        caBundle === undefined || caBundle === ''
          ? undefined
          : Buffer.from(caBundle, 'base64').toString('utf8'),
    });
    const call: HttpsCall = {
      method: 'POST',
      path: asked(path),
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(body),
      signal: ended.signal,
    };
    const answer = await client
      .request(call)
      .catch((error: unknown) => {
        // It had closed a connection that was kept, most likely.
        if (error instanceof ConnectionError && error.code === 'reset') return client.request(call);
        throw error;
      })
      .catch((error: unknown) => {
        throw unanswered(connectionWords(error, server), error);
      })
      .finally(() => timer.cancel());
    if (answer.status !== 200) throw new Error(refusalWords(answer.status, answer.body.toString('utf8')));
    if (answer.body.length > maxAnswerBytes) throw new Error('the answer is too large');
    return JSON.parse(answer.body.toString('utf8'));
  }

  #clientFor(to: Pick<HttpsClientOptions, 'server' | 'serverName' | 'ca'>): HttpsClient {
    const id = JSON.stringify([to.server, to.serverName, to.ca]);
    const known = this.#clients.get(id);
    // What was used last is last in line to go.
    this.#clients.delete(id);
    const client =
      known ??
      createHttpsClient({
        ...to,
        userAgent: 'kube-apiserver-admission',
        timeoutMs: 0,
        clock: this.#options.clock,
      });
    this.#clients.set(id, client);
    if (this.#clients.size > clientsKept) this.#clients.delete(this.#clients.keys().next().value!);
    return client;
  }
}
