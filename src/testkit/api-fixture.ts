// An API server over an in-memory store, for tests: asked without a network (`ask`, `watch`) or through its client. Time stands
// still unless the test moves the clock. Whoever asks is named by the test, so no keys are made.
import { Readable, Writable } from 'node:stream';
import { Namespace } from '../api/index.ts';
import type { ApiServer, ApiServerOptions } from '../apiserver/index.ts';
import {
  createApiServer,
  createAuthorizer,
  everyoneAuthorizer,
  mastersAuthorizer,
  setFreezeShared,
} from '../apiserver/index.ts';
import {
  type Clock,
  FakeClock,
  MetricRegistry,
  type Random,
  seededRandom,
  settle,
  silentLog,
} from '../base/index.ts';
import type { HttpRequest, HttpResponse } from '../http/index.ts';
import { createMemoryBackend, createStore, type Store } from '../storage/index.ts';

export interface ApiFixtureOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  /** An existing store is a restart. */
  readonly store?: Store;
  readonly metrics?: MetricRegistry;
  /** What else should differ from a usual server. */
  readonly server?: Partial<ApiServerOptions>;
}

export interface Asking {
  /** JSON text of anything that is no string; strings and buffers go as they are. */
  readonly body?: unknown;
  readonly type?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** `name@group,group`; an administrator when nothing is said, '' = nobody. */
  readonly user?: string;
}

/** Whatever it was: tests look at it with their own eyes. */
type AnyJson = ReturnType<typeof JSON.parse>;

export interface Told {
  readonly code: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** The answer as JSON; throws when it is none. */
  readonly json: AnyJson;
}

/** What tests of the API server have no opinion about. Nothing in it depends on the machine. */
export const plainServer = {
  version: {
    major: '1',
    minor: '35',
    gitVersion: 'v1.35.0',
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '',
    goVersion: '',
    compiler: '',
    platform: 'linux/amd64',
  },
  serviceCidr: '10.96.0.0/16',
  nodePorts: [30000, 32767],
  defaultNotReadyTolerationSeconds: 300,
  defaultUnreachableTolerationSeconds: 300,
  advertiseAddress: '127.0.0.1',
  advertisePort: () => 6443,
} as const;

export class ApiFixture {
  readonly api: ApiServer;
  readonly store: Store;
  readonly clock: Clock;
  readonly metrics: MetricRegistry;

  private constructor(parts: { api: ApiServer; store: Store; clock: Clock; metrics: MetricRegistry }) {
    this.api = parts.api;
    this.store = parts.store;
    this.clock = parts.clock;
    this.metrics = parts.metrics;
  }

  /** With the namespaces of every cluster and `other`. */
  static async create(options: ApiFixtureOptions = {}): Promise<ApiFixture> {
    setFreezeShared(true);
    const clock = options.clock ?? new FakeClock(Date.parse('2026-01-02T03:04:05Z'));
    const log = silentLog;
    const metrics = options.metrics ?? new MetricRegistry();
    const store =
      options.store ??
      (await createStore(await createMemoryBackend({ clock, log }), { clock, log, metrics }));
    const api = createApiServer({
      store,
      clock,
      log,
      random: options.random ?? seededRandom(1),
      metrics,
      authenticate: userOfHeader,
      authorize: createAuthorizer([mastersAuthorizer, everyoneAuthorizer]),
      nodeCredentials: { cert: '', key: '', ca: '' },
      ...plainServer,
      advertiseAddress: '192.0.2.1',
      ...options.server,
    });
    await api.bootstrap();
    try {
      await api.client(Namespace).create({ metadata: { name: 'other' }, spec: {} });
    } catch {
      // there from before the restart
    }
    return new ApiFixture({ api, store, clock, metrics });
  }

  /** One request and its whole answer. */
  async ask(method: string, url: string, asking: Asking = {}): Promise<Told> {
    const response = new FakeResponse();
    this.api.onRequest(fakeRequest(method, url, asking), response as unknown as HttpResponse);
    await response.ended;
    return response.told;
  }

