// NAME/proxy of nodes and services end to end: a client, the API server, and a node's server or a workload, over sockets.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Endpoints, Node, Pod, Service } from '../../api/index.ts';
import { MetricRegistry, seededRandom, silentLog, systemClock } from '../../base/index.ts';
import {
  createCa,
  createHttpsClient,
  type HttpsServer,
  issueCertificate,
  startHttpsServer,
} from '../../http/index.ts';
import type { KubeObject } from '../../machinery/index.ts';
import { createMemoryBackend, createStore } from '../../storage/index.ts';
import { plainServer } from '../../testkit/index.ts';
import { createApiServer } from '../api-server.ts';
import {
  createAuthenticator,
  createAuthorizer,
  everyoneAuthorizer,
  mastersAuthorizer,
} from '../auth/index.ts';
import { commit } from '../registry/core.ts';
import { keyFor } from '../registry/objects.ts';

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

const page = '<a href="/next">next</a>';

/** A workload: pages, and an echo behind an upgrade. Resolves to its port. */
const workload = async (): Promise<number> => {
  const server = createServer((request, response) => {
    const { url, headers } = request;
    if (url === '/page') response.setHeader('content-type', 'text/html; charset=utf-8').end(page);
    else if (url === '/packed')
      response
        .writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' })
        .end(gzipSync(page));
    else if (url === '/elsewhere') response.writeHead(302, { location: '/next' }).end();
    else response.end(JSON.stringify({ method: request.method, url, headers }));
  });
  server.on('upgrade', (request, socket, head) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n${request.url} ${head}`,
    );
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
};

let secured: { port: number; ca: string; cert: string; key: string };

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
    ...plainServer,
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
  const port = await workload();
  const metadata = { name: 'web', namespace: 'default' };
  await api.client(Pod).create({
    metadata,
    spec: { containers: [{ name: 'c', image: 'i' }] },
  } as never);
  await api.client(Pod).create({
    metadata: { name: 'logged', namespace: 'default' },
    spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }] },
  } as never);
  const placed = await api.client(Pod).get('web', 'default');
  await api.client(Pod).updateStatus({
    ...placed,
    status: { ...placed.status, podIPs: [{ ip: '127.0.0.1' }], podIP: '127.0.0.1' },
  });
  const ports = [{ name: 'http', port: 81, targetPort: port }];
  await api.client(Service).create({ metadata, spec: { ports } } as never);
  const targetRef = { kind: 'Pod', name: 'web', namespace: 'default' };
  const endpoints = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { ...metadata, uid: 'e', creationTimestamp: '2026-01-01T00:00:00Z' },
    subsets: [
      { addresses: [{ ip: '127.0.0.1', targetRef }, { ip: '127.0.0.2' }], ports: [{ name: 'http', port }] },
      { addresses: [{ ip: '127.0.0.1', targetRef }], ports: [{ name: 'closed', port: 1 }] },
    ],
  } as unknown as KubeObject;
  // Past the rules: no service leads to loopback, and a test must not lead elsewhere.
  await commit(
    { store },
    { key: keyFor(Endpoints as never, 'default', 'web'), object: endpoints, expect: 0 },
  );
  secured = { port: server.port, ca: ca.cert, ...admin };
  http = createHttpsClient({
    server: `https://127.0.0.1:${server.port}`,
    ca: ca.cert,
    ...admin,
    userAgent: 'test',
    timeoutMs: 60_000,
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
  expect(await ask('n1/proxy/')).toMatchObject({ told: { url: '/' } });
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

const services = '/api/v1/namespaces/default/services';

const askService = async (path: string, method = 'GET') => {
  const { status, headers, body } = await http.request({ method, path: `${services}/${path}` });
  return { status, headers, body: body.toString() };
};

test('a service is reached by the name and the number of its port', async () => {
  for (const name of ['web:http', 'web:81', 'http:web:http'])
    expect(JSON.parse((await askService(`${name}/proxy/a?b=c`)).body)).toMatchObject({
      method: 'GET',
      url: '/a?b=c',
      headers: { 'x-forwarded-uri': `${services}/${name}/proxy/a`, 'x-forwarded-for': expect.anything() },
    });
  expect(JSON.parse((await askService('web:81/proxy', 'PUT')).body)).toMatchObject({
    method: 'PUT',
    url: '/',
  });
  expect(JSON.parse((await askService('web:81/proxy/', 'OPTIONS')).body)).toMatchObject({
    method: 'OPTIONS',
  });
});

test('a read without a path is sent on to the root', async () => {
  expect(await askService('web:81/proxy?a=b')).toMatchObject({
    status: 301,
    headers: { location: `${services}/web:81/proxy/?a=b` },
  });
});

test('links and redirects lead through the proxy again', async () => {
  const rewritten = `<a href="${services}/web:81/proxy/next">next</a>`;
  expect((await askService('web:81/proxy/page')).body).toBe(rewritten);
  expect((await askService('web:81/proxy/packed')).body).toBe(rewritten);
  expect(await askService('web:81/proxy/elsewhere')).toMatchObject({
    status: 302,
    headers: { location: `${services}/web:81/proxy/next` },
  });
});

test.each([
  ['a:b:c:d', 400, 'invalid service request "a:b:c:d"'],
  ['nobody:http', 404, 'endpoints "nobody" not found'],
  ['web:82', 503, 'no service port 82 found for service "web"'],
  ['web', 503, 'no endpoints available for service "web"'],
  ['web:closed', 503, 'error trying to reach service: dial tcp 127.0.0.1:1: connect: connection refused'],
])('what cannot be reached is told: %s', async (name, status, message) => {
  const answer = await askService(`${name}/proxy/`);
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.body)).toMatchObject({ message });
});

