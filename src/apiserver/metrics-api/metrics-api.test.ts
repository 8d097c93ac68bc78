// The metrics APIs as clients see them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { customMetricsOf, externalMetric, Node, Pod, PodMetrics, type UsageSource } from '../../api/index.ts';
import { FakeClock } from '../../base/index.ts';
import { createClient } from '../../client/index.ts';
import { ApiFixture, buildNode, buildPod } from '../../testkit/index.ts';
import { MetricFeed } from './metric-feed.ts';

const nowMs = Date.parse('2026-01-02T03:04:05Z');
const clock = new FakeClock(nowMs);
let ready = true;
const window = { timeMs: nowMs - 5000, windowMs: 15_020 };
const usage: UsageSource = {
  get ready() {
    return ready;
  },
  node: (name) =>
    name === 'n1' ? { ...window, cpuNanoCores: 1_500_000_000, memoryBytes: 3 * 2 ** 30 } : undefined,
  pod: (namespace, name) =>
    namespace === 'default' && name !== 'new'
      ? {
          ...window,
          containers: [
            { name: 'c', cpuNanoCores: 12_345_678, memoryBytes: 20_971_520 },
            { name: 'd', cpuNanoCores: 654_322, memoryBytes: 1000 },
          ],
        }
      : undefined,
};
const feed = new MetricFeed(clock);

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create({ clock, server: { usage: [usage], workloadMetrics: [feed] } });
  const { client } = f.api;
  for (const name of ['n1', 'n2']) {
    const { metadata, spec, status } = buildNode(name);
    await client(Node).create({ metadata: { name, labels: metadata.labels }, spec, status } as never);
  }
  for (const [name, namespace, phase] of [
    ['a', 'default', 'Running'],
    ['b', 'default', 'Running'],
    ['ended', 'default', 'Succeeded'],
    ['new', 'default', 'Running'],
    ['a', 'other', 'Running'],
  ] as const) {
    const { spec } = buildPod(name);
    await client(Pod).create({ metadata: { name, namespace, labels: { app: name } }, spec } as never);
    await client(Pod).patch({ name, namespace, subresource: 'status' }, 'merge', { status: { phase } });
  }
});
afterAll(() => f.close());

const group = '/apis/metrics.k8s.io/v1beta1';
const get = (path: string, accept?: string) => f.ask('GET', path, accept === undefined ? {} : { accept });
const namesIn = async (path: string) =>
  (await get(path)).json.items.map((item: { metadata: { name: string } }) => item.metadata.name);