  /** The bytes of an answer that is no text. */
  async bytes(url: string, asking: Asking = {}): Promise<Buffer> {
    const response = new FakeResponse();
    this.api.onRequest(fakeRequest('GET', url, asking), response as unknown as HttpResponse);
    await response.ended;
    return response.bytes;
  }

  /** Moves the fake clock, once what was asked is waiting for it. */
  async pass(ms: number): Promise<void> {
    await settle();
    await (this.clock as FakeClock).advance(ms);
  }

  /** A request whose answer may be long in coming. */
  begin(method: string, url: string, asking: Asking = {}): FakeResponse {
    const response = new FakeResponse();
    this.api.onRequest(fakeRequest(method, url, asking), response as unknown as HttpResponse);
    return response;
  }

  /** A watch: `events()` are those that have come so far. Ends with `close()`. */
  async watch(url: string, asking: Asking = {}): Promise<FakeResponse> {
    const response = new FakeResponse();
    this.api.onRequest(fakeRequest('GET', url, asking), response as unknown as HttpResponse);
    await Promise.race([response.begun, response.ended]);
    return response;
  }

  close(): Promise<void> {
    return this.store.close();
  }
}

/** The user that fakeRequest wrote into a header; real authentication has its own tests. */
const userOfHeader = (request: HttpRequest) => {
  const text = String(request.headers['x-user'] ?? '');
  if (text === '') return undefined;
  const [name = '', groups = ''] = text.split('@');
  return { name, uid: '', groups: [...groups.split(',').filter((g) => g !== ''), 'system:authenticated'] };
};

function fakeRequest(method: string, url: string, asking: Asking): HttpRequest {
  const { body, type, accept, user = 'admin@system:masters' } = asking;
  const bytes =
    body === undefined
      ? Buffer.alloc(0)
      : Buffer.isBuffer(body)
        ? body
        : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const headers: Record<string, string> = { 'x-user': user, 'user-agent': 'test/1' };
  if (body !== undefined) headers['content-type'] = type ?? 'application/json';
  if (accept !== undefined) headers['accept'] = accept;
  Object.assign(headers, asking.headers);
  const request = Readable.from(bytes.length > 0 ? [bytes] : []);
  return Object.assign(request, {
    method,
    url,
    headers,
    rawHeaders: Object.entries(headers).flat(),
    httpVersionMajor: 2,
  }) as unknown as HttpRequest;
}

/** What a handler writes an answer to. With `stalled` nothing that is written is ever taken. */
export class FakeResponse extends Writable {
  statusCode = 200;
  headersSent = false;
  always: Record<string, unknown> | undefined = undefined;
  readonly begun: Promise<void>;
  readonly ended: Promise<void>;
  stalled = false;
  readonly #headers: Record<string, unknown> = {};
  readonly #chunks: Buffer[] = [];
  #begin: () => void = () => {};

  constructor() {
    super();
    this.begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.once('close', () => resolve());
    });
  }

  setHeader(name: string, value: unknown): this {
    this.#headers[name] = value;
    return this;
  }

  writeHead(code: number, headers: Record<string, unknown> = {}): this {
    this.statusCode = code;
    Object.assign(this.#headers, this.always, headers);
    this.headersSent = true;
    this.#begin();
    return this;
  }

  flushHeaders(): void {}

  override _write(chunk: Buffer | string, _encoding: unknown, done: () => void): void {
    this.#chunks.push(Buffer.from(chunk));
    if (!this.stalled) done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get told(): Told {
    const text = this.bytes.toString('utf8');
    return {
      code: this.statusCode,
      headers: this.#headers,
      text,
      get json() {
        return JSON.parse(text);
      },
    };
  }

  /** The events of a watch in JSON, so far. */
  events(): AnyJson[] {
    const lines = this.bytes.toString('utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
  }

  /** The client goes away. */
  close(): void {
    this.destroy();
  }
}
