// What goes out besides the objects themselves: forms, encodings, errors, discovery, health; and who is let in.
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create();
  await f.ask('POST', cms, { body: { metadata: { name: 'a', labels: { x: 'y' } }, data: { k: 'v' } } });
});
afterAll(() => f.close());

const cms = '/api/v1/namespaces/default/configmaps';
const as = (form: string, version = 'v1') =>
  `application/json;as=${form};v=${version};g=meta.k8s.io,application/json`;

describe('forms', () => {
  it.each([
    ['', { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' }],
    ['?includeObject=Object', { kind: 'ConfigMap', data: { k: 'v' } }],
    ['?includeObject=None', undefined],
  ])('a table %s', async (query, object) => {
    const { json } = await f.ask('GET', `${cms}/a${query}`, { accept: as('Table') });
    expect(json).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
    expect(json.columnDefinitions[0]).toMatchObject({
      name: 'Name',
      type: 'string',
      format: 'name',
      priority: 0,
    });
    expect(json.rows[0].cells).toEqual(['a', 1, '0s']);
    if (object === undefined) expect(json.rows[0].object).toBeUndefined();
    else expect(json.rows[0].object).toMatchObject(object);
    const list = await f.ask('GET', `${cms}${query}`, { accept: as('Table') });
    expect(list.json.rows).toEqual(json.rows);
  });

  it('metadata alone', async () => {
    const one = (await f.ask('GET', `${cms}/a`, { accept: as('PartialObjectMetadata') })).json;
    expect(one).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'a', labels: { x: 'y' } } });
    expect(one.data).toBeUndefined();
    const list = (await f.ask('GET', cms, { accept: as('PartialObjectMetadataList', 'v1beta1') })).json;
    expect(list).toMatchObject({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1beta1' });
    expect(list.items[0].metadata.name).toBe('a');
  });

  it('a scale prints as a scale', async () => {
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    await f.ask('POST', '/apis/apps/v1/namespaces/default/replicasets', {
      body: {
        metadata: { name: 'r' },
        spec: { replicas: 3, selector: { matchLabels: { a: 'b' } }, template },
      },
    });
    const url = '/apis/apps/v1/namespaces/default/replicasets/r/scale';
    const table = (await f.ask('GET', url, { accept: as('Table') })).json;
    expect(table.rows[0].cells).toEqual(['r', 3, 0, '0s']);
    const put = await f.ask('PUT', url, { body: { metadata: { name: 'r' }, spec: { replicas: 5 } } });
    expect(put.json).toMatchObject({
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      spec: { replicas: 5 },
      status: { replicas: 0, selector: 'a=b' },
    });
    const negative = await f.ask('PUT', url, { body: { metadata: { name: 'r' }, spec: { replicas: -1 } } });
    expect([negative.code, negative.json.message]).toEqual([
      422,
      'Scale.autoscaling "r" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    ]);
  });

  it('yaml, and nothing that nobody can make', async () => {
    const yaml = await f.ask('GET', `${cms}/a`, { accept: 'application/yaml' });
    expect(yaml.text).toContain('kind: ConfigMap\n');
    const none = await f.ask('GET', `${cms}/a`, { accept: 'image/png' });
    expect([none.code, none.json.reason]).toEqual([406, 'NotAcceptable']);
    expect((await f.ask('GET', `${cms}/a?includeObject=Some`, { accept: as('Table') })).code).toBe(400);
  });

  it('packs what is large', async () => {
    const data = { big: 'x'.repeat(200_000) };
    await f.ask('POST', cms, { body: { metadata: { name: 'big' }, data } });
    const request = { accept: 'application/json', headers: { 'accept-encoding': 'gzip' } };
    const told = await f.ask('GET', `${cms}/big`, request);
    expect(told.headers['content-encoding']).toBe('gzip');
    const raw = await f.bytes(`${cms}/big`, request);
    expect(JSON.parse(gunzipSync(raw).toString()).data).toEqual(data);
    expect((await f.ask('GET', `${cms}/big`)).headers['content-encoding']).toBeUndefined();
  });
});

describe('refusals', () => {
  const noSuch = 'the server could not find the requested resource';
  const notAllowed = 'the server does not allow this method on the requested resource';
  it.each([
    ['GET', '/api/v2', 404, noSuch],
    ['GET', '/apis/apps/v1/unicorns', 404, noSuch],
    ['GET', `${cms}/a/status`, 404, noSuch],
    ['GET', `${cms}/a/status/more`, 404, noSuch],
    ['GET', '/api/v1/configmaps/a', 404, noSuch],
    ['GET', '/api/v1/namespaces/default/nodes', 404, noSuch],
    ['GET', `${cms}/none`, 404, 'configmaps "none" not found'],
    ['POST', '/version', 405, notAllowed],
    ['PUT', cms, 405, notAllowed],
    ['PATCH', cms, 405, notAllowed],
    ['TRACE', `${cms}/a`, 405, notAllowed],
    ['DELETE', '/api/v1/namespaces', 405, notAllowed],
    ['DELETE', '/api/v1/namespaces/default/pods/x/status', 405, notAllowed],
    ['GET', '/api/v1/namespaces/default/pods/x/binding', 405, notAllowed],
    ['GET', `${cms}/a?resourceVersion=99999`, 504, 'Timeout: Too large resource version: 99999, current: '],
  ])('%s %s', async (method, url, code, message) => {
    const asking = f.ask(method, url);
    if (code === 504) await f.pass(3000);
    const told = await asking;
    expect([told.code, told.json.code, told.json.status]).toEqual([code, code, 'Failure']);
    expect(told.json.message.startsWith(message)).toBe(true);
  });
});

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

/** The lines of the checks after ping. */
const others = `[+]log ok
[+]etcd ok
[+]poststarthook/start-system-namespaces-controller ok
[+]poststarthook/rbac/bootstrap-roles ok
[+]poststarthook/scheduling/bootstrap-system-priority-classes ok
[+]poststarthook/priority-and-fairness-config-producer ok
[+]poststarthook/start-kubernetes-service-cidr-controller ok
[+]poststarthook/start-service-ip-repair-controllers ok
[+]poststarthook/bootstrap-controller ok
[+]poststarthook/start-cluster-authentication-info-controller ok
`;

describe('health', () => {
  it.each([
    ['/livez', 200, 'ok'],
    ['/livez?verbose', 200, `[+]ping ok\n${others}livez check passed\n`],
    ['/readyz?verbose', 200, `[+]ping ok\n${others}[+]shutdown ok\nreadyz check passed\n`],
    ['/healthz?verbose=', 200, `[+]ping ok\n${others}healthz check passed\n`],
    ['/livez/ping', 200, 'ok'],
    ['/livez/etcd', 200, 'ok'],
    ['/readyz/poststarthook/bootstrap-controller', 200, 'ok'],
    ['/healthz', 200, 'ok'],
    ['/livez/shutdown', 404, '404 page not found\n'],
    [
      '/livez?verbose&exclude=ping&exclude=x&exclude=b',
      200,
      `[+]ping excluded: ok\n${others}warn: some health checks cannot be excluded: no matches for "b","x"\nlivez check passed\n`,
    ],
  ])('%s', async (url, code, text) => {
    const told = await f.ask('GET', url);
    expect([told.code, told.text]).toEqual([code, text]);
  });

  it('is not ready while it stops, and says which check failed but not why', async () => {
    const g = await ApiFixture.create();
    g.api.drain();
    const told = await g.ask('GET', '/readyz');
    expect(told.code).toBe(500);
    expect(told.text).toContain('[-]shutdown failed: reason withheld\nreadyz check failed\n');
    expect((await g.ask('GET', '/livez')).code).toBe(200);
    expect((await g.ask('GET', '/readyz?exclude=shutdown')).code).toBe(200);
    const why = await g.ask('GET', '/readyz/shutdown');
    expect([why.code, why.text]).toEqual([500, 'internal server error: process is shutting down\n']);
    await g.close();
  });

  it('a storage that fails or does not answer is told', async () => {
    const g = await ApiFixture.create();
    g.store.catchUp = () => Promise.reject(new Error('no leader'));
    expect((await g.ask('GET', '/readyz')).text).toContain('[+]log ok\n[-]etcd failed: reason withheld\n');
    expect((await g.ask('GET', '/livez/etcd')).text).toBe('internal server error: no leader\n');
    g.store.catchUp = () => new Promise(() => {});
    const told = g.ask('GET', '/livez/etcd');
    await g.pass(2000);
    expect((await told).text).toBe('internal server error: the storage did not answer in time\n');
    await g.close();
  });
});

describe('what is not there', () => {
  const missing = 'the server could not find the requested resource';
  it.each([
    ['/nowhere', undefined],
    ['/metricss', undefined],
    ['/openapi/v9', undefined],
    ['/apis/none', undefined],
    ['/apis/none/v1', undefined],
    ['/apis/none/v1/namespaces/default/things', undefined],
    ['/api/v2', missing],
    ['/api/v1/things', missing],
    ['/apis/apps/v9', missing],
    ['/apis/apps/v9/deployments', missing],
    ['/apis/apps/v1/namespaces/default/things/x', missing],
    ['/version/x', missing],
  ])('%s', async (url, message) => {
    const told = await f.ask('GET', url);
    expect(told.code).toBe(404);
    if (message === undefined) {
      expect(told.text).toBe('404 page not found\n');
      expect(told.headers['content-type']).toBe('text/plain; charset=utf-8');
    } else {
      expect(told.json).toEqual({
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message,
        reason: 'NotFound',
        details: {},
        code: 404,
      });
    }
  });
});

describe('requests that take too long', () => {
  const stuck = async () => {
    const g = await ApiFixture.create();
    g.store.catchUp = () => new Promise(() => {});
    return g;
  };
  const timeout = 'Timeout: request did not complete within the allotted timeout';

  it('get 504 after a minute, or when they wanted to', async () => {
    const g = await stuck();
    const [usual, hasty] = [g.ask('GET', cms), g.ask('GET', `${cms}?timeout=1s`)];
    await g.pass(1000);
    const told = await hasty;
    expect([told.code, told.json.reason, told.json.message]).toEqual([504, 'Timeout', timeout]);
    await g.pass(59_000);
    expect((await usual).code).toBe(504);
    await g.close();
  });

  it('an answer that is ready too late is dropped', async () => {
    const g = await ApiFixture.create();
    let answer: () => void = () => {};
    g.store.catchUp = () => new Promise((resolve) => (answer = resolve));
    const told = g.ask('GET', `${cms}?timeout=1s`);
    await g.pass(1000);
    answer();
    expect((await told).json.code).toBe(504);
    await g.pass(0);
    await g.close();
  });

  it('a timeout must be a duration', async () => {
    const told = await f.ask('GET', `${cms}?timeout=5`);
    expect([told.code, told.json.message]).toEqual([
      400,
      'invalid timeout specified in the request URL - time: missing unit in duration "5"',
    ]);
  });
});

describe('watches without a timeout of their own', () => {
  it('end by themselves, later than the shortest time and before twice of it', async () => {
    const g = await ApiFixture.create({ server: { minRequestTimeoutMs: 10_000, requestTimeoutMs: 1000 } });
    const watch = await g.watch(`${cms}?watch=1&resourceVersion=1`);
    await g.pass(9999);
    expect(watch.writableEnded).toBe(false);
    await g.pass(10_001);
    expect(watch.writableEnded).toBe(true);
    await g.close();
  });

  it('end at once when the server stops, as does one that comes then', async () => {
    const g = await ApiFixture.create();
    const before = await g.watch(`${cms}?watch=1&resourceVersion=1`);
    g.api.drain();
    await before.ended;
    const after = await g.watch(`${cms}?watch=1&resourceVersion=1`);
    await after.ended;
    expect([before.statusCode, after.statusCode]).toEqual([200, 200]);
    await g.close();
  });
});

describe('who is let in', () => {
  it('nobody without a name', async () => {
    const told = await f.ask('GET', cms, { user: '' });
    expect([told.code, told.json.message]).toEqual([401, 'Unauthorized']);
  });

  it('a user only as far as he may', async () => {
    const told = await f.ask('GET', cms, { user: 'alice@devs' });
    expect([told.code, told.json.message]).toEqual([
      403,
      'configmaps is forbidden: User "alice" cannot list resource "configmaps" in API group "" in the namespace "default"',
    ]);
    expect((await f.ask('GET', '/apis', { user: 'alice@devs' })).code).toBe(200);
  });

  it('as another by who may', async () => {
    const asAlice = { 'Impersonate-User': 'alice', 'Impersonate-Group': 'devs' };
    expect((await f.ask('GET', cms, { headers: asAlice })).code).toBe(403);
    const asMaster = { 'Impersonate-User': 'alice', 'Impersonate-Group': 'system:masters' };
    expect((await f.ask('GET', cms, { headers: asMaster })).code).toBe(200);
    const told = await f.ask('GET', cms, { user: 'bob@devs', headers: asMaster });
    expect([told.code, told.json.message]).toEqual([
      403,
      'users "alice" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope',
    ]);
    expect((await f.ask('GET', cms, { headers: { 'Impersonate-Group': 'x' } })).code).toBe(400);
  });
});
