// This server over real sockets with two extension servers beside it, one of them with the older documents alone; time passes when it is
// told to. Connections have the system's clock: they are real.
import { APIService, Service } from '../../../api/index.ts';
import { FakeClock, silentLog, systemClock } from '../../../base/index.ts';
import {
  createCa,
  createHttpsClient,
  type HttpsAnswer,
  type HttpsClient,
  type HttpsServer,
  issueCertificate,
  startHttpsServer,
} from '../../../http/index.ts';
import type { Draft, KubeObject } from '../../../machinery/index.ts';
import { ApiFixture, ExtensionServer } from '../../../testkit/index.ts';
import type { FrontProxy } from '../identity.ts';

export const base = '/apis/wardle.example.com/v1alpha1';
export const flunders = `${base}/namespaces/default/flunders`;
export const name = 'v1alpha1.wardle.example.com';
/** As a request's header says who asks. */
export const user = (text: string) => ({ 'x-user': text });

/** A service that leads to this machine. */
export const external = (called: string): Draft<Service> =>
  ({
    metadata: { name: called, namespace: 'default' },
    spec: { type: 'ExternalName', externalName: 'localhost' },
  }) as Draft<Service>;

export async function until(what: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (await what()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it did not happen');
}

export class AggregationWorld {
  readonly clock: FakeClock;
  readonly f: ApiFixture;
  readonly frontProxy: FrontProxy;
  readonly extension: ExtensionServer;
  readonly older: ExtensionServer;
  readonly server: HttpsServer;
  readonly http: HttpsClient;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;

  private constructor(
    parts: Pick<AggregationWorld, 'clock' | 'f' | 'frontProxy' | 'extension' | 'older' | 'server' | 'http'>,
  ) {
    this.clock = parts.clock;
    this.f = parts.f;
    this.frontProxy = parts.frontProxy;
    this.extension = parts.extension;
    this.older = parts.older;
    this.server = parts.server;
    this.http = parts.http;
    this.#running = this.f.api.keepUp(this.#stopping.signal);
  }

  static async start(): Promise<AggregationWorld> {
    const clock = new FakeClock(Date.parse('2026-01-02T03:04:05Z'));
    const nowMs = systemClock.nowMs();
    const ca = await createCa({ commonName: 'front-proxy-ca', days: 1, nowMs });
    const proxy = await issueCertificate(
      ca,
      { commonName: 'front-proxy-client', usage: 'client', days: 1 },
      nowMs,
    );
    const own = await issueCertificate(
      ca,
      { commonName: 'x', dnsNames: ['localhost'], usage: 'server', days: 1 },
      nowMs,
    );
    const frontProxy = { ...proxy, ca: ca.cert };
    const f = await ApiFixture.create({ clock, server: { frontProxy, clientCa: 'PEM' } });
    const server = await startHttpsServer({
      host: '127.0.0.1',
      port: 0,
      ...own,
      onRequest: f.api.onRequest,
      onUpgrade: f.api.onUpgrade,
      clock: systemClock,
      log: silentLog,
    });
    const frontProxyCa = ca.cert;
    return new AggregationWorld({
      clock,
      f,
      frontProxy,
      extension: await ExtensionServer.start({ frontProxyCa, names: ['wardle.default.svc'] }),
      older: await ExtensionServer.start({ frontProxyCa, names: ['older.default.svc'], isRecent: false }),
      server,
      http: createHttpsClient({
        server: `https://localhost:${server.port}`,
        ca: ca.cert,
        userAgent: 'test',
        timeoutMs: 60_000,
        clock: systemClock,
      }),
    });
  }

  /** The extension server is registered, and this one knows that it is there. */
  async register(): Promise<void> {
    const { client } = this.f.api;
    await client(APIService).create(this.apiService(['v1alpha1', 'wardle.example.com'], 'wardle'));
    await client(Service).create(external('wardle'));
    await this.becomes('Passed');
  }

  apiService(
    [version, group]: readonly [string, string],
    service: string,
    spec: object = {},
  ): Draft<APIService> {
    return {
      metadata: { name: `${version}.${group}` },
      spec: {
        group,
        version,
        groupPriorityMinimum: 2000,
        versionPriority: 15,
        service: { name: service, namespace: 'default', port: this.extension.port },
        caBundle: this.extension.caBundle,
        ...spec,
      },
    } as Draft<APIService>;
  }

  async ask(
    method: string,
    path: string,
    { headers = {}, body }: { headers?: Record<string, string>; body?: object } = {},
  ): Promise<HttpsAnswer<Buffer> & { text: string }> {
    const answer = await this.http.request({
      method,
      path,
      headers: { ...user('admin@system:masters'), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { ...answer, text: answer.body.toString('utf8') };
  }

  async json(path: string, headers: Record<string, string> = {}) {
    return JSON.parse((await this.ask('GET', path, { headers })).text);
  }

  /** The versions of wardle.example.com in aggregated discovery. */
  async discovered() {
    const { items } = await this.json('/apis', {
      accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
    });
    return items.find((item: KubeObject) => item.metadata.name === 'wardle.example.com').versions;
  }

  /** Whether an API service is there, and why not. */
  async condition(of = name) {
    const found = await this.f.api.client(APIService).get(of);
    return found.status?.conditions?.find(({ type }) => type === 'Available');
  }

  becomes(reason: string, of = name): Promise<void> {
    return this.#turns((found) => found?.reason === reason, of);
  }

  says(message: RegExp): Promise<void> {
    return this.#turns((found) => message.test(found?.message ?? ''), name);
  }

  /** Time passes in steps that leave a check under way its time. */
  #turns(
    is: (found: Awaited<ReturnType<AggregationWorld['condition']>>) => boolean,
    of: string,
  ): Promise<void> {
    return until(async () => {
      if (is(await this.condition(of))) return true;
      await this.clock.advance(100);
      return false;
    });
  }

  async stop(): Promise<void> {
    this.http.close();
    this.#stopping.abort();
    await this.#running;
    await this.server.close(0);
    await this.extension.stop();
    await this.older.stop();
    await this.f.close();
  }
}
