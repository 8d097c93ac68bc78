// Which kinds may be replaced unseen, which come to be by a PUT, and who may make an object in passing.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';
import { createAuthorizer } from '../auth/authorize.ts';

const ns = 'namespaces/default';
const policies = `/apis/policy/v1/${ns}/poddisruptionbudgets`;
const leases = `/apis/coordination.k8s.io/v1/${ns}/leases`;
const cms = `/api/v1/${ns}/configmaps`;

/** Everybody may do everything but what his name says he may not: `all-but-create`. */
const allBut = createAuthorizer([
  ({ user, verb }) => ({ decision: user.name === `all-but-${verb}` ? 'noOpinion' : 'allow', reason: '' }),
]);

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create({ server: { authorize: allBut } });
});
afterAll(() => f.close());

describe('an update that names no version', () => {
  it('replaces whatever is there', async () => {
    await f.ask('POST', cms, { body: { metadata: { name: 'any' }, data: { a: '1' } } });
    const told = await f.ask('PUT', `${cms}/any`, { body: { metadata: { name: 'any' }, data: { a: '2' } } });
    expect([told.code, told.json.data]).toEqual([200, { a: '2' }]);
  });

  it.each([
    ['policy', policies, 'poddisruptionbudgets', { selector: {}, minAvailable: 1 }, ''],
    ['policy', policies, 'poddisruptionbudgets', { selector: {}, minAvailable: 1 }, '/status'],
    ['coordination.k8s.io', leases, 'leases', { holderIdentity: 'a' }, ''],
    [
      'storage.k8s.io',
      '/apis/storage.k8s.io/v1/csidrivers',
      'csidrivers',
      { attachRequired: false, podInfoOnMount: false },
      '',
    ],
  ])('is refused for %s %s', async (group, url, plural, spec, subresource) => {
    const name = `unseen${subresource.replace('/', '-')}`;
    const made = await f.ask('POST', url, { body: { metadata: { name }, spec } });
    expect(made.code).toBe(201);
    const blind = { ...made.json, metadata: { name } };
    const told = await f.ask('PUT', `${url}/${name}${subresource}`, { body: blind });
    expect([told.code, told.json.message, told.json.details.causes]).toEqual([
      422,
      `${plural}.${group} "${name}" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update`,
      [
        {
          reason: 'FieldValueInvalid',
          message: 'Invalid value: 0x0: must be specified for an update',
          field: 'metadata.resourceVersion',
        },
      ],
    ]);
    const seen = await f.ask('PUT', `${url}/${name}${subresource}`, { body: made.json });
    expect(seen.code).toBe(200);
    const patched = await f.ask('PATCH', `${url}/${name}`, {
      body: { metadata: { labels: { a: 'b' } } },
      type: 'application/merge-patch+json',
    });
    expect(patched.code).toBe(200);
  });
});

it('definitions of resources are not replaced unseen', async () => {
  const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const body = {
    metadata: { name: 'boxes.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'boxes', kind: 'Box' },
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
      ],
    },
  };
  expect((await f.ask('POST', crds, { body })).code).toBe(201);
  const told = await f.ask('PUT', `${crds}/boxes.example.com`, { body });
  expect([told.code, told.json.message]).toEqual([
    422,
    expect.stringContaining('metadata.resourceVersion: Invalid value: 0x0: must be specified for an update'),
  ]);
});

describe('a PUT to a name that nothing has', () => {
  it.each([
    [leases, 'Lease', { spec: {} }],
    [`/api/v1/${ns}/limitranges`, 'LimitRange', { spec: { limits: [] } }],
    ['/apis/node.k8s.io/v1/runtimeclasses', 'RuntimeClass', { handler: 'h' }],
    ['/apis/rbac.authorization.k8s.io/v1/clusterroles', 'ClusterRole', { rules: [] }],
  ])('makes one in %s', async (url, kind, content) => {
    const told = await f.ask('PUT', `${url}/put`, { body: { metadata: { name: 'put' }, ...content } });
    expect([told.code, told.json.kind]).toEqual([201, kind]);
  });

  it.each([
    [cms, {}],
    [policies, { spec: { selector: {}, minAvailable: 1 } }],
  ])('is 404 in %s', async (url, content) => {
    const told = await f.ask('PUT', `${url}/put`, { body: { metadata: { name: 'put' }, ...content } });
    expect(told.code).toBe(404);
  });

  it('needs the right to create', async () => {
    const body = { metadata: { name: 'mine' }, spec: {} };
    const told = await f.ask('PUT', `${leases}/mine`, { body, user: 'all-but-create' });
    expect([told.code, told.json.message]).toEqual([
      403,
      'leases.coordination.k8s.io "mine" is forbidden: User "all-but-create" cannot create resource "leases" in API group "coordination.k8s.io" in the namespace "default"',
    ]);
    expect((await f.ask('GET', `${leases}/mine`)).code).toBe(404);
    expect((await f.ask('PUT', `${leases}/mine`, { body })).code).toBe(201);
  });
});

it('an apply that makes the object needs the right to create', async () => {
  const apply = (user: string) =>
    f.ask('PATCH', `${cms}/applied?fieldManager=m`, {
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' }, data: { a: user } },
      type: 'application/apply-patch+yaml',
      user,
    });
  expect((await apply('all-but-patch')).code).toBe(403);
  const refused = await apply('all-but-create');
  expect([refused.code, refused.json.message]).toEqual([
    403,
    expect.stringContaining('User "all-but-create" cannot create resource "configmaps"'),
  ]);
  expect((await apply('anybody')).code).toBe(201);
  expect((await apply('all-but-create')).code).toBe(200);
});

it('a create that meets an object on its way out says so', async () => {
  const body = { metadata: { name: 'going', finalizers: ['x/y'] } };
  await f.ask('POST', cms, { body });
  expect((await f.ask('POST', cms, { body })).json.message).toBe('configmaps "going" already exists');
  await f.ask('DELETE', `${cms}/going`);
  expect((await f.ask('POST', cms, { body })).json.message).toBe(
    'object is being deleted: configmaps "going" already exists',
  );
});
