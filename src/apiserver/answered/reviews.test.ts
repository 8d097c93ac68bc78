// Kinds that are answered, not stored, as a client sees them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
let sick: string | undefined;
beforeAll(async () => {
  f = await ApiFixture.create({
    server: {
      token: (token) =>
        token === 'good' ? { name: 'zoe', uid: '7', groups: ['dev', 'system:authenticated'] } : undefined,
      audiences: ['https://cluster'],
      components: [{ name: 'scheduler', check: async () => sick }],
    },
  });
});
afterAll(() => f.close());

const authorization = '/apis/authorization.k8s.io/v1';
const authentication = '/apis/authentication.k8s.io/v1';
const zoe = 'zoe@dev';

describe('who', () => {
  it.each([
    [
      'a known token',
      { token: 'good' },
      {
        authenticated: true,
        user: { username: 'zoe', uid: '7', groups: ['dev', 'system:authenticated'] },
        audiences: ['https://cluster'],
      },
    ],
    ['an unknown one', { token: 'bad' }, { user: {}, error: 'invalid bearer token' }],
    [
      'one for others',
      { token: 'good', audiences: ['https://vault'] },
      { user: {}, error: 'invalid bearer token' },
    ],
    [
      'one for us too',
      { token: 'good', audiences: ['https://vault', 'https://cluster'] },
      {
        authenticated: true,
        user: { username: 'zoe', uid: '7', groups: ['dev', 'system:authenticated'] },
        audiences: ['https://cluster'],
      },
    ],
  ])('is told of %s', async (_, spec, status) => {
    const { code, json } = await f.ask('POST', `${authentication}/tokenreviews`, { body: { spec } });
    expect([code, json.kind, json.status]).toEqual([201, 'TokenReview', status]);
  });

  it('needs a token', async () => {
    const { code, json } = await f.ask('POST', `${authentication}/tokenreviews`, { body: { spec: {} } });
    expect([code, json.message]).toEqual([400, 'token is required for TokenReview in authentication']);
  });

  it('am I', async () => {
    const { code, json } = await f.ask('POST', `${authentication}/selfsubjectreviews`, {
      body: {},
      user: zoe,
    });
    expect(code).toBe(201);
    expect(json).toEqual({
      kind: 'SelfSubjectReview',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { creationTimestamp: '2026-01-02T03:04:05Z' },
      status: { userInfo: { username: 'zoe', groups: ['dev', 'system:authenticated'] } },
    });
  });
});

const resourceAttributes = { verb: 'get', resource: 'pods', namespace: 'default' };

describe('may he', () => {
  it.each([
    ['an administrator', { user: 'x', groups: ['system:masters'], resourceAttributes }, { allowed: true }],
    ['somebody', { user: 'x', resourceAttributes }, { allowed: false }],
    [
      'somebody a path',
      {
        user: 'x',
        groups: ['system:authenticated'],
        nonResourceAttributes: { verb: 'get', path: '/version' },
      },
      { allowed: true },
    ],
  ])('%s', async (_, spec, status) => {
    const { code, json } = await f.ask('POST', `${authorization}/subjectaccessreviews`, { body: { spec } });
    expect([code, json.status]).toEqual([201, status]);
  });

  it.each([
    [
      'subjectaccessreviews',
      { spec: {} },
      [
        'spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
        'spec.user: Invalid value: "": at least one of user or group must be specified',
      ],
    ],
    [
      'subjectaccessreviews',
      { metadata: { name: 'a' }, spec: { user: 'x', resourceAttributes, nonResourceAttributes: {} } },
      [
        'spec.nonResourceAttributes: Invalid value: {}: cannot be specified in combination with resourceAttributes',
        /^metadata: Invalid value: .*: must be empty$/,
      ],
    ],
    [
      'namespaces/other/localsubjectaccessreviews',
      { spec: { user: 'x', resourceAttributes } },
      ['spec.resourceAttributes.namespace: Invalid value: "default": must match metadata.namespace'],
    ],
    [
      'selfsubjectaccessreviews',
      { spec: { resourceAttributes: { ...resourceAttributes, labelSelector: {} } } },
      [
        'spec.resourceAttributes.labelSelector.requirements: Required value: when spec.resourceAttributes.labelSelector is specified, requirements or rawSelector is required',
      ],
    ],
  ])('%s refuses %j', async (path, body, causes) => {
    const { code, json } = await f.ask('POST', `${authorization}/${path}`, { body });
    expect(code).toBe(422);
    const said = json.details.causes.map(
      (c: { field: string; message: string }) => `${c.field}: ${c.message}`,
    );
    expect(said).toEqual(causes.map((c) => (typeof c === 'string' ? c : expect.stringMatching(c))));
  });

  it('in a namespace that does not exist: it is only a question', async () => {
    const spec = {
      groups: ['system:masters'],
      resourceAttributes: { ...resourceAttributes, namespace: 'none' },
    };
    const { code, json } = await f.ask('POST', `${authorization}/namespaces/none/localsubjectaccessreviews`, {
      body: { spec },
    });
    expect([code, json.status]).toEqual([201, { allowed: true }]);
  });

  it('I: anybody may ask', async () => {
    const { json } = await f.ask('POST', `${authorization}/selfsubjectaccessreviews`, {
      body: { spec: { resourceAttributes } },
      user: zoe,
    });
    expect(json.status).toEqual({ allowed: false });
  });

  it('I do: the rules of everybody, and of an administrator', async () => {
    const ask = async (user: string) =>
      (
        await f.ask('POST', `${authorization}/selfsubjectrulesreviews`, {
          body: { spec: { namespace: 'default' } },
          user,
        })
      ).json.status;
    const mine = await ask(zoe);
    expect(mine.incomplete).toBe(false);
    expect(mine.resourceRules).toContainEqual({
      verbs: ['create'],
      apiGroups: ['authorization.k8s.io'],
      resources: ['selfsubjectaccessreviews'],
    });
    expect((await ask('a@system:masters')).resourceRules[0]).toEqual({
      verbs: ['*'],
      apiGroups: ['*'],
      resources: ['*'],
    });
  });

  it('needs a namespace for a list of rules', async () => {
    const { code, json } = await f.ask('POST', `${authorization}/selfsubjectrulesreviews`, {
      body: { spec: {} },
    });
    expect([code, json.message]).toEqual([400, 'no namespace on request']);
  });
});