test('a pod does not lead to the surroundings of the API server', async () => {
  const answer = await http.request({ method: 'GET', path: '/api/v1/namespaces/default/pods/web:80/proxy/' });
  expect(JSON.parse(answer.body.toString())).toMatchObject({ code: 400, message: 'address not allowed' });
});

test('an upgraded connection reaches the workload', async () => {
  const { port, ...keys } = secured;
  const socket = connect({ host: '127.0.0.1', port, ...keys, ALPNProtocols: ['http/1.1'] });
  closing.push(() => socket.destroy());
  socket.write(
    `GET ${services}/web:81/proxy/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`,
  );
  let heard = '';
  for await (const part of socket) {
    heard += String(part);
    if (heard.endsWith('/ws ')) socket.write('hello');
    if (heard.endsWith('hello')) break;
  }
  expect(heard).toMatch(/^HTTP\/1.1 101 [\s\S]*\/ws hello$/);
});

const messages = (path: string, protocols: readonly string[] = []) =>
  new Promise<{ protocol: string; heard: { text: string; binary: boolean }[] }>((resolve, reject) => {
    const { port, ...keys } = secured;
    const socket = new WebSocket(`wss://127.0.0.1:${port}${path}`, [...protocols], { ...keys });
    const heard: { text: string; binary: boolean }[] = [];
    socket.on('message', (data, binary) => heard.push({ text: String(data), binary }));
    socket.on('error', reject);
    socket.on('close', () => resolve({ protocol: socket.protocol, heard }));
    closing.push(() => socket.terminate());
  });

const logOf = '/api/v1/namespaces/default/pods/logged/log';

test('a log is followed over WebSocket', async () => {
  expect(await messages(logOf)).toEqual({
    protocol: '',
    heard: [
      { text: '', binary: true },
      { text: expect.stringContaining('"/containerLogs/default/logged/c"'), binary: true },
    ],
  });
  const { protocol, heard } = await messages(logOf, ['other', 'base64.binary.k8s.io']);
  expect([protocol, heard.map((one) => one.binary)]).toEqual(['base64.binary.k8s.io', [false, false]]);
  expect(Buffer.from(heard[1]!.text, 'base64').toString()).toContain('/containerLogs/');
});

test('a watch is followed over WebSocket, an event a message', async () => {
  const { heard } = await messages('/api/v1/nodes?watch=true&timeoutSeconds=1');
  expect(
    heard.map(({ text, binary }) => [binary, JSON.parse(text).type, JSON.parse(text).object.metadata.name]),
  ).toEqual([
    [false, 'ADDED', 'n1'],
    [false, 'ADDED', 'sim-1'],
  ]);
});

test('what cannot be followed is refused before a WebSocket is opened', async () => {
  await expect(messages(`${logOf}?container=x`)).rejects.toThrow('Unexpected server response: 400');
  await expect(messages('/api/v1/namespaces/default/pods/none/log')).rejects.toThrow('404');
  await expect(messages(logOf, ['other'])).rejects.toThrow('403');
});
