// managedFields and server-side apply as a client sees them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigMap } from '../../api/index.ts';
import type { FakeClock } from '../../base/index.ts';
import { ApiFixture, type Asking, type Told } from '../../testkit/index.ts';

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create();
});
afterAll(() => f.close());

const cms = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const events = '/api/v1/namespaces/default/events';

const deployment = (name: string, replicas: number, more: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
  ...more,
});
const configMap = (name: string, data: object, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
});

const apply = (
  path: string,
  body: unknown,
  manager = 'a',
  more: Asking & { force?: boolean; query?: string } = {},
) =>
  f.ask('PATCH', `${path}?fieldManager=${manager}${more.force ? '&force=true' : ''}${more.query ?? ''}`, {
    type: 'application/apply-patch+yaml',
    body,
    ...more,
  });
const merge = (path: string, body: unknown, manager: string) =>
  f.ask('PATCH', `${path}?fieldManager=${manager}`, { type: 'application/merge-patch+json', body });

interface Entry {
  manager: string;
  operation: string;
  subresource?: string;
  time: string;
  fieldsV1: object;
}
const ownersOf = ({ json }: Told): Record<string, object> =>
  Object.fromEntries(
    ((json.metadata.managedFields ?? []) as Entry[]).map(({ manager, operation, subresource, fieldsV1 }) => [
      [manager, operation, subresource].filter(Boolean).join(' '),
      fieldsV1,
    ]),
  );
const get = (path: string) => f.ask('GET', path);

describe('owners', () => {
  it('of a pod: what its author said and what was defaulted, not what admission filled in', async () => {
    const made = await f.ask('POST', '/api/v1/namespaces/default/pods?fieldManager=kubectl-run', {
      body: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p', labels: { run: 'p' } },
        spec: { containers: [{ name: 'p', image: 'nginx' }] },
      },
    });
    expect(made.json.spec.tolerations).toHaveLength(2);
    expect(made.json.metadata.managedFields).toEqual([
      {
        manager: 'kubectl-run',
        operation: 'Update',
        apiVersion: 'v1',
        time: '2026-01-02T03:04:05Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': { 'f:labels': { '.': {}, 'f:run': {} } },
          'f:spec': {
            'f:containers': {
              'k:{"name":"p"}': {
                '.': {},
                'f:image': {},
                'f:imagePullPolicy': {},
                'f:name': {},
                'f:resources': {},
                'f:terminationMessagePath': {},
                'f:terminationMessagePolicy': {},
              },
            },
            'f:dnsPolicy': {},
            'f:enableServiceLinks': {},
            'f:restartPolicy': {},
            'f:schedulerName': {},
            'f:securityContext': {},
            'f:terminationGracePeriodSeconds': {},
          },
        },
      },
    ]);
  });

  it('are the program when nobody is named', async () => {
    const told = await f.ask('POST', cms, {
      body: configMap('ua', { a: 'b' }),
      headers: { 'user-agent': 'curl/8' },
    });
    expect(ownersOf(told)).toEqual({ 'curl Update': { 'f:data': { '.': {}, 'f:a': {} } } });
  });

  it('in-process writers name themselves', async () => {
    const made = await f.api
      .client(ConfigMap)
      .create(
        { metadata: { name: 'inside', namespace: 'default' }, data: { a: 'b' } },
        { fieldManager: 'me' },
      );
    expect(made.metadata.managedFields).toMatchObject([{ manager: 'me', operation: 'Update' }]);
  });

  it('status, scale and the object have owners of their own; a binding has none', async () => {
    const path = `${deployments}/parts`;
    await f.ask('POST', `${deployments}?fieldManager=author`, { body: deployment('parts', 1) });
    await merge(`${path}/status`, { status: { replicas: 1 }, spec: { replicas: 7 } }, 'controller');
    const told = await merge(`${path}/scale`, { spec: { replicas: 2 } }, 'scaler');
    expect([told.code, told.json.kind, told.json.metadata.managedFields]).toEqual([200, 'Scale', undefined]);
    const owners = ownersOf(await get(path));
    expect(owners['controller Update status']).toEqual({ 'f:status': { 'f:replicas': {} } });
    expect(owners['scaler Update scale']).toEqual({ 'f:spec': { 'f:replicas': {} } });
    expect(owners['author Update']).not.toHaveProperty(['f:spec', 'f:replicas']);

    await f.ask('POST', '/api/v1/namespaces/default/pods?fieldManager=author', {
      body: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'bound' },
        spec: { containers: [{ name: 'c', image: 'i' }] },
      },
    });
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'bound' },
      target: { kind: 'Node', name: 'n' },
    };
    await f.ask('POST', '/api/v1/namespaces/default/pods/bound/binding', { body: binding });
    expect(Object.keys(ownersOf(await get('/api/v1/namespaces/default/pods/bound')))).toEqual([
      'author Update',
    ]);
  });

  it('a write that changes nothing is none, whoever writes and whenever', async () => {
    const path = `${cms}/still`;
    const made = await f.ask('POST', `${cms}?fieldManager=one`, { body: configMap('still', { a: 'b' }) });
    await (f.clock as FakeClock).advance(5000);
    for (const told of [
      await f.ask('PUT', `${path}?fieldManager=two`, { body: made.json }),
      await f.ask('PUT', `${path}?fieldManager=two`, { body: configMap('still', { a: 'b' }) }),
      await merge(path, { data: { a: 'b' } }, 'two'),
      await f.ask('PUT', `${path}?fieldManager=two`, { body: { ...made.json, status: {} } }),
    ])
      expect(told.json).toEqual(made.json);
  });

  it('are forgotten on request', async () => {
    await f.ask('POST', cms, { body: configMap('forget', { a: 'b' }) });
    const told = await merge(`${cms}/forget`, { metadata: { managedFields: [] } }, 'x');
    expect(told.json.metadata.managedFields).toBeUndefined();
    expect(ownersOf(await merge(`${cms}/forget`, { data: { c: 'd' } }, 'x'))).toEqual({});
    expect(ownersOf(await apply(`${cms}/forget`, configMap('forget', { e: 'f' })))).toEqual({
      'a Apply': { 'f:data': { 'f:e': {} } },
      'before-first-apply Update': { 'f:data': { '.': {}, 'f:a': {}, 'f:c': {} } },
    });
  });

  it('are written in the terms of the version that wrote', async () => {
    const event = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'e', namespace: 'default' },
      eventTime: '2026-01-02T03:04:05.000000Z',
      reportingController: 'example.com/c',
      reportingInstance: 'i',
      action: 'Act',
      reason: 'Because',
      regarding: { kind: 'Pod', namespace: 'default', name: 'p' },
      note: 'first',
      type: 'Normal',
    };
    const made = await f.ask('POST', '/apis/events.k8s.io/v1/namespaces/default/events?fieldManager=new', {
      body: event,
    });
    expect(made.code).toBe(201);
    expect(ownersOf(made)['new Update']).toMatchObject({ 'f:note': {}, 'f:regarding': {} });
    const changed = await merge(`${events}/e`, { message: 'second' }, 'old');
    const owners = ownersOf(changed);
    expect(owners['old Update']).toEqual({ 'f:message': {} });
    expect(owners['new Update']).not.toHaveProperty(['f:note']);
    expect(owners['new Update']).toHaveProperty(['f:regarding']);
  });
});

