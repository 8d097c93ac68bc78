// The aggregation layer end to end: clients, this server, and an extension server behind a service, over sockets.
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { APIService, ConfigMap, Service } from '../../api/index.ts';
import { FakeClock, seededRandom, silentLog, systemClock } from '../../base/index.ts';
import {
  createCa,
  createHttpsClient,
  type HttpsAnswer,
  type HttpsClient,
  type HttpsServer,
  issueCertificate,
  startHttpsServer,
} from '../../http/index.ts';
import type { Draft, KindDef, KubeObject } from '../../machinery/index.ts';
import { ApiFixture, ExtensionServer, sampleOf } from '../../testkit/index.ts';
import { KindTable } from '../registry/kind-table.ts';
import { Aggregator } from './aggregator.ts';
import type { FrontProxy } from './identity.ts';

const base = '/apis/wardle.example.com/v1alpha1';
const flunders = `${base}/namespaces/default/flunders`;
const name = 'v1alpha1.wardle.example.com';
const clock = new FakeClock(Date.parse('2026-01-02T03:04:05Z'));
const stopping = new AbortController();

let f: ApiFixture;
let frontProxy: FrontProxy;
let extension: ExtensionServer;
let older: ExtensionServer;
let server: HttpsServer;
let http: HttpsClient;
let running: Promise<void>;

const apiService = (
  [version, group]: readonly [string, string],
  service: string,
  spec: object = {},
): Draft<APIService> =>
  ({
    metadata: { name: `${version}.${group}` },
    spec: {
      group,
      version,
      groupPriorityMinimum: 2000,
      versionPriority: 15,
      service: { name: service, namespace: 'default', port: extension.port },
      caBundle: extension.caBundle,
      ...spec,
    },
  }) as Draft<APIService>;

const external = (called: string): Draft<Service> =>
  ({
    metadata: { name: called, namespace: 'default' },
    spec: { type: 'ExternalName', externalName: 'localhost' },
  }) as Draft<Service>;

const user = (text: string) => ({ 'x-user': text });

