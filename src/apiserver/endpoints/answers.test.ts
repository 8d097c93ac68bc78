// What goes out besides the objects themselves: forms, encodings, errors; and who is let in.
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
