// An API server of somebody else, as small as one can be: flunders of wardle.example.com/v1alpha1 in memory, over real TLS. It believes
// only who shows a certificate of the front proxy, and remembers who it was told asks.
import type { Duplex } from 'node:stream';
import { silentLog, systemClock } from '../base/index.ts';
import {
  connectionOf,
  createCa,
  type HttpRequest,
  type HttpResponse,
  type HttpsServer,
  issueCertificate,
  type KeyPairPem,
  readBody,
  startHttpsServer,
} from '../http/index.ts';
import { flunderDocumentV2, flunderDocumentV3 } from './flunder-documents.ts';

export interface ExtensionServerOptions {
  /** PEM of the authority behind the front proxy's certificate. */
  readonly frontProxyCa: string;
  /** The names in its own certificate: that of its service. */
  readonly names: readonly string[];
  readonly host?: string;
  readonly port?: number;
  /** False = it speaks only the older documents of discovery and of OpenAPI. */
  readonly isRecent?: boolean;
}

/** One request, as the server was told of it. */
export interface ToldOf {
  readonly method: string;
  readonly url: string;
  /** The name in the certificate. */
  readonly shown: string;
  readonly user: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly headers: HttpRequest['headers'];
}

export const flunderGroup = { group: 'wardle.example.com', version: 'v1alpha1' } as const;
const base = `/apis/${flunderGroup.group}/${flunderGroup.version}`;
const groupVersion = `${flunderGroup.group}/${flunderGroup.version}`;

interface Flunder {
  apiVersion: string;
  kind: string;
  metadata: Record<string, unknown> & { name: string; namespace: string };
}

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'update', 'watch'];

export class ExtensionServer {
  readonly asked: ToldOf[] = [];
  /** As an APIService has it. */
  readonly caBundle: string;
  /** Called before each answer; what it returns, at once or later, is the code of an answer without more. */
  interfere: ((request: ToldOf) => number | undefined | Promise<number | undefined>) | undefined;
  readonly #options: ExtensionServerOptions;
  readonly #keys: KeyPairPem;
  readonly #flunders = new Map<string, Flunder>();
  readonly #watches = new Set<HttpResponse>();
  #revision = 10;
  #server: HttpsServer | undefined;
  #port = 0;

  private constructor(options: ExtensionServerOptions, keys: KeyPairPem, ca: string) {
    this.#options = options;
    this.#keys = keys;
    this.caBundle = Buffer.from(ca).toString('base64');
    this.#port = options.port ?? 0;
  }