describe('apply', () => {
  it('creates, changes and leaves alone', async () => {
    const path = `${deployments}/web`;
    const first = await apply(path, deployment('web', 1));
    expect([first.code, first.json.spec.strategy.type]).toEqual([201, 'RollingUpdate']);
    await (f.clock as FakeClock).advance(5000);
    const same = await apply(path, deployment('web', 1));
    expect([same.code, same.json]).toEqual([200, first.json]);
    const second = await apply(path, deployment('web', 2));
    expect([second.code, second.json.spec.replicas, second.json.metadata.generation]).toEqual([200, 2, 2]);
    expect(second.json.metadata.managedFields[0].time).not.toBe(first.json.metadata.managedFields[0].time);
  });

  it('takes YAML', async () => {
    const body = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata:\n  a: b\n';
    const told = await apply(`${cms}/yaml`, body);
    expect([told.code, told.json.data]).toEqual([201, { a: 'b' }]);
  });

  it('tells who is in the way, and takes it by force', async () => {
    const path = `${deployments}/mine`;
    await apply(path, deployment('mine', 1));
    const told = await apply(path, deployment('mine', 2), 'b');
    expect(told.code).toBe(409);
    expect(told.json).toMatchObject({
      reason: 'Conflict',
      message: 'Apply failed with 1 conflict: conflict with "a": .spec.replicas',
      details: {
        causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "a"', field: '.spec.replicas' }],
      },
    });
    const forced = await apply(path, deployment('mine', 2), 'b', { force: true });
    expect([forced.code, forced.json.spec.replicas]).toEqual([200, 2]);
    expect(ownersOf(forced)['a Apply']).not.toHaveProperty(['f:spec', 'f:replicas']);
  });

  it('a dry run changes nothing', async () => {
    const path = `${cms}/dry`;
    const told = await apply(path, configMap('dry', { a: 'b' }), 'a', { query: '&dryRun=All' });
    expect([told.code, told.json.data]).toEqual([201, { a: 'b' }]);
    expect((await get(path)).code).toBe(404);
    await apply(path, configMap('dry', { a: 'b' }));
    const before = await get(path);
    const again = await apply(path, configMap('dry', { a: 'c' }), 'a', { query: '&dryRun=All' });
    expect(again.json.data).toEqual({ a: 'c' });
    expect((await get(path)).json).toEqual(before.json);
  });

  it('works on status and on scale, and creates neither', async () => {
    const path = `${deployments}/sub`;
    expect((await apply(`${path}/status`, deployment('sub', 1))).code).toBe(404);
    await apply(path, deployment('sub', 1));
    const reported = await apply(
      `${path}/status`,
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'sub' }, status: { replicas: 1 } },
      'ctl',
    );
    expect([reported.code, reported.json.status.replicas]).toEqual([200, 1]);
    expect(ownersOf(reported)['ctl Apply status']).toEqual({ 'f:status': { 'f:replicas': {} } });

    const scale = {
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name: 'sub' },
      spec: { replicas: 4 },
    };
    expect((await apply(`${path}/scale`, scale, 'hpa')).json.message).toBe(
      'Apply failed with 1 conflict: conflict with "a": .spec.replicas',
    );
    const scaled = await apply(`${path}/scale`, scale, 'hpa', { force: true });
    expect([scaled.json.kind, scaled.json.spec.replicas]).toEqual(['Scale', 4]);
    const after = await get(path);
    expect(after.json.spec.replicas).toBe(4);
    expect(ownersOf(after)['hpa Apply scale']).toEqual({ 'f:spec': { 'f:replicas': {} } });
  });

  it.each<[string, unknown, number, string | RegExp]>([
    ['another kind', { ...configMap('x', {}), kind: 'Secret' }, 400, 'invalid object type: /v1, Kind=Secret'],
    ['no kind', {}, 400, 'invalid object type: /, Kind='],
    ['a list', [], 400, /^error decoding YAML: /],
    ['no YAML', '{', 400, /^error decoding YAML: /],
    ['managedFields', configMap('x', {}, { managedFields: [] }), 400, 'metadata.managedFields must be nil'],
    [
      'another name',
      configMap('y', {}),
      400,
      'the name of the object (y) does not match the name on the URL (x)',
    ],
    [
      'an unknown field',
      { ...configMap('x', {}, { namespace: 'default' }), odd: 1 },
      500,
      'failed to create typed patch object (default/x; /v1, Kind=ConfigMap): .odd: field not declared in schema',
    ],
    [
      'a uid that is not there',
      configMap('x', {}, { uid: '1' }),
      409,
      'Operation cannot be fulfilled on configmaps "x": uid mismatch: the provided object specified uid 1, and no existing object was found',
    ],
  ])('refuses %s', async (_, body, code, message) => {
    const told = await apply(`${cms}/x`, body);
    expect(told.code).toBe(code);
    if (typeof message === 'string') expect(told.json.message).toBe(message);
    else expect(told.json.message).toMatch(message);
  });

  it('keeps to the version that a configuration names', async () => {
    const path = `${cms}/versioned`;
    const first = await apply(path, configMap('versioned', { a: '1' }));
    const { resourceVersion, uid } = first.json.metadata;
    const second = await apply(path, configMap('versioned', { a: '2' }, { resourceVersion, uid }));
    expect(second.code).toBe(200);
    for (const wrong of [{ resourceVersion }, { uid: 'other' }])
      expect((await apply(path, configMap('versioned', { a: '3' }, wrong))).code).toBe(409);
  });

  it('refuses what only an apply may say, and an apply that names nobody', async () => {
    const anonymous = await f.ask('PATCH', `${cms}/x`, { type: 'application/apply-patch+yaml', body: '{}' });
    expect([anonymous.code, anonymous.json.message]).toEqual([
      422,
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    ]);
    const cbor = await f.ask('PATCH', `${cms}/x?fieldManager=a`, {
      type: 'application/apply-patch+cbor',
      body: '',
    });
    expect(cbor.code).toBe(415);
  });

  it('is strict about fields given twice when asked', async () => {
    const body =
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}';
    const path = `${cms}/twice`;
    expect((await apply(path, body, 'a', { query: '&fieldValidation=Strict' })).json.message).toBe(
      'error strict decoding YAML: duplicate field "data.a"',
    );
    const told = await apply(path, body);
    expect([told.code, told.headers['warning']]).toEqual([201, ['299 - "duplicate field \\"data.a\\""']]);
  });

  it('from inside, as a client', async () => {
    const client = f.api.client(ConfigMap);
    const at = { name: 'client', namespace: 'default' };
    const made = await client.patch(at, 'apply', configMap('client', { a: 'b' }), { fieldManager: 'c' });
    expect(made.metadata.managedFields).toMatchObject([{ manager: 'c', operation: 'Apply' }]);
    const other = configMap('client', { a: 'c' });
    await expect(client.patch(at, 'apply', other, { fieldManager: 'd' })).rejects.toMatchObject({
      code: 409,
    });
    const forced = await client.patch(at, 'apply', other, { fieldManager: 'd', force: true });
    expect(forced.data).toEqual({ a: 'c' });
  });
});