it.each([
  ['GET', `${authorization}/subjectaccessreviews`],
  ['GET', `${authorization}/subjectaccessreviews/a`],
  ['DELETE', `${authentication}/tokenreviews/a`],
  ['GET', '/api/v1/namespaces/default/bindings'],
  ['POST', '/api/v1/componentstatuses'],
  ['GET', '/api/v1/componentstatuses?watch=1'],
])('%s %s is not allowed', async (method, url) => {
  const { code, json } = await f.ask(method, url);
  expect([code, json.reason]).toEqual([405, 'MethodNotAllowed']);
});

describe('componentstatuses', () => {
  it('say how the parts are, and that they are deprecated', async () => {
    sick = undefined;
    const { json, headers } = await f.ask('GET', '/api/v1/componentstatuses');
    expect(headers['warning']).toEqual(['299 - "v1 ComponentStatus is deprecated in v1.19+"']);
    const healthy = [{ type: 'Healthy', status: 'True', message: 'ok' }];
    expect(json.items).toEqual([
      { metadata: { name: 'etcd-0', creationTimestamp: null }, conditions: healthy },
      { metadata: { name: 'scheduler', creationTimestamp: null }, conditions: healthy },
    ]);
  });

  it('show one that is not well', async () => {
    sick = 'no leader';
    const { json } = await f.ask('GET', '/api/v1/componentstatuses/scheduler');
    expect(json.conditions).toEqual([{ type: 'Healthy', status: 'False', error: 'no leader' }]);
    const accept = 'application/json;as=Table;g=meta.k8s.io;v=v1';
    const table = await f.ask('GET', '/api/v1/componentstatuses?fieldSelector=metadata.name%3Dscheduler', {
      accept,
    });
    expect(table.json.rows.map((row: { cells: unknown }) => row.cells)).toEqual([
      ['scheduler', 'Unhealthy', '', 'no leader'],
    ]);
  });

  it('do not know every name', async () => {
    const { code, json } = await f.ask('GET', '/api/v1/componentstatuses/x');
    expect([code, json.message]).toEqual([500, 'Component not found: x']);
  });
});

describe('bindings', () => {
  const url = '/api/v1/namespaces/default/bindings';
  const spec = { containers: [{ name: 'c', image: 'i' }] };
  it('bind the pod that the body names', async () => {
    await f.ask('POST', '/api/v1/namespaces/default/pods', { body: { metadata: { name: 'p' }, spec } });
    const { code, json } = await f.ask('POST', url, {
      body: { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n' } },
    });
    expect([code, json.status]).toEqual([201, 'Success']);
    expect((await f.ask('GET', '/api/v1/namespaces/default/pods/p')).json.spec.nodeName).toBe('n');
  });
  it.each([
    [{ metadata: {}, target: { name: 'n' } }, 422],
    [{ metadata: { name: 'none' }, target: { name: 'n' } }, 404],
    [{ metadata: { name: 'p', namespace: 'other' }, target: { name: 'n' } }, 400],
    [{ metadata: { name: 'p' }, target: { name: 'm' } }, 409],
  ])('refuse %j', async (body, code) => {
    expect((await f.ask('POST', url, { body })).code).toBe(code);
  });
});

it('lists only create in discovery', async () => {
  const { json } = await f.ask('GET', authorization);
  expect(json.resources.map((r: { name: string; verbs: string[] }) => [r.name, r.verbs])).toContainEqual([
    'subjectaccessreviews',
    ['create'],
  ]);
});

describe('a Table', () => {
  const url = `${authorization}/selfsubjectaccessreviews`;
  const body = { spec: { nonResourceAttributes: { path: '/', verb: 'get' } } };
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  it('cannot be made of what is never read', async () => {
    const { code, json } = await f.ask('POST', url, { body, accept: table });
    expect([code, json.reason, json.code]).toEqual([406, 'NotAcceptable', 406]);
  });

  it('is not insisted upon by who takes the object too', async () => {
    const { code, json } = await f.ask('POST', url, { body, accept: `${table},application/json` });
    expect([code, json.kind]).toEqual([201, 'SelfSubjectAccessReview']);
  });
});