  static async start(options: ExtensionServerOptions): Promise<ExtensionServer> {
    const nowMs = systemClock.nowMs();
    const ca = await createCa({ commonName: 'extension', days: 1, nowMs });
    const keys = await issueCertificate(
      ca,
      { commonName: 'extension', dnsNames: options.names, usage: 'server', days: 1 },
      nowMs,
    );
    const server = new ExtensionServer(options, keys, ca.cert);
    await server.listen();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get names(): string[] {
    return [...this.#flunders.keys()];
  }

  /** Again, on the same port, after a stop. */
  async listen(): Promise<void> {
    const { host = '127.0.0.1', frontProxyCa } = this.#options;
    this.#server = await startHttpsServer({
      host,
      port: this.#port,
      ...this.#keys,
      clientCa: frontProxyCa,
      onRequest: (request, response) => {
        this.#answer(request, response).catch((error: unknown) => {
          if (!response.headersSent) sendStatus(response, 500, String(error));
        });
      },
      onUpgrade: (request, socket, head) => this.#talk(request, socket, head),
      clock: systemClock,
      log: silentLog,
    });
    this.#port = this.#server.port;
  }

  async stop(): Promise<void> {
    for (const watch of this.#watches) watch.end();
    await this.#server?.close(0);
    this.#server = undefined;
  }

  #note(request: HttpRequest): ToldOf {
    const header = (name: string) => String(request.headers[name] ?? '');
    const groups: string[] = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      if (request.rawHeaders[i]?.toLowerCase() === 'x-remote-group') groups.push(request.rawHeaders[i + 1]!);
    const told = {
      method: request.method ?? '',
      url: request.url ?? '',
      shown: connectionOf(request).peer?.commonName ?? '',
      user: header('x-remote-user'),
      uid: header('x-remote-uid'),
      groups,
      headers: request.headers,
    };
    this.asked.push(told);
    return told;
  }

  /** Says what it was asked, then says back whatever it hears. */
  #talk(request: HttpRequest, socket: Duplex, head: Buffer): void {
    const told = this.#note(request);
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n${told.user} ${told.url} ${head}`,
    );
    socket.pipe(socket);
  }

  async #answer(request: HttpRequest, response: HttpResponse): Promise<void> {
    const told = this.#note(request);
    const body = await readBody(request, 1024 * 1024);
    const code = await this.interfere?.(told);
    if (code !== undefined) return sendStatus(response, code, `the test wants ${code}`);
    if (told.shown !== 'front-proxy-client') return sendStatus(response, 401, 'Unauthorized');
    const url = new URL(told.url, 'https://extension');
    if (this.#discover(url, request, response)) return;
    if (!url.pathname.startsWith(`${base}/`)) return sendStatus(response, 404, 'not found');
    const text = 'bytes' in body && body.bytes instanceof Buffer ? body.bytes.toString('utf8') : '';
    return this.#serve({ url, method: told.method, text }, response);
  }

  /** Discovery and OpenAPI. */
  #discover({ pathname }: URL, request: HttpRequest, response: HttpResponse): boolean {
    const { isRecent = true } = this.#options;
    const accept = String(request.headers.accept ?? '');
    const flunders = { singularResource: 'flunder', verbs, shortNames: ['fl'] };
    const kind = { ...flunderGroup, kind: 'Flunder' };
    if (pathname === '/apis' && isRecent && accept.includes('as=APIGroupDiscoveryList')) {
      const resource = { ...flunders, resource: 'flunders', responseKind: kind, scope: 'Namespaced' };
      const version = { version: flunderGroup.version, freshness: 'Current', resources: [resource] };
      sendJson(
        response,
        {
          kind: 'APIGroupDiscoveryList',
          apiVersion: 'apidiscovery.k8s.io/v2',
          metadata: {},
          items: [{ metadata: { name: flunderGroup.group }, versions: [version] }],
        },
        'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
      );
    } else if (pathname === '/apis')
      sendJson(response, { kind: 'APIGroupList', apiVersion: 'v1', groups: [] });
    else if (pathname === base)
      sendJson(response, {
        kind: 'APIResourceList',
        apiVersion: 'v1',
        groupVersion,
        resources: [
          {
            name: 'flunders',
            singularName: 'flunder',
            namespaced: true,
            kind: 'Flunder',
            verbs,
            shortNames: ['fl'],
          },
        ],
      });
    else if (pathname === '/openapi/v2') sendJson(response, flunderDocumentV2);
    else if (pathname === '/openapi/v3' && isRecent)
      sendJson(response, {
        paths: { [base.slice(1)]: { serverRelativeURL: `/openapi/v3${base}?hash=ABC` } },
      });
    else if (pathname === `/openapi/v3${base}` && isRecent) sendJson(response, flunderDocumentV3);
    else return false;
    return true;
  }

  #serve({ url, method, text }: { url: URL; method: string; text: string }, response: HttpResponse): void {
    const matched = /^\/(?:namespaces\/([^/]+)\/)?flunders(?:\/([^/]+))?$/.exec(
      url.pathname.slice(base.length),
    );
    if (matched === null) {
      sendStatus(response, 404, 'not found');
      return;
    }
    const [, namespace = '', name = ''] = matched;
    const [, wanted] = /^metadata\.name=(.+)$/.exec(url.searchParams.get('fieldSelector') ?? '') ?? [];
    const here = [...this.#flunders.values()].filter(
      ({ metadata }) =>
        (namespace === '' || metadata.namespace === namespace) &&
        (wanted === undefined || metadata.name === wanted),
    );
    const key = `${namespace}/${name}`;
    const found = this.#flunders.get(key);
    if (method === 'GET' && name === '' && url.searchParams.get('watch') !== null) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      this.#watches.add(response);
      response.once('close', () => this.#watches.delete(response));
    } else if (method === 'GET' && name === '')
      sendJson(response, {
        kind: 'FlunderList',
        apiVersion: groupVersion,
        metadata: { resourceVersion: String(this.#revision) },
        items: here,
      });
    else if (method === 'POST') {
      const made = JSON.parse(text) as Flunder;
      this.#revision++;
      const flunder = {
        ...made,
        metadata: {
          ...made.metadata,
          namespace,
          uid: `uid-${this.#revision}`,
          resourceVersion: String(this.#revision),
        },
      };
      this.#flunders.set(`${namespace}/${made.metadata.name}`, flunder);
      this.#tell('ADDED', flunder);
      sendJson(response, flunder, 'application/json', 201);
    } else if (method === 'DELETE' && name === '') {
      for (const flunder of here) this.#remove(flunder);
      sendJson(response, { kind: 'Status', apiVersion: 'v1', status: 'Success' });
    } else if (found === undefined)
      sendStatus(response, 404, `flunders.wardle.example.com "${name}" not found`);
    else {
      if (method === 'DELETE') this.#remove(found);
      sendJson(response, found);
    }
  }

  #remove(flunder: Flunder): void {
    this.#flunders.delete(`${flunder.metadata.namespace}/${flunder.metadata.name}`);
    this.#tell('DELETED', flunder);
  }

  #tell(type: string, object: Flunder): void {
    for (const watch of this.#watches) watch.write(`${JSON.stringify({ type, object })}\n`);
  }
}

function sendJson(response: HttpResponse, body: object, type = 'application/json', code = 200): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(code, { 'content-type': type, 'content-length': bytes.length });
  response.end(bytes);
}

const reasons: Readonly<Record<number, string>> = { 401: 'Unauthorized', 404: 'NotFound' };

const sendStatus = (response: HttpResponse, code: number, message: string): void =>
  sendJson(
    response,
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason: reasons[code],
      code,
    },
    'application/json',
    code,
  );
