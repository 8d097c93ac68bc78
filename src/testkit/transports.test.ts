// The contract of Transport, kept by the real ones: in-process, and HTTPS over a socket.
import { Namespace } from '../api/index.ts';
import {
  createApiServer,
  createAuthenticator,
  createAuthorizer,
  everyoneAuthorizer,
  mastersAuthorizer,
} from '../apiserver/index.ts';
import { systemClock as clock, seededRandom, silentLog } from '../base/index.ts';
import { createHttpsTransport, type Transport } from '../client/index.ts';
import { transportContract } from '../client/transport-contract.ts';
import { createCa, createHttpsClient, issueCertificate, startHttpsServer } from '../http/index.ts';
import { createMemoryBackend, createStore } from '../storage/index.ts';
import { deepFreeze } from './fake-objects.ts';

const nowMs = Date.now();
const ca = await createCa({ commonName: 'test', days: 1, nowMs });
const serving = await issueCertificate(
  ca,
  { commonName: 'server', dnsNames: ['localhost'], ips: ['127.0.0.1'], usage: 'server', days: 1 },
  nowMs,
);
const admin = await issueCertificate(
  ca,
  { commonName: 'admin', organizations: ['system:masters'], usage: 'client', days: 1 },
  nowMs,
);

async function apiServer() {
  const store = await createStore(await createMemoryBackend({ clock, log: silentLog }), {
    clock,
    log: silentLog,
  });
  const api = createApiServer({
    store,
    clock,
    random: seededRandom(1),
    log: silentLog,
    authenticate: createAuthenticator({ tokens: [], anonymous: 'refuse', clock }),
    authorize: createAuthorizer([mastersAuthorizer, everyoneAuthorizer]),
    nodeCredentials: { cert: admin.cert, key: admin.key, ca: ca.cert },
    version: { major: '1', minor: '35', gitVersion: 'v1.35.0' } as Parameters<
      typeof createApiServer
    >[0]['version'],
    serviceCidr: '10.96.0.0/16',
    nodePorts: [30000, 32767],
    defaultNotReadyTolerationSeconds: 300,
    defaultUnreachableTolerationSeconds: 300,
    advertiseAddress: '127.0.0.1',
    advertisePort: () => 6443,
  });
  await api.bootstrap();
  await api.client(Namespace).create({ metadata: { name: 'other' }, spec: {} });
  return { store, api };
}

transportContract('in process', async () => {
  const { store, api } = await apiServer();
  return {
    transport: api.transport,
    compact: () => store.compact(store.revision),
    close: () => store.close(),
  };
});

transportContract('HTTPS', async () => {
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
      timeoutMs: 5000,
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
});
