// A real API server over a memory store, reached in process or through a socket with client certificates. For tests that must know
// that a fake behaves as the real thing. Real time: sockets know no other.
import { Namespace } from '../api/index.ts';
import {
  createApiServer,
  createAuthenticator,
  createAuthorizer,
  everyoneAuthorizer,
  mastersAuthorizer,
} from '../apiserver/index.ts';
import { systemClock as clock, MetricRegistry, seededRandom, silentLog } from '../base/index.ts';
import { createHttpsTransport, type Transport } from '../client/index.ts';
import {
  createCa,
  createHttpsClient,
  issueCertificate,
  type KeyPairPem,
  startHttpsServer,
} from '../http/index.ts';
import { createMemoryBackend, createStore } from '../storage/index.ts';
import { plainServer } from './api-fixture.ts';
import { deepFreeze } from './fake-objects.ts';

export interface ServedTransport {
  readonly transport: Transport;
  /** Makes the server forget all changes so far. */
  compact(): Promise<void>;
  close(): Promise<void>;
}

interface Keys {
  readonly ca: KeyPairPem;
  readonly serving: KeyPairPem;
  readonly admin: KeyPairPem;
}

let made: Promise<Keys> | undefined;

/** Once per process: keys are slow to make. */
const keys = (): Promise<Keys> => (made ??= makeKeys());

async function makeKeys(): Promise<Keys> {
  const nowMs = clock.nowMs();
  const ca = await createCa({ commonName: 'test', days: 1, nowMs });
  const names = { dnsNames: ['localhost'], ips: ['127.0.0.1'] };
  const serving = await issueCertificate(
    ca,
    { commonName: 'server', ...names, usage: 'server', days: 1 },
    nowMs,
  );
  const groups = { organizations: ['system:masters'] };
  const admin = await issueCertificate(
    ca,
    { commonName: 'admin', ...groups, usage: 'client', days: 1 },
    nowMs,
  );
  return { ca, serving, admin };
}

/** With the namespaces `default` and `other`. */
async function apiServer() {
  const { ca, admin } = await keys();
  const store = await createStore(await createMemoryBackend({ clock, log: silentLog }), {
    clock,
    log: silentLog,
  });
  const api = createApiServer({
    store,
    clock,
    random: seededRandom(1),
    log: silentLog,
    metrics: new MetricRegistry(),
    authenticate: createAuthenticator({ token: () => undefined, anonymous: 'refuse', clock }),
    authorize: createAuthorizer([mastersAuthorizer, everyoneAuthorizer]),
    nodeCredentials: { cert: admin.cert, key: admin.key, ca: ca.cert },
    ...plainServer,
  });
  await api.bootstrap();
  await api.client(Namespace).create({ metadata: { name: 'other' }, spec: {} });
  return { store, api };
}

export async function inProcessApiServer(): Promise<ServedTransport> {
  const { store, api } = await apiServer();
  return {
    transport: api.transport,
    compact: () => store.compact(store.revision),
    close: () => store.close(),
  };
}

export async function httpsApiServer(): Promise<ServedTransport> {
  const { ca, serving, admin } = await keys();
  const { store, api } = await apiServer();
  const server = await startHttpsServer({
    host: '127.0.0.1',
    port: 0,
    cert: serving.cert,
    key: serving.key,
    clientCa: ca.cert,
    onRequest: api.onRequest,
    onUpgrade: api.onUpgrade,
    clock,
    log: silentLog,
  });
  const transport: Transport = createHttpsTransport({
    http: createHttpsClient({
      server: `https://127.0.0.1:${server.port}`,
      ca: ca.cert,
      cert: admin.cert,
      key: admin.key,
      userAgent: 'contract',
      timeoutMs: 60_000,
      clock,
    }),
    clock,
    received: deepFreeze,
  });
  return {
    transport,
    compact: () => store.compact(store.revision),
    async close() {
      await transport.close();
      await server.close(0);
      await store.close();
    },
  };
}
