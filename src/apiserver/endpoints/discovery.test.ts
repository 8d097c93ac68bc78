// What clients learn of the API before they use it: groups, versions and resources, in both forms.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create();
});
afterAll(() => f.close());

describe('discovery', () => {
  it('classic', async () => {
    expect((await f.ask('GET', '/api')).json).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    const groups = (await f.ask('GET', '/apis')).json;
    const apps = {
      name: 'apps',
      versions: [{ groupVersion: 'apps/v1', version: 'v1' }],
      preferredVersion: { groupVersion: 'apps/v1', version: 'v1' },
    };
    expect(groups).toMatchObject({ kind: 'APIGroupList', apiVersion: 'v1' });
    expect(groups.groups).toContainEqual(apps);
    expect((await f.ask('GET', '/apis/apps')).json).toEqual({ kind: 'APIGroup', apiVersion: 'v1', ...apps });
    const { resources, groupVersion } = (await f.ask('GET', '/apis/apps/v1')).json;
    expect(groupVersion).toBe('apps/v1');
    const named = (name: string) => resources.find((r: { name: string }) => r.name === name);
    expect(named('deployments')).toEqual({
      name: 'deployments',
      singularName: 'deployment',
      namespaced: true,
      kind: 'Deployment',
      verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
      shortNames: ['deploy'],
      categories: ['all'],
      storageVersionHash: '8aSe+NMegvE=',
    });
    expect(named('deployments/scale')).toEqual({
      name: 'deployments/scale',
      singularName: '',
      namespaced: true,
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      verbs: ['get', 'patch', 'update'],
    });
  });

  it.each([
    ['apis/autoscaling/v1', 'horizontalpodautoscalers', 'qwQve8ut294='],
    ['apis/autoscaling/v2', 'horizontalpodautoscalers', 'qwQve8ut294='],
    ['apis/events.k8s.io/v1', 'events', 'r2yiGXH7wu8='],
    ['api/v1', 'events', 'r2yiGXH7wu8='],
    ['api/v1', 'pods', 'xPOwRZ+Yhw8='],
    ['api/v1', 'pods/status', undefined],
    ['apis/authorization.k8s.io/v1', 'subjectaccessreviews', undefined],
  ])('%s tells in which version %s are stored', async (path, name, hash) => {
    const { resources } = (await f.ask('GET', `/${path}`)).json;
    const found = resources.find((one: { name: string }) => one.name === name);
    expect(found.storageVersionHash).toBe(hash);
  });

  it('aggregated, asked for again by its hash', async () => {
    const accept =
      'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json';
    const told = await f.ask('GET', '/apis', { accept });
    expect(told.headers['content-type']).toBe(
      'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
    );
    expect(told.json).toMatchObject({ kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2' });
    const core = (await f.ask('GET', '/api', { accept })).json.items[0].versions[0];
    const pods = core.resources.find((r: { resource: string }) => r.resource === 'pods');
    expect(pods).toMatchObject({
      responseKind: { group: '', version: 'v1', kind: 'Pod' },
      scope: 'Namespaced',
      singularResource: 'pod',
      shortNames: ['po'],
    });
    expect(pods.subresources.map((s: { subresource: string }) => s.subresource)).toEqual(
      expect.arrayContaining([
        'binding',
        'ephemeralcontainers',
        'eviction',
        'exec',
        'log',
        'portforward',
        'resize',
        'status',
      ]),
    );
    const again = await f.ask('GET', '/apis', {
      accept,
      headers: { 'if-none-match': String(told.headers['etag']) },
    });
    expect([again.code, again.text]).toEqual([304, '']);
  });

  it('OpenAPI 3 by group version, kept under its hash', async () => {
    const { paths } = (await f.ask('GET', '/openapi/v3')).json;
    const url = paths['apis/apps/v1'].serverRelativeURL;
    const told = await f.ask('GET', url);
    expect(told.headers['cache-control']).toContain('immutable');
    const { components, paths: operations } = told.json;
    expect(components.schemas['io.k8s.api.apps.v1.Deployment']['x-kubernetes-group-version-kind']).toEqual([
      { group: 'apps', kind: 'Deployment', version: 'v1' },
    ]);
    const { patch } = operations['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'];
    // This is how kubectl learns that the server validates fields.
    expect(patch.parameters.map((p: { name: string }) => p.name)).toContain('fieldValidation');
    expect((await f.ask('GET', '/openapi/v3/apis/none/v1')).code).toBe(404);
    expect((await f.ask('GET', '/openapi/v2')).json.swagger).toBe('2.0');
  });

  it('version and root', async () => {
    expect((await f.ask('GET', '/version')).json.gitVersion).toBe('v1.35.0');
    expect((await f.ask('GET', '/')).json.paths).toEqual(
      expect.arrayContaining(['/api/v1', '/apis/apps/v1', '/livez', '/livez/etcd', '/readyz/shutdown']),
    );
  });
});
