// API services end to end: whether the server behind one is there, whom to believe, and groups that this server has itself.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { APIService, ConfigMap, Service } from '../../api/index.ts';
import { sampleOf } from '../../testkit/index.ts';
import { AggregationWorld, base, external, flunders, name, until } from './testdata/aggregation-world.ts';

let w: AggregationWorld;
beforeAll(async () => {
  w = await AggregationWorld.start();
});
afterAll(() => w.stop());

describe('an API service', () => {
  test('is not there without its service, and says why', async () => {
    const { api } = w.f;
    await api.client(APIService).create(w.apiService(['v1alpha1', 'wardle.example.com'], 'wardle'));
    await w.becomes('ServiceNotFound');
    expect(await w.condition()).toMatchObject({
      status: 'False',
      message: 'service/wardle in "default" is not present',
    });
    const { status, text, headers } = await w.ask('GET', flunders);
    expect([status, text, headers['content-type']]).toEqual([
      503,
      'service unavailable\n',
      'text/plain; charset=utf-8',
    ]);
    expect(await w.discovered()).toEqual([{ version: 'v1alpha1', freshness: 'Stale', resources: [] }]);
  });

  test('is there once its service is', async () => {
    await w.f.api.client(Service).create(external('wardle'));
    await w.becomes('Passed');
    expect(await w.condition()).toMatchObject({ status: 'True', message: 'all checks passed' });
    const check = w.extension.asked.find(({ url }) => url === base);
    expect(check).toMatchObject({
      shown: 'front-proxy-client',
      user: 'system:kube-aggregator',
      groups: ['system:masters'],
    });
  });
});

describe('a server that is away', () => {
  test('is found out, and its answers are 503 until it is back', async () => {
    await w.extension.stop();
    const gone = await w.ask('GET', flunders);
    expect([gone.status, gone.text]).toEqual([
      503,
      expect.stringMatching(/^error trying to reach service: dial tcp .*: connect: connection refused\n$/),
    ]);
    // Nobody waits for the next check.
    await w.says(
      /^failing or missing response from https:\/\/localhost:\d+\/apis\/wardle.example.com\/v1alpha1: Get "https:\/\/localhost:\d+\/apis\/wardle.example.com\/v1alpha1": dial tcp localhost:\d+: connect: connection refused$/,
    );
    expect((await w.ask('GET', flunders)).text).toBe('service unavailable\n');
    await expect(
      w.f.api.transport.resources({ group: 'wardle.example.com', version: 'v1alpha1' }),
    ).rejects.toThrow('the server is currently unable to handle the request');
    expect((await w.condition())?.reason).toBe('FailedDiscoveryCheck');
    const labels = { name };
    expect(sampleOf(w.f.metrics.text(), 'aggregator_unavailable_apiservice', labels)).toBe(1);
    expect(sampleOf(w.f.metrics.text(), 'aggregator_unavailable_apiservice', { name: 'v1.apps' })).toBe(0);
    const why = { ...labels, reason: 'FailedDiscoveryCheck' };
    expect(sampleOf(w.f.metrics.text(), 'aggregator_unavailable_apiservice_total', why)).toBe(1);
    await w.extension.listen();
    await w.becomes('Passed');
    expect((await w.ask('GET', flunders)).status).toBe(200);
  });

  test('that answers badly is away, too', async () => {
    w.extension.interfere = ({ url }) => (url === base ? 403 : undefined);
    await w.clock.advance(30_000);
    await w.says(/: bad status from https:\/\/localhost:\d+\/.*: 403$/);
    w.extension.interfere = undefined;
    await w.becomes('Passed');
  });
});

describe('whom to believe', () => {
  test('another’s certificate is refused where it is looked at', async () => {
    const found = await w.f.api.client(APIService).get(name);
    await w.f.api
      .client(APIService)
      .update({ ...found, spec: { ...found.spec, caBundle: w.older.caBundle } });
    const refused = await w.ask('GET', flunders);
    expect([refused.status, refused.text]).toEqual([
      503,
      expect.stringMatching(/^error trying to reach service: /),
    ]);
    const { caBundle: _, ...spec } = found.spec;
    const changed = await w.f.api.client(APIService).get(name);
    await w.f.api.client(APIService).update({ ...changed, spec: { ...spec, insecureSkipTLSVerify: true } });
    expect((await w.ask('GET', flunders)).status).toBe(200);
  });

  test('others are told by whom to believe us', async () => {
    const { data } = await w.f.api.client(ConfigMap).get('extension-apiserver-authentication', 'kube-system');
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
    const kind = async () => (await w.ask('GET', '/apis/metrics.k8s.io/v1beta1')).text;
    const own = await kind();
    expect(own).toContain('PodMetrics');
    await w.f.api.client(Service).create(external('older'));
    await w.f.api.client(APIService).create(
      w.apiService(['v1beta1', 'metrics.k8s.io'], 'older', {
        service: { name: 'older', namespace: 'default', port: w.older.port },
        caBundle: w.older.caBundle,
      }),
    );
    w.older.interfere = ({ url }) => (url.startsWith('/apis/metrics.k8s.io') ? 200 : undefined);
    await w.becomes('Passed', metrics);
    expect(await kind()).toContain('the test wants 200');
    await w.f.api.client(APIService).delete(metrics);
    expect(await kind()).toBe(own);
  });

  test('is listed again when its APIService goes', async () => {
    await w.f.api.client(APIService).delete('v1.apps');
    await until(async () => {
      const { items } = await w.f.api.client(APIService).list();
      return items.some(({ metadata }) => metadata.name === 'v1.apps');
    });
    expect((await w.f.api.client(APIService).get('v1.apps')).spec).toMatchObject({
      groupPriorityMinimum: 17800,
      versionPriority: 15,
    });
  });
});
