// nodes/NAME/proxy end to end: a client, the API server and a node's server, over sockets.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Node } from '../../api/index.ts';
import { MetricRegistry, seededRandom, silentLog, systemClock } from '../../base/index.ts';
import {
  createCa,
  createHttpsClient,
  type HttpsServer,
  issueCertificate,
  startHttpsServer,
} from '../../http/index.ts';
import { createMemoryBackend, createStore } from '../../storage/index.ts';
import { createApiServer } from '../api-server.ts';
import {
  createAuthenticator,
  createAuthorizer,
  everyoneAuthorizer,
  mastersAuthorizer,
} from '../auth/index.ts';

const clock = systemClock;
const log = silentLog;
const closing: (() => unknown)[] = [];
let http: ReturnType<typeof createHttpsClient>;

/** Answers what it was asked. */
const node = (ca: string, keys: { cert: string; key: string }): Promise<HttpsServer> =>
  startHttpsServer({
    host: '127.0.0.1',
    port: 0,
    ...keys,
    clientCa: ca,
    clock,
    log,
    onRequest(request, response) {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const { method, url, headers } = request;
        const told = { method, url, type: headers['content-type'], key: headers.authorization };
        response.writeHead(url?.startsWith('/teapot') ? 418 : 200, {
          'content-type': 'application/json',
          'x-node': 'yes',
        });
        response.end(JSON.stringify({ ...told, body: Buffer.concat(parts).toString() }));
      });
    },
    onUpgrade: (_, socket) => socket.destroy(),
  });

beforeAll(async () => {
  const nowMs = clock.nowMs();
  const ca = await createCa({ commonName: 'test', days: 1, nowMs });
  const serving = await issueCertificate(
    ca,
    { commonName: 'server', ips: ['127.0.0.1'], usage: 'server', days: 1 },
    nowMs,
  );
  const admin = await issueCertificate(
    ca,
    { commonName: 'admin', organizations: ['system:masters'], usage: 'client', days: 1 },
    nowMs,
  );
  const store = await createStore(await createMemoryBackend({ clock, log }), { clock, log });
  const api = createApiServer({
    store,
    clock,
    random: seededRandom(1),
    log,
    metrics: new MetricRegistry(),
    authenticate: createAuthenticator({ token: () => undefined, anonymous: 'refuse', clock }),
    authorize: createAuthorizer([mastersAuthorizer, everyoneAuthorizer]),
    nodeCredentials: { cert: admin.cert, key: admin.key, ca: ca.cert },
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
  });
  await api.bootstrap();
  const listener = { host: '127.0.0.1', port: 0, ...serving, clientCa: ca.cert, clock, log };
  const server = await startHttpsServer({ ...listener, onRequest: api.onRequest, onUpgrade: api.onUpgrade });
  const kubelet = await node(ca.cert, serving);
  for (const [name, runtime] of [
    ['n1', 'containerd://1'],
    ['sim-1', 'simulation://1'],
  ] as const)
    await api.client(Node).create({
      metadata: { name },
      spec: {},
      status: {
        addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
        daemonEndpoints: { kubeletEndpoint: { Port: kubelet.port } },
        nodeInfo: { containerRuntimeVersion: runtime },
      } as Node['status'],
    } as never);
  http = createHttpsClient({
    server: `https://127.0.0.1:${server.port}`,
    ca: ca.cert,
    ...admin,
    userAgent: 'test',
    timeoutMs: 5_000,
    clock,
  });
  closing.push(
    () => http.close(),
    () => server.close(0),
    () => kubelet.close(0),
    () => store.close(),
  );
});

afterAll(async () => {
  for (const close of closing) await close();
});

const ask = async (path: string, method = 'GET', body?: string) => {
  const answer = await http.request({
    method,
    path: `/api/v1/nodes/${path}`,
    ...(body !== undefined && { body: Buffer.from(body), headers: { 'content-type': 'text/plain' } }),
  });
  return { status: answer.status, told: JSON.parse(answer.body.toString()) as Record<string, unknown> };
};

test('path, query, method and body reach the node, and its status comes back', async () => {
  expect(await ask('n1/proxy/stats/summary?only_cpu_and_memory=true')).toMatchObject({
    status: 200,
    told: { method: 'GET', url: '/stats/summary?only_cpu_and_memory=true', body: '' },
  });
  expect(await ask('n1/proxy/run/x', 'POST', 'hello')).toMatchObject({
    status: 200,
    told: { method: 'POST', url: '/run/x', type: 'text/plain', body: 'hello' },
  });
  expect((await ask('n1/proxy/teapot')).status).toBe(418);
  expect(await ask('n1/proxy')).toMatchObject({ told: { url: '/' } });
});

test('a node that is not there, or has nothing that listens, is told', async () => {
  expect(await ask('n2/proxy/pods')).toMatchObject({
    status: 404,
    told: { message: 'nodes "n2" not found' },
  });
  expect(await ask('sim-1/proxy/pods')).toMatchObject({
    status: 400,
    told: { message: 'node sim-1 is simulated: nothing listens on it' },
  });
});