describe('metrics.k8s.io', () => {
  it('is discovered as metrics-server lists it', async () => {
    const { json } = await get(group);
    expect(json.resources).toEqual([
      { name: 'nodes', singularName: '', namespaced: false, kind: 'NodeMetrics', verbs: ['get', 'list'] },
      { name: 'pods', singularName: '', namespaced: true, kind: 'PodMetrics', verbs: ['get', 'list'] },
    ]);
    const services = await get('/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io');
    // A chart that brings a server of its own makes it.
    expect(services.code).toBe(404);
  });

  it('says what a node uses', async () => {
    const { json } = await get(`${group}/nodes/n1`);
    expect(json).toEqual({
      apiVersion: 'metrics.k8s.io/v1beta1',
      kind: 'NodeMetrics',
      metadata: {
        name: 'n1',
        creationTimestamp: '2026-01-02T03:04:05Z',
        labels: { 'kubernetes.io/hostname': 'n1' },
      },
      timestamp: '2026-01-02T03:04:00Z',
      window: '15.02s',
      usage: { cpu: '1500m', memory: '3Gi' },
    });
  });

  it('says what each container uses', async () => {
    const { json } = await get(`${group}/namespaces/default/pods/a`);
    expect(json.containers).toEqual([
      { name: 'c', usage: { cpu: '12345678n', memory: '20Mi' } },
      { name: 'd', usage: { cpu: '654322n', memory: '1k' } },
    ]);
  });

  it.each([
    ['running pods that are known', `${group}/namespaces/default/pods`, ['a', 'b']],
    ['everywhere', `${group}/pods`, ['a', 'b']],
    ['by label', `${group}/pods?labelSelector=app%3Db`, ['b']],
    ['by name', `${group}/namespaces/default/pods?fieldSelector=metadata.name%3Da`, ['a']],
    ['nodes that are known', `${group}/nodes`, ['n1']],
    ['nodes by label', `${group}/nodes?labelSelector=kubernetes.io%2Fhostname%3Dn2`, []],
  ])('lists %s', async (_, path, names) => expect(await namesIn(path)).toEqual(names));

  it('prints a table', async () => {
    const { json } = await get(
      `${group}/namespaces/default/pods`,
      'application/json;as=Table;v=v1;g=meta.k8s.io',
    );
    expect(json.columnDefinitions.map((c: { name: string }) => c.name)).toEqual([
      'Name',
      'cpu',
      'memory',
      'Window',
    ]);
    expect(json.rows[0].cells).toEqual(['a', '13m', '20972520', '15.02s']);
  });

  it.each([
    [`${group}/nodes/n2`, 404, 'nodemetrics.metrics.k8s.io "n2" not found'],
    [`${group}/nodes/n3`, 404, 'nodes "n3" not found'],
    [`${group}/namespaces/default/pods/new`, 404, 'podmetrics.metrics.k8s.io "default/new" not found'],
    [`${group}/namespaces/default/pods/ended`, 404, 'podmetrics.metrics.k8s.io "default/ended" not found'],
    [`${group}/namespaces/default/pods/x`, 404, 'pods "x" not found'],
    [
      `${group}/pods?fieldSelector=spec.nodeName%3Da`,
      400,
      '"spec.nodeName" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ],
  ])('%s: %d', async (path, code, message) => {
    const told = await get(path);
    expect([told.code, told.json.message]).toEqual([code, message]);
  });

  it('is not available before anything was learnt', async () => {
    ready = false;
    const { code, json } = await get(`${group}/nodes`);
    ready = true;
    expect([code, json.reason, json.message]).toEqual([
      503,
      'ServiceUnavailable',
      'the server is currently unable to handle the request',
    ]);
  });

  it('answers in this process too', async () => {
    const { items } = await f.api.client(PodMetrics).list({ namespace: 'default', labelSelector: 'app=a' });
    expect(items.map(({ metadata, containers }) => [metadata.name, containers.length])).toEqual([['a', 2]]);
  });
});

describe('metrics of workloads', () => {
  const custom = '/apis/custom.metrics.k8s.io/v1beta2';
  const external = '/apis/external.metrics.k8s.io/v1beta1';
  const at = { resource: 'pods', metric: 'requests', namespace: 'default' };

  it('are no group as long as there are none', async () => {
    const { json } = await get('/apis');
    expect(json.groups.map((g: { name: string }) => g.name)).not.toContain('custom.metrics.k8s.io');
    expect((await get(`${custom}/namespaces/default/pods/*/requests`)).json.items).toEqual([]);
    expect((await get(`${external}/namespaces/default/queue`)).json.items).toEqual([]);
  });

  it('are found by object, by labels of objects and by labels of series', async () => {
    feed.setObject({ ...at, name: 'a', value: '250m', labels: { verb: 'GET' } });
    feed.setObject({ ...at, name: 'a', value: '7', labels: { verb: 'PUT' } });
    feed.setObject({ ...at, name: 'b', value: '2', labels: { verb: 'GET' }, windowSeconds: 60 });
    feed.setObject({ resource: 'namespaces', metric: 'load', namespace: '', name: 'default', value: '3' });
    const { json } = await get(custom);
    expect(json.resources.map((r: { name: string }) => r.name)).toEqual(['pods/requests', 'namespaces/load']);

    const one = await get(`${custom}/namespaces/default/pods/b/requests`);
    expect(one.json).toEqual({
      kind: 'MetricValueList',
      apiVersion: 'custom.metrics.k8s.io/v1beta2',
      metadata: {},
      items: [
        {
          describedObject: { kind: 'Pod', apiVersion: 'v1', namespace: 'default', name: 'b' },
          metric: { name: 'requests' },
          timestamp: '2026-01-02T03:04:05Z',
          windowSeconds: 60,
          value: '2',
        },
      ],
    });
    const values = async (path: string) =>
      (await get(path)).json.items.map((item: { value: string }) => item.value);
    expect(await values(`${custom}/namespaces/default/pods/*/requests`)).toEqual(['250m', '7', '2']);
    expect(await values(`${custom}/namespaces/default/pods/*/requests?labelSelector=app%3Da`)).toEqual([
      '250m',
      '7',
    ]);
    expect(
      await values(`${custom}/namespaces/default/pods/*/requests?metricLabelSelector=verb%3DGET`),
    ).toEqual(['250m', '2']);
    expect(await values(`${custom}/namespaces/default/metrics/load`)).toEqual(['3']);
    const missing = await get(`${custom}/namespaces/default/pods/x/requests`);
    expect([missing.code, missing.json.message]).toEqual([
      404,
      'the server could not find the metric requests for pods x',
    ]);
    const { items } = await f.api.client.transport.list(
      {
        kind: customMetricsOf('pods', 'Namespaced'),
        namespace: 'default',
        name: '*',
        subresource: 'requests',
      },
      { labelSelector: 'app=a', metricLabelSelector: 'verb=PUT' },
    );
    expect(items).toMatchObject([{ value: '7' }]);
    feed.removeObject(at, { namespace: 'default' });
    expect(await values(`${custom}/namespaces/default/pods/*/requests`)).toEqual([]);
  });

  it('may be about nothing in the cluster', async () => {
    feed.setExternal({ namespace: 'default', metric: 'queue', value: '30', labels: { queue: 'jobs' } });
    feed.setExternal({ namespace: 'default', metric: 'queue', value: '5', labels: { queue: 'mail' } });
    const { json } = await get(`${external}/namespaces/default/queue?labelSelector=queue%3Djobs`);
    expect(json.items).toEqual([
      {
        metricName: 'queue',
        metricLabels: { queue: 'jobs' },
        timestamp: '2026-01-02T03:04:05Z',
        value: '30',
      },
    ]);
    const { items } = await createClient(f.api.transport)(externalMetric('queue')).list({
      namespace: 'default',
    });
    expect(items).toMatchObject([{ value: '30' }, { value: '5' }]);
  });
});
