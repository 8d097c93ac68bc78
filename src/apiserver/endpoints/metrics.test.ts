import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog, systemClock } from '../../base/index.ts';
import { createCa, createHttpsClient, issueCertificate, startHttpsServer } from '../../http/index.ts';
import { ApiFixture, readMetrics, sampleOf } from '../../testkit/index.ts';
import { createAuthorizer } from '../auth/index.ts';

let api: ApiFixture;

beforeEach(async () => {
  api = await ApiFixture.create();
});

afterEach(() => api.close());

const text = async (path = '/metrics'): Promise<string> => (await api.ask('GET', path)).text;

const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
const maps = '/api/v1/namespaces/default/configmaps';

/** The labels of apiserver_request_total with the values given. */
const request = (labels: Record<string, string>): Record<string, string> => ({
  dry_run: '',
  group: '',
  version: 'v1',
  resource: 'configmaps',
  subresource: '',
  component: 'apiserver',
  ...labels,
});

describe('GET /metrics', () => {
  it('is in the text format, for administrators alone', async () => {
    const told = await api.ask('GET', '/metrics');
    expect(told.code).toBe(200);
    expect(told.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(readMetrics(told.text).size).toBeGreaterThan(10);
    expect(await api.ask('GET', '/metrics', { user: 'jane' })).toMatchObject({ code: 403 });
    expect(await api.ask('GET', '/metrics', { user: '' })).toMatchObject({ code: 401 });
    expect(await api.ask('GET', '/metrics/other')).toMatchObject({ code: 404 });
  });

  it('says which version this is', async () => {
    const labels = { major: '1', minor: '35', git_version: 'v1.35.0', platform: 'linux/amd64' };
    expect(sampleOf(await text(), 'kubernetes_build_info', labels)).toBe(1);
  });
});

describe('requests', () => {
  it.each([
    ['POST', maps, { body: configMap('b') }, { verb: 'POST', scope: 'resource', code: '201' }],
    ['GET', `${maps}/a`, {}, { verb: 'GET', scope: 'resource', code: '200' }],
    ['HEAD', `${maps}/a`, {}, { verb: 'GET', scope: 'resource', code: '200' }],
    ['GET', maps, {}, { verb: 'LIST', scope: 'namespace', code: '200' }],
    ['GET', '/api/v1/configmaps', {}, { verb: 'LIST', scope: 'cluster', code: '200' }],
    ['GET', `${maps}/none`, {}, { verb: 'GET', scope: 'resource', code: '404' }],
    ['PUT', `${maps}/a`, { body: configMap('a') }, { verb: 'PUT', scope: 'resource', code: '200' }],
    [
      'PATCH',
      `${maps}/a`,
      { body: { data: { a: 'b' } }, type: 'application/merge-patch+json' },
      { verb: 'PATCH', scope: 'resource', code: '200' },
    ],
    [
      'PATCH',
      `${maps}/a?fieldManager=m`,
      { body: configMap('a'), type: 'application/apply-patch+yaml' },
      { verb: 'APPLY', scope: 'resource', code: '200' },
    ],
    [
      'DELETE',
      `${maps}/a?dryRun=All`,
      {},
      { verb: 'DELETE', scope: 'resource', dry_run: 'All', code: '200' },
    ],
    [
      'DELETE',
      `${maps}/a?dryRun=no`,
      {},
      { verb: 'DELETE', scope: 'resource', dry_run: 'invalid', code: '422' },
    ],
    ['DELETE', maps, {}, { verb: 'DELETE', scope: 'namespace', code: '200' }],
    [
      'GET',
      '/apis/apps/v1/namespaces/default/deployments/x/scale',
      {},
      {
        verb: 'GET',
        group: 'apps',
        resource: 'deployments',
        subresource: 'scale',
        scope: 'resource',
        code: '404',
      },
    ],
    [
      'GET',
      '/api/v1/namespaces/default/pods/x/log',
      {},
      { verb: 'CONNECT', resource: 'pods', subresource: 'log', scope: 'resource', code: '404' },
    ],
  ] as const)('%s %s is counted once', async (method, url, asking, labels) => {
    await api.ask('POST', maps, { body: configMap('a') });
    const of = request(labels);
    const before = sampleOf(await text(), 'apiserver_request_total', of) ?? 0;
    await api.ask(method, url, asking);
    const after = await text();
    expect(sampleOf(after, 'apiserver_request_total', of)).toBe(before + 1);
    const { code: _, ...timed } = of;
    expect(sampleOf(after, 'apiserver_request_duration_seconds_count', timed)).toBeGreaterThan(0);
  });

  it('times them', async () => {
    await api.ask('POST', maps, { body: configMap('a') });
    await api.ask('GET', `${maps}/a`);
    const all = await text();
    const labels = { verb: 'GET', resource: 'configmaps', scope: 'resource' };
    expect(sampleOf(all, 'apiserver_request_duration_seconds_bucket', { ...labels, le: '0.005' })).toBe(1);
    expect(sampleOf(all, 'apiserver_request_sli_duration_seconds_bucket', { ...labels, le: '0.05' })).toBe(1);
  });

  it('weighs the answers of reads, as they are sent', async () => {
    await api.ask('POST', maps, { body: { ...configMap('large'), data: { a: 'x'.repeat(200_000) } } });
    const one = await api.ask('GET', `${maps}/large`);
    const gzip = { headers: { 'accept-encoding': 'gzip' } };
    const packed = await api.bytes(`${maps}/large`, gzip);
    const list = await api.bytes(maps, gzip);
    await api.ask('GET', `${maps}/none`);
    await api.pass(0);
    expect(Math.max(packed.length, list.length)).toBeLessThan(10_000);
    const all = await text();
    const sizes = (verb: string, part: string, labels = {}) =>
      sampleOf(all, `apiserver_response_sizes_${part}`, { resource: 'configmaps', verb, ...labels });
    expect(sizes('GET', 'sum')).toBe(Buffer.byteLength(one.text) + packed.length);
    expect([sizes('GET', 'bucket', { le: '100000' }), sizes('GET', 'bucket', { le: '1e+06' })]).toEqual([
      1, 2,
    ]);
    expect(sizes('LIST', 'sum')).toBe(list.length);
    expect(sizes('POST', 'count')).toBeUndefined();
  });

  it('makes no series out of words that clients invent', async () => {
    const series = async () => readMetrics(await text()).get('apiserver_request_total')?.samples.length ?? 0;
    const before = await series();
    for (const path of [
      '/nonsense',
      '/readyz/nonsense',
      '/api/v1/nonsense',
      `${maps}/a/nonsense`,
      '/apis/x/v1/y',
    ])
      expect((await api.ask('GET', path)).code).toBe(404);
    await api.ask('GET', `${maps}/a`, { user: 'jane' });
    // Only the reading of /metrics itself has come.
    expect(await series()).toBe(before + 1);
  });

  it('counts reads of paths by their first part', async () => {
    await api.ask('GET', '/readyz/ping');
    await api.ask('GET', '/readyz?verbose');
    const labels = { verb: 'GET', subresource: '/readyz', resource: '', component: '', code: '200' };
    expect(sampleOf(await text(), 'apiserver_request_total', labels)).toBe(2);
  });
});

it('counts who is known and who may', async () => {
  for (const user of ['admin@system:masters', 'jane', '']) await api.ask('GET', '/api/v1/pods', { user });
  const all = await text();
  expect(sampleOf(all, 'authentication_attempts', { result: 'failure' })).toBe(1);
  expect(sampleOf(all, 'authentication_attempts', { result: 'success' })).toBe(3);
  expect(sampleOf(all, 'authenticated_user_requests', { username: 'admin' })).toBe(2);
  expect(sampleOf(all, 'authenticated_user_requests', { username: 'other' })).toBe(1);
  expect(sampleOf(all, 'authorization_attempts_total', { result: 'denied' })).toBe(1);
});

it('tells for how long the certificates of clients are good', async () => {
  const nowMs = systemClock.nowMs();
  const fixture = await ApiFixture.create({ clock: systemClock });
  const ca = await createCa({ commonName: 'ca', days: 100, nowMs });
  const served = await issueCertificate(
    ca,
    { commonName: 's', ips: ['127.0.0.1'], usage: 'server', days: 9 },
    nowMs,
  );
  const shown = await issueCertificate(ca, { commonName: 'jane', usage: 'client', days: 3 }, nowMs);
  const server = await startHttpsServer({
    host: '127.0.0.1',
    port: 0,
    ...served,
    clientCa: ca.cert,
    onRequest: fixture.api.onRequest,
    clock: systemClock,
    log: silentLog,
  });
  const url = `https://127.0.0.1:${server.port}`;
  const common = { server: url, ca: ca.cert, userAgent: 'test', timeoutMs: 60_000, clock: systemClock };
  const clients = [createHttpsClient({ ...common, ...shown }), createHttpsClient(common)];
  try {
    const headers = { 'x-user': 'jane' };
    for (const client of clients) await client.request({ method: 'GET', path: '/api/v1/pods', headers });
  } finally {
    for (const client of clients) client.close();
    await server.close(0);
    await fixture.close();
  }
  const name = 'apiserver_client_certificate_expiration_seconds';
  const all = fixture.metrics.text();
  const upTo = (days: number) => sampleOf(all, `${name}_bucket`, { le: String(days * 86_400) });
  expect([sampleOf(all, `${name}_count`), upTo(2), upTo(4)]).toEqual([1, 0, 1]);
});

it('counts a watch while it lasts, its events, and its length when it has ended', async () => {
  const labels = { verb: 'WATCH', resource: 'configmaps', scope: 'namespace' };
  const watch = await api.watch(`${maps}?watch=true&resourceVersion=${api.store.revision}`);
  await api.ask('POST', maps, { body: configMap('a') });
  await api.pass(70_000);
  let all = await text();
  expect(sampleOf(all, 'apiserver_longrunning_requests', labels)).toBe(1);
  const kind = { group: '', version: 'v1', resource: 'configmaps' };
  expect(sampleOf(all, 'apiserver_watch_events_total', kind)).toBe(1);
  expect(sampleOf(all, 'apiserver_watch_events_sizes_sum', kind)).toBe(watch.bytes.length);
  expect(sampleOf(all, 'apiserver_request_total', labels)).toBeUndefined();
  watch.close();
  await api.pass(0);
  all = await text();
  expect(sampleOf(all, 'apiserver_longrunning_requests', labels)).toBe(0);
  expect(sampleOf(all, 'apiserver_request_total', { ...labels, code: '200' })).toBe(1);
  expect(sampleOf(all, 'apiserver_request_duration_seconds_sum', labels)).toBe(70);
});

it('counts a watch that is refused as a request', async () => {
  const told = await api.ask('GET', `${maps}?watch=true&resourceVersion=nonsense`);
  expect(told.code).toBe(400);
  const all = await text();
  const labels = { verb: 'WATCH', resource: 'configmaps' };
  expect(sampleOf(all, 'apiserver_request_total', { ...labels, code: '400' })).toBe(1);
  expect(sampleOf(all, 'apiserver_longrunning_requests', labels)).toBe(0);
});

it('counts what is stored, and the writes', async () => {
  await api.ask('POST', maps, { body: configMap('a') });
  await api.ask('PUT', `${maps}/a`, { body: { ...configMap('a'), data: { a: 'b' } } });
  await api.ask('POST', maps, { body: configMap('b') });
  await api.ask('DELETE', `${maps}/b`);
  const all = await text();
  const of = { group: '', resource: 'configmaps' };
  expect(sampleOf(all, 'apiserver_resource_objects', of)).toBe(1);
  expect(sampleOf(all, 'apiserver_storage_objects', { resource: 'configmaps' })).toBe(1);
  expect(sampleOf(all, 'apiserver_storage_objects', { resource: 'deployments.apps' })).toBe(0);
  expect(sampleOf(all, 'etcd_requests_total', { ...of, operation: 'create' })).toBe(2);
  expect(sampleOf(all, 'etcd_requests_total', { ...of, operation: 'update' })).toBe(1);
  expect(sampleOf(all, 'etcd_requests_total', { ...of, operation: 'delete' })).toBe(1);
  expect(sampleOf(all, 'etcd_request_duration_seconds_count', { ...of, operation: 'create' })).toBe(2);
  expect(sampleOf(all, 'apiserver_watch_cache_events_received_total', of)).toBe(4);
  expect(sampleOf(all, 'apiserver_watch_cache_events_dispatched_total', of)).toBe(4);
  expect(sampleOf(all, 'apiserver_watch_cache_resource_version', of)).toBe(api.store.revision);
});

it('times admission, of writes that it lets through and of those it refuses', async () => {
  await api.ask('POST', maps, { body: configMap('a') });
  const refused = await api.ask('POST', '/api/v1/namespaces/none/configmaps', { body: configMap('a') });
  expect(refused.code).toBe(404);
  const all = await text();
  const plugin = { name: 'NamespaceLifecycle', type: 'admit', operation: 'CREATE' };
  const duration = 'apiserver_admission_controller_admission_duration_seconds_count';
  expect(sampleOf(all, duration, { ...plugin, rejected: 'true' })).toBe(1);
  expect(sampleOf(all, duration, { ...plugin, rejected: 'false' })).toBeGreaterThan(0);
  const step = 'apiserver_admission_step_admission_duration_seconds_count';
  expect(sampleOf(all, step, { type: 'admit', operation: 'CREATE', rejected: 'true' })).toBe(1);
  expect(sampleOf(all, step, { type: 'validate', operation: 'CREATE', rejected: 'false' })).toBeGreaterThan(
    0,
  );
});

it('counts whom it sent away', async () => {
  await api.close();
  const authorize = createAuthorizer([() => ({ decision: 'allow', reason: '' })]);
  api = await ApiFixture.create({
    server: { inFlight: { reads: 1, writes: 1 }, priorityAndFairness: false, authorize },
  });
  await api.ask('POST', maps, { body: configMap('a') });
  // A read of a revision yet to come waits, and takes the room.
  const waiting = api.ask('GET', `${maps}/a?resourceVersion=${api.store.revision + 1}`, { user: 'jane' });
  expect(await api.ask('GET', `${maps}/a`, { user: 'jane' })).toMatchObject({ code: 429 });
  expect(await api.ask('GET', `${maps}/a`)).toMatchObject({ code: 200 });
  const all = await text();
  expect(sampleOf(all, 'apiserver_current_inflight_requests', { request_kind: 'readOnly' })).toBe(2);
  expect(sampleOf(all, 'apiserver_current_inflight_requests', { request_kind: 'mutating' })).toBe(1);
  expect(sampleOf(all, 'apiserver_dropped_requests_total', { request_kind: 'readOnly' })).toBe(1);
  const labels = request({ verb: 'GET', scope: 'resource', code: '429' });
  expect(sampleOf(all, 'apiserver_request_total', labels)).toBe(1);
  const { dry_run: _, ...terminated } = labels;
  expect(sampleOf(all, 'apiserver_request_terminations_total', terminated)).toBe(1);
  await api.ask('POST', maps, { body: configMap('b') });
  expect((await waiting).code).toBe(200);
});

it('counts what took too long', async () => {
  await api.ask('POST', maps, { body: configMap('a') });
  const waiting = api.ask('GET', `${maps}/a?timeout=1s&resourceVersion=${api.store.revision + 1}`);
  await api.pass(1000);
  expect((await waiting).code).toBe(504);
  const all = await text();
  const labels = request({ verb: 'GET', scope: 'resource', code: '504' });
  expect(sampleOf(all, 'apiserver_request_total', labels)).toBe(1);
  const { dry_run: _, ...terminated } = labels;
  expect(sampleOf(all, 'apiserver_request_terminations_total', terminated)).toBe(1);
  await api.ask('POST', maps, { body: configMap('b') });
});

it('tells of the health checks at /metrics/slis', async () => {
  const before = await text('/metrics/slis');
  expect(sampleOf(before, 'kubernetes_healthcheck', { name: 'shutdown', type: 'readyz' })).toBe(1);
  expect(sampleOf(before, 'kubernetes_healthcheck', { name: 'ping', type: 'livez' })).toBe(1);
  api.api.drain();
  const after = await text('/metrics/slis');
  const check = { name: 'shutdown', type: 'readyz' };
  expect(sampleOf(after, 'kubernetes_healthcheck', check)).toBe(0);
  expect(sampleOf(after, 'kubernetes_healthchecks_total', { ...check, status: 'success' })).toBe(1);
  expect(sampleOf(after, 'kubernetes_healthchecks_total', { ...check, status: 'error' })).toBe(1);
});
