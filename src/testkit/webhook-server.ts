// Somebody else's webhooks over real HTTPS: a test says what they answer and reads what they were asked.
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../base/index.ts';
import { createCa, issueCertificate } from '../http/index.ts';

/** Whatever it was: tests look at it with their own eyes. */
type AnyJson = ReturnType<typeof JSON.parse>;

export interface AskedWebhook {
  /** With its query. */
  readonly path: string;
  readonly review: AnyJson;
}

export class WebhookServer {
  /** In the order in which they came. */
  readonly asked: AskedWebhook[] = [];
  /** What is answered; undefined = nothing ever. */
  answer: (review: AnyJson, path: string) => object | undefined = () => undefined;
  status = 200;
  /** As configurations of webhooks have it. */
  readonly caBundle: string;
  readonly #server: Server;

  private constructor(parts: { caBundle: string; cert: string; key: string }) {
    const { caBundle, cert, key } = parts;
    this.caBundle = caBundle;
    this.#server = createServer({ cert, key }, (request, response) => {
      let text = '';
      request.on('data', (chunk) => {
        text += chunk;
      });
      request.on('end', () => {
        const asked = { path: request.url ?? '', review: JSON.parse(text) };
        this.asked.push(asked);
        const body = this.answer(asked.review, asked.path);
        if (body === undefined) return;
        response.statusCode = this.status;
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(body));
      });
    });
  }

  /** On this machine, under any port. `names` are others that its certificate is good for. */
  static async start(names: readonly string[] = []): Promise<WebhookServer> {
    const nowMs = systemClock.nowMs();
    const ca = await createCa({ commonName: 'webhooks', days: 1, nowMs });
    const dnsNames = ['localhost', ...names];
    const request = { commonName: 'w', dnsNames, ips: ['127.0.0.1'], usage: 'server', days: 1 } as const;
    const { cert, key } = await issueCertificate(ca, request, nowMs);
    const self = new WebhookServer({ caBundle: Buffer.from(ca.cert).toString('base64'), cert, key });
    await new Promise<void>((resolve) => self.#server.listen(0, '127.0.0.1', resolve));
    return self;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
