// Discovery and OpenAPI of another API server, as part of this one's.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { APIService, Service } from '../../api/index.ts';
import { seededRandom, silentLog } from '../../base/index.ts';
import { KindTable } from '../registry/kind-table.ts';
import { Aggregator } from './aggregator.ts';
import { AggregationWorld, external, flunders, name, until } from './testdata/aggregation-world.ts';

let w: AggregationWorld;
beforeAll(async () => {
  w = await AggregationWorld.start();
  await w.register();
});
afterAll(() => w.stop());

describe('discovery', () => {
  test('lists the group where its priority puts it', async () => {
    const names = (await w.json('/apis')).groups.map((group: { name: string }) => group.name);
    expect([names[0], names.at(-2), names.at(-1)]).toEqual([
      'apiregistration.k8s.io',
      'wardle.example.com',
      'metrics.k8s.io',
    ]);
    expect((await w.json('/apis/wardle.example.com')).preferredVersion.version).toBe('v1alpha1');
  });

  test('has the other’s resources in the aggregated document', async () => {
    const of = async () => (await w.discovered())[0];
    await until(async () => (await of()).freshness === 'Current');
    expect((await of()).resources).toMatchObject([
      { resource: 'flunders', responseKind: { kind: 'Flunder' }, shortNames: ['fl'] },
    ]);
  });

  test('and so has OpenAPI', async () => {
    const place = 'apis/wardle.example.com/v1alpha1';
    await until(async () => (await w.json('/openapi/v3')).paths[place] !== undefined);
    const { serverRelativeURL } = (await w.json('/openapi/v3')).paths[place];
    expect(serverRelativeURL).toBe(`/openapi/v3/${place}?hash=ABC`);
    expect((await w.json(serverRelativeURL)).info.title).toBe('Extension');
    const { paths, definitions } = await w.json('/openapi/v2');
    expect(paths[`${flunders.replace('default', '{namespace}')}/{name}`].get.parameters).toEqual([
      { name: 'pretty', in: 'query', type: 'string', uniqueItems: true },
    ]);
    expect(paths['/apis/']).toBeUndefined();
    expect(definitions['com.example.wardle.v1alpha1.FlunderSpec'].properties.reference.type).toBe('string');
    expect(definitions['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'].properties.name).toBeDefined();
    const protobuf = await w.ask('GET', '/openapi/v2', {
      headers: { accept: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf' },
    });
    expect(protobuf.text).toContain('com.example.wardle.v1alpha1.FlunderSpec');
  });
});

test('a server with the older documents alone is discovered by them', async () => {
  await w.f.api.client(APIService).delete(name);
  await w.f.api.client(Service).create(external('older'));
  await w.f.api.client(APIService).create(
    w.apiService(['v1alpha1', 'wardle.example.com'], 'older', {
      service: { name: 'older', namespace: 'default', port: w.older.port },
      caBundle: w.older.caBundle,
    }),
  );
  await w.becomes('Passed');
  const place = 'apis/wardle.example.com/v1alpha1';
  await until(async () => (await w.json('/openapi/v3')).paths[place] !== undefined);
  const { serverRelativeURL } = (await w.json('/openapi/v3')).paths[place];
  const { components, paths } = await w.json(serverRelativeURL);
  expect(components.schemas['com.example.wardle.v1alpha1.Flunder'].properties.spec).toEqual({
    $ref: '#/components/schemas/com.example.wardle.v1alpha1.FlunderSpec',
  });
  expect(Object.keys(paths)).toEqual([`${flunders.replace('default', '{namespace}')}/{name}`]);
  expect(await w.discovered()).toMatchObject([
    {
      freshness: 'Current',
      resources: [{ resource: 'flunders', shortNames: ['fl'], verbs: expect.arrayContaining(['list']) }],
    },
  ]);
});

test('whoever keeps this server waiting does not keep it from ending', async () => {
  const { clock, frontProxy, older } = w;
  const { store, metrics, api } = w.f;
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