const ask = async (
  method: string,
  path: string,
  { headers = {}, body }: { headers?: Record<string, string>; body?: object } = {},
): Promise<HttpsAnswer<Buffer> & { text: string }> => {
  const answer = await http.request({
    method,
    path,
    headers: { ...user('admin@system:masters'), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { ...answer, text: answer.body.toString('utf8') };
};
const json = async (path: string, headers: Record<string, string> = {}) =>
  JSON.parse((await ask('GET', path, { headers })).text);

const until = async (what: () => Promise<boolean> | boolean): Promise<void> => {
  for (let i = 0; i < 3000; i++) {
    if (await what()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it did not happen');
};

const condition = async (of = name) => {
  const found = await f.api.client(APIService).get(of);
  return found.status?.conditions?.find(({ type }) => type === 'Available');
};
/** Time passes in steps that leave a check under way its time. */
const turns = (is: (found: Awaited<ReturnType<typeof condition>>) => boolean, of = name) =>
  until(async () => {
    if (is(await condition(of))) return true;
    await clock.advance(100);
    return false;
  });
const becomes = (reason: string, of = name) => turns((found) => found?.reason === reason, of);
const says = (message: RegExp) => turns((found) => message.test(found?.message ?? ''));

beforeAll(async () => {
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
  frontProxy = { ...proxy, ca: ca.cert };
  f = await ApiFixture.create({ clock, server: { frontProxy, clientCa: 'PEM' } });
  const frontProxyCa = ca.cert;
  extension = await ExtensionServer.start({ frontProxyCa, names: ['wardle.default.svc'] });
  older = await ExtensionServer.start({ frontProxyCa, names: ['older.default.svc'], isRecent: false });
  server = await startHttpsServer({
    host: '127.0.0.1',
    port: 0,
    ...own,
    onRequest: f.api.onRequest,
    onUpgrade: f.api.onUpgrade,
    clock: systemClock,
    log: silentLog,
  });
  http = createHttpsClient({
    server: `https://localhost:${server.port}`,
    ca: ca.cert,
    userAgent: 'test',
    timeoutMs: 60_000,
    clock: systemClock,
  });
  running = f.api.keepUp(stopping.signal);
});

afterAll(async () => {
  http.close();
  stopping.abort();
  await running;
  await server.close(0);
  await extension.stop();
  await older.stop();
  await f.close();
});

describe('an API service', () => {
  test('is not there without its service, and says why', async () => {
    const { api } = f;
    await api.client(APIService).create(apiService(['v1alpha1', 'wardle.example.com'], 'wardle'));
    await becomes('ServiceNotFound');
    expect(await condition()).toMatchObject({
      status: 'False',
      message: 'service/wardle in "default" is not present',
    });
    const { status, text, headers } = await ask('GET', flunders);
    expect([status, text, headers['content-type']]).toEqual([
      503,
      'service unavailable\n',
      'text/plain; charset=utf-8',
    ]);
    const groups = await json('/apis', {
      accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
    });
    expect(
      groups.items.find((item: KubeObject) => item.metadata.name === 'wardle.example.com').versions,
    ).toEqual([{ version: 'v1alpha1', freshness: 'Stale', resources: [] }]);
  });

  test('is there once its service is', async () => {
    await f.api.client(Service).create(external('wardle'));
    await becomes('Passed');
    expect(await condition()).toMatchObject({ status: 'True', message: 'all checks passed' });
    const check = extension.asked.find(({ url }) => url === base);
    expect(check).toMatchObject({
      shown: 'front-proxy-client',
      user: 'system:kube-aggregator',
      groups: ['system:masters'],
    });
  });
});

describe('a request', () => {
  test('is handed on with the user, and nothing that he claims of himself', async () => {
    extension.asked.length = 0;
    const body = { apiVersion: 'wardle.example.com/v1alpha1', kind: 'Flunder', metadata: { name: 'a' } };
    const { status, text } = await ask('POST', `${flunders}?fieldManager=me`, {
      headers: {
        ...user('jane@system:masters,dev team'),
        authorization: 'Bearer secret',
        'x-remote-user': 'root',
        'X-Remote-Extra-Scopes': 'all',
        'content-type': 'application/json',
      },
      body,
    });
    expect([status, JSON.parse(text).metadata]).toMatchObject([201, { name: 'a', namespace: 'default' }]);
    const told = extension.asked.find((one) => one.method === 'POST');
    expect(told).toMatchObject({
      method: 'POST',
      url: `${flunders}?fieldManager=me`,
      shown: 'front-proxy-client',
      user: 'jane',
      groups: ['system:masters', 'dev team', 'system:authenticated'],
    });
    expect(Object.keys(told!.headers)).not.toContain('authorization');
    expect(Object.keys(told!.headers)).not.toContain('x-remote-extra-scopes');
  });

  test.each([
    ['GET', `${flunders}/a`, 200],
    ['GET', `${flunders}/b`, 404],
    ['GET', base, 200],
    ['GET', `${base}/`, 404],
  ])('%s %s: %s', async (method, path, code) => {
    expect((await ask(method, path)).status).toBe(code);
  });

  test('is asked of our own authorizers first', async () => {
    extension.asked.length = 0;
    const { status, text } = await ask('GET', flunders, { headers: user('jane') });
    expect([status, JSON.parse(text).message]).toEqual([
      403,
      expect.stringContaining(
        'User "jane" cannot list resource "flunders" in API group "wardle.example.com"',
      ),
    ]);
    expect(extension.asked).toEqual([]);
  });

  test('has as long as one to this server', async () => {
    let release = (): void => {};
    const held = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined);
    });
    extension.interfere = ({ url }) => (url.endsWith('timeout=1s') ? held : undefined);
    extension.asked.length = 0;
    const asking = ask('GET', `${flunders}?timeout=1s`);
    await until(() => extension.asked.some(({ url }) => url.endsWith('timeout=1s')));
    await clock.advance(1000);
    const { status, text } = await asking;
    // What comes now, nobody waits for.
    release();
    expect([status, JSON.parse(text).message]).toEqual([
      504,
      'Timeout: request did not complete within the allotted timeout',
    ]);
    extension.interfere = undefined;
    expect((await ask('GET', flunders)).status).toBe(200);
  });

  test('may go on for as long as both like', async () => {
    const answer = await http.stream({
      method: 'GET',
      path: `${flunders}?watch=true`,
      headers: user('admin@system:masters'),
    });
    const first = new Promise((resolve) => answer.body.once('data', (chunk) => resolve(String(chunk))));
    await until(() => extension.asked.some(({ url }) => url.endsWith('watch=true')));
    await ask('POST', flunders, { body: { metadata: { name: 'seen' } } });
    expect(JSON.parse((await first) as string)).toMatchObject({
      type: 'ADDED',
      object: { metadata: { name: 'seen' } },
    });
    answer.body.destroy();
  });

  test('to go on in another protocol is handed on', async () => {
    const socket = connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false });
    const heard: string[] = [];
    socket.on('data', (chunk) => heard.push(String(chunk)));
    socket.write(
      `GET ${flunders}/a/talk HTTP/1.1\r\nHost: x\r\nX-User: jane@system:masters\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`,
    );
    await until(() => heard.join('').includes(`jane ${flunders}/a/talk`));
    socket.write('hello');
    await until(() => heard.join('').endsWith('hello'));
    expect(heard.join('')).toMatch(/^HTTP\/1.1 101 /);
    socket.destroy();
  });

  test('of the server’s own parts goes there too', async () => {
    const kind = {
      group: 'wardle.example.com',
      version: 'v1alpha1',
      apiVersion: 'wardle.example.com/v1alpha1',
      kind: 'Flunder',
      plural: 'flunders',
      scope: 'Namespaced',
    } as unknown as KindDef;
    const found = await f.api.client(kind).get('a', 'default');
    expect(found.metadata.name).toBe('a');
    expect(extension.asked.at(-1)).toMatchObject({ user: 'system:apiserver' });
    const resources = await f.api.transport.resources({ group: 'wardle.example.com', version: 'v1alpha1' });
    expect(resources.map((one) => one.name)).toEqual(['flunders']);
  });
});

describe('discovery', () => {
  test('lists the group where its priority puts it', async () => {
    const names = (await json('/apis')).groups.map((group: { name: string }) => group.name);
    expect([names[0], names.at(-2), names.at(-1)]).toEqual([
      'apiregistration.k8s.io',
      'wardle.example.com',
      'metrics.k8s.io',
    ]);
    expect((await json('/apis/wardle.example.com')).preferredVersion.version).toBe('v1alpha1');
  });

  test('has the other’s resources in the aggregated document', async () => {
    const of = async () => {
      const { items } = await json('/apis', {
        accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
      });
      return items.find((item: KubeObject) => item.metadata.name === 'wardle.example.com').versions[0];
    };
    await until(async () => (await of()).freshness === 'Current');
    expect((await of()).resources).toMatchObject([
      { resource: 'flunders', responseKind: { kind: 'Flunder' }, shortNames: ['fl'] },
    ]);
  });

  test('and so has OpenAPI', async () => {
    const place = 'apis/wardle.example.com/v1alpha1';
    await until(async () => (await json('/openapi/v3')).paths[place] !== undefined);
    const { serverRelativeURL } = (await json('/openapi/v3')).paths[place];
    expect(serverRelativeURL).toBe(`/openapi/v3/${place}?hash=ABC`);
    expect((await json(serverRelativeURL)).info.title).toBe('Extension');
    const { paths, definitions } = await json('/openapi/v2');
    expect(paths[`${flunders.replace('default', '{namespace}')}/{name}`].get.parameters).toEqual([
      { name: 'pretty', in: 'query', type: 'string', uniqueItems: true },
    ]);
    expect(paths['/apis/']).toBeUndefined();
    expect(definitions['com.example.wardle.v1alpha1.FlunderSpec'].properties.reference.type).toBe('string');
    expect(definitions['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'].properties.name).toBeDefined();
    const protobuf = await ask('GET', '/openapi/v2', {
      headers: { accept: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf' },
    });
    expect(protobuf.text).toContain('com.example.wardle.v1alpha1.FlunderSpec');
  });
});

describe('a server that is away', () => {
  test('is found out, and its answers are 503 until it is back', async () => {
    await extension.stop();
    const gone = await ask('GET', flunders);
    expect([gone.status, gone.text]).toEqual([
      503,
      expect.stringMatching(/^error trying to reach service: dial tcp .*: connect: connection refused\n$/),
    ]);
    // Nobody waits for the next check.
    await says(
      /^failing or missing response from https:\/\/localhost:\d+\/apis\/wardle.example.com\/v1alpha1: Get "https:\/\/localhost:\d+\/apis\/wardle.example.com\/v1alpha1": dial tcp localhost:\d+: connect: connection refused$/,
    );
    expect((await ask('GET', flunders)).text).toBe('service unavailable\n');
    await expect(
      f.api.transport.resources({ group: 'wardle.example.com', version: 'v1alpha1' }),
    ).rejects.toThrow('the server is currently unable to handle the request');
    expect((await condition())?.reason).toBe('FailedDiscoveryCheck');
    const labels = { name };
    expect(sampleOf(f.metrics.text(), 'aggregator_unavailable_apiservice', labels)).toBe(1);
    expect(sampleOf(f.metrics.text(), 'aggregator_unavailable_apiservice', { name: 'v1.apps' })).toBe(0);
    const why = { ...labels, reason: 'FailedDiscoveryCheck' };
    expect(sampleOf(f.metrics.text(), 'aggregator_unavailable_apiservice_total', why)).toBe(1);
    await extension.listen();
    await becomes('Passed');
    expect((await ask('GET', flunders)).status).toBe(200);
  });

  test('that answers badly is away, too', async () => {
    extension.interfere = ({ url }) => (url === base ? 403 : undefined);
    await clock.advance(30_000);
    await says(/: bad status from https:\/\/localhost:\d+\/.*: 403$/);
    extension.interfere = undefined;
    await becomes('Passed');
  });
});

describe('whom to believe', () => {
  test('another’s certificate is refused where it is looked at', async () => {
    const found = await f.api.client(APIService).get(name);
    await f.api.client(APIService).update({ ...found, spec: { ...found.spec, caBundle: older.caBundle } });
    const refused = await ask('GET', flunders);
    expect([refused.status, refused.text]).toEqual([
      503,
      expect.stringMatching(/^error trying to reach service: /),
    ]);
    const { caBundle: _, ...spec } = found.spec;
    const changed = await f.api.client(APIService).get(name);
    await f.api.client(APIService).update({ ...changed, spec: { ...spec, insecureSkipTLSVerify: true } });
    expect((await ask('GET', flunders)).status).toBe(200);
  });

  test('others are told by whom to believe us', async () => {
    const { data } = await f.api.client(ConfigMap).get('extension-apiserver-authentication', 'kube-system');
    expect(data).toMatchObject({
      'client-ca-file': 'PEM',
      'requestheader-allowed-names': '["front-proxy-client"]',
      'requestheader-client-ca-file': expect.stringMatching(/^-----BEGIN CERTIFICATE-----[\s\S]*-----\n$/),
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-uid-headers': '["X-Remote-Uid"]',
      'requestheader-username-headers': '["X-Remote-User"]',
    });
  });
});

describe('a group that this server has itself', () => {
  const metrics = 'v1beta1.metrics.k8s.io';

  test('is given to whoever registers for it, and taken back when he goes', async () => {
    const kind = async () => (await ask('GET', '/apis/metrics.k8s.io/v1beta1')).text;
    const own = await kind();
    expect(own).toContain('PodMetrics');
    await f.api.client(Service).create(external('older'));
    await f.api.client(APIService).create(
      apiService(['v1beta1', 'metrics.k8s.io'], 'older', {
        service: { name: 'older', namespace: 'default', port: older.port },
        caBundle: older.caBundle,
      }),
    );
    older.interfere = ({ url }) => (url.startsWith('/apis/metrics.k8s.io') ? 200 : undefined);
    await becomes('Passed', metrics);
    expect(await kind()).toContain('the test wants 200');
    await f.api.client(APIService).delete(metrics);
    expect(await kind()).toBe(own);
  });

  test('is listed again when its APIService goes', async () => {
    await f.api.client(APIService).delete('v1.apps');
    await until(async () => {
      const { items } = await f.api.client(APIService).list();
      return items.some(({ metadata }) => metadata.name === 'v1.apps');
    });
    expect((await f.api.client(APIService).get('v1.apps')).spec).toMatchObject({
      groupPriorityMinimum: 17800,
      versionPriority: 15,
    });
  });
});

test('a server with the older documents alone is discovered by them', async () => {
  await f.api.client(APIService).delete(name);
  older.interfere = undefined;
  await f.api.client(APIService).create(
    apiService(['v1alpha1', 'wardle.example.com'], 'older', {
      service: { name: 'older', namespace: 'default', port: older.port },
      caBundle: older.caBundle,
    }),
  );
  await becomes('Passed');
  const place = 'apis/wardle.example.com/v1alpha1';
  await until(async () => (await json('/openapi/v3')).paths[place] !== undefined);
  const { serverRelativeURL } = (await json('/openapi/v3')).paths[place];
  const { components, paths } = await json(serverRelativeURL);
  expect(components.schemas['com.example.wardle.v1alpha1.Flunder'].properties.spec).toEqual({
    $ref: '#/components/schemas/com.example.wardle.v1alpha1.FlunderSpec',
  });
  expect(Object.keys(paths)).toEqual([`${flunders.replace('default', '{namespace}')}/{name}`]);
  const { items } = await json('/apis', {
    accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  });
  expect(
    items.find((item: KubeObject) => item.metadata.name === 'wardle.example.com').versions,
  ).toMatchObject([
    {
      freshness: 'Current',
      resources: [{ resource: 'flunders', shortNames: ['fl'], verbs: expect.arrayContaining(['list']) }],
    },
  ]);
});

test('whoever keeps this server waiting does not keep it from ending', async () => {
  const { store, metrics, api } = f;
  const parts = { store, clock, random: seededRandom(1), log: silentLog, metrics, frontProxy };
  const aggregator = new Aggregator({ ...parts, kinds: new KindTable([]) });
  older.interfere = ({ url }) => (url === '/apis' ? new Promise(() => {}) : undefined);
  older.asked.length = 0;
  aggregator.start();
  const stop = new AbortController();
  const run = aggregator.run(api.client, stop.signal);
  await until(() => older.asked.some(({ url }) => url === '/apis'));
  stop.abort();
  await run;
});
