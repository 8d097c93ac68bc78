// Create, update and patch as a client sees them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeClock } from '../../base/index.ts';
import { ApiFixture, type Asking } from '../../testkit/index.ts';

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create();
});
afterAll(() => f.close());

const cms = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const configMap = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  ...more,
});
const deployment = (name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, labels: { team: 'a' } },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
});

describe('create', () => {
  it('gives a limit range without a name one', async () => {
    const path = '/api/v1/namespaces/default/limitranges';
    const { json } = await f.ask('POST', path, { body: { metadata: {}, spec: { limits: [] } } });
    expect(json.metadata.name).toMatch(/^[0-9a-f-]{36}$/);
    expect((await f.ask('GET', `${path}/${json.metadata.name}`)).code).toBe(200);
  });

  it('fills in what only the server knows, and ignores what authors say of it', async () => {
    const { code, json } = await f.ask('POST', cms, {
      body: configMap('made', {
        metadata: {
          name: 'made',
          uid: 'mine',
          creationTimestamp: '2001-01-01T00:00:00Z',
          deletionTimestamp: '2001-01-01T00:00:00Z',
          generation: 7,
          selfLink: '/x',
        },
        data: { a: 'b' },
      }),
    });
    expect(code).toBe(201);
    expect(json).toEqual({
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: {
        name: 'made',
        namespace: 'default',
        uid: expect.not.stringMatching(/^mine$/),
        resourceVersion: String(f.store.revision),
        creationTimestamp: '2026-01-02T03:04:05Z',
        managedFields: [expect.objectContaining({ operation: 'Update', fieldsType: 'FieldsV1' })],
      },
      data: { a: 'b' },
    });
    expect((await f.ask('GET', `${cms}/made`)).json).toEqual(json);
  });

  it.each<[string, Asking & { url?: string }, number, string | RegExp]>([
    ['twice', { body: configMap('made') }, 409, 'configmaps "made" already exists'],
    [
      'another namespace',
      { body: configMap('x', { metadata: { name: 'x', namespace: 'other' } }) },
      400,
      'the namespace of the provided object does not match the namespace sent on the request',
    ],
    [
      'a version',
      { body: configMap('x', { metadata: { name: 'x', resourceVersion: '1' } }) },
      500,
      'resourceVersion should not be set on objects to be created',
    ],
    [
      'no name',
      { body: configMap('') },
      422,
      'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
    ],
    [
      'another kind',
      { body: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } } },
      400,
      'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion',
    ],
    [
      'an unknown kind',
      { body: { apiVersion: 'v9', kind: 'ConfigMap', metadata: { name: 'x' } } },
      400,
      'ConfigMap in version "v9" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v9"',
    ],
    [
      'bad JSON',
      { body: '{"a":}' },
      400,
      `the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: invalid character '}' looking for beginning of value ({"a":})`,
    ],
    ['nothing', { body: '' }, 400, /must be of type ConfigMap.*\(<empty>\)$/],
    ['a list', { body: '[]' }, 400, /json: cannot unmarshal array into Go value/],
    [
      'bad YAML',
      { body: 'a: [', type: 'application/yaml' },
      400,
      /error converting YAML to JSON: yaml: line 1/,
    ],
    [
      'an unknown format',
      { body: 'x', type: 'text/html' },
      415,
      /^the body of the request was in an unknown format/,
    ],
    [
      'a wrong type',
      { body: configMap('x', { data: { a: 1 } }) },
      400,
      /^ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number/,
    ],
    [
      'a missing namespace',
      { url: '/api/v1/namespaces/nope/configmaps', body: configMap('x') },
      404,
      'namespaces "nope" not found',
    ],
    [
      'no namespace at all',
      { url: '/api/v1/configmaps', body: configMap('x') },
      405,
      'the server does not allow this method on the requested resource',
    ],
    [
      'a name in the URL',
      { url: `${cms}/x`, body: configMap('x') },
      405,
      'the server does not allow this method on the requested resource',
    ],
    [
      'too much',
      { body: configMap('x', { data: { a: 'x'.repeat(3 * 1024 * 1024) } }) },
      413,
      'Request entity too large: limit is 3145728',
    ],
  ])('refuses %s', async (_, { url = cms, ...asking }, code, message) => {
    const told = await f.ask('POST', url, asking);
    expect({ code: told.code, message: told.json.message }).toEqual({
      code,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    });
    expect(told.json).toMatchObject({ kind: 'Status', status: 'Failure', code });
  });

  it('takes YAML', async () => {
    const told = await f.ask('POST', cms, {
      body: 'metadata:\n  name: yaml\ndata:\n  a: "1"\n',
      type: 'application/yaml',
      accept: 'application/yaml',
    });
    expect(told.code).toBe(201);
    expect(told.text).toContain('apiVersion: v1');
  });

  it('generates names, and the defaults that follow from them', async () => {
    const told = await f.ask('POST', '/api/v1/namespaces', { body: { metadata: { generateName: 'team-' } } });
    expect(told.code).toBe(201);
    const { name, labels } = told.json.metadata;
    expect(name).toMatch(/^team-[a-z0-9]{5}$/);
    expect(labels).toEqual({ 'kubernetes.io/metadata.name': name });
  });

  it('generates another name when the first is taken', async () => {
    let calls = 0;
    const constant = { next: () => (calls++ < 10 ? 0 : 0.5), uuid: () => `u${calls}` };
    const g = await ApiFixture.create({ random: constant as never });
    calls = 0;
    const names = [];
    for (let i = 0; i < 2; i++) {
      calls = 0;
      const told = await g.ask('POST', cms, { body: { metadata: { generateName: 'a-' } } });
      expect(told.code).toBe(201);
      names.push(told.json.metadata.name);
    }
    expect(new Set(names).size).toBe(2);
    await g.close();
  });

  it('changes nothing on a dry run', async () => {
    const before = f.store.revision;
    const told = await f.ask('POST', `${cms}?dryRun=All`, { body: configMap('dry') });
    expect(told.code).toBe(201);
    expect(told.json.metadata.uid).not.toBe('');
    expect((await f.ask('POST', `${cms}?dryRun=All`, { body: configMap('made') })).code).toBe(409);
    expect(f.store.revision).toBe(before);
  });

  it.each([
    ['Strict', 400, undefined],
    ['Warn', 201, ['299 - "duplicate field \\"data\\""', '299 - "unknown field \\"foo\\""']],
    ['Ignore', 201, undefined],
  ])('unknown and duplicate fields: %s', async (how, code, warning) => {
    const body = `{"metadata":{"name":"v-${how.toLowerCase()}"},"foo":1,"data":{"a":"1"},"data":{"a":"2"}}`;
    const told = await f.ask('POST', `${cms}?fieldValidation=${how}`, { body });
    expect([told.code, told.headers['warning']]).toEqual([code, warning]);
    if (code === 400)
      expect(told.json.message).toBe(
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data", unknown field "foo"',
      );
    else expect(told.json.data).toEqual({ a: '2' });
  });
});

describe('update', () => {
  it('raises the generation for desired state only, and keeps the status', async () => {
    const made = (await f.ask('POST', deployments, { body: deployment('gen') })).json;
    expect(made.metadata.generation).toBe(1);
    const url = `${deployments}/gen`;
    const labelled = await f.ask('PUT', url, {
      body: { ...made, metadata: { ...made.metadata, labels: { x: 'y' } }, status: { replicas: 9 } },
    });
    expect(labelled.json.metadata.generation).toBe(1);
    expect(labelled.json.status.replicas).toBeUndefined();
    const scaled = await f.ask('PUT', url, {
      body: { ...labelled.json, spec: { ...made.spec, replicas: 3 } },
    });
    expect(scaled.json.metadata.generation).toBe(2);
  });

  it('writes only the status through status, and keeps the labels of a deployment', async () => {
    const made = (await f.ask('POST', deployments, { body: deployment('st') })).json;
    const told = await f.ask('PUT', `${deployments}/st/status`, {
      body: {
        ...made,
        metadata: { ...made.metadata, labels: { other: 'x' } },
        spec: { ...made.spec, replicas: 7 },
        status: { observedGeneration: 1, replicas: 1 },
      },
    });
    expect(told.code).toBe(200);
    expect(told.json).toMatchObject({
      metadata: { labels: { team: 'a' }, generation: 1 },
      spec: { replicas: 1 },
      status: { observedGeneration: 1, replicas: 1 },
    });
  });

  it('does not write what does not change', async () => {
    const made = (await f.ask('POST', cms, { body: configMap('same', { data: { a: 'b' } }) })).json;
    const told = await f.ask('PUT', `${cms}/same`, { body: made });
    expect(told.json.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
  });

  it.each<[string, (made: { metadata: object }) => unknown, number, string | RegExp]>([
    [
      'an old version',
      (made) => ({ ...made, metadata: { ...made.metadata, resourceVersion: '1' } }),
      409,
      'Operation cannot be fulfilled on configmaps "up": the object has been modified; please apply your changes to the latest version and try again',
    ],
    [
      'another uid',
      (made) => ({ ...made, metadata: { ...made.metadata, uid: 'x' } }),
      409,
      /^Operation cannot be fulfilled on configmaps "up": Precondition failed: UID in precondition: x, UID in object meta: /,
    ],
    [
      'another name',
      () => configMap('other'),
      400,
      'the name of the object (other) does not match the name on the URL (up)',
    ],
    [
      'no name',
      () => configMap(''),
      400,
      'the name of the object (up based on URL) was undeterminable: name must be provided',
    ],
    [
      'another namespace',
      () => configMap('up', { metadata: { name: 'up', namespace: 'other' } }),
      400,
      'the namespace of the object (other) does not match the namespace on the request (default)',
    ],
    [
      'a bad version',
      () => configMap('up', { metadata: { name: 'up', resourceVersion: 'x' } }),
      400,
      /^invalid resource version/,
    ],
    [
      'bad labels, said once',
      () => configMap('up', { metadata: { name: 'up', labels: { a: '-' } } }),
      422,
      /^ConfigMap "up" is invalid: metadata\.labels: Invalid value: "-": a valid label/,
    ],
  ])('refuses %s', async (_, body, code, message) => {
    await f.ask('POST', cms, { body: configMap('up') });
    const made = (await f.ask('GET', `${cms}/up`)).json;
    const told = await f.ask('PUT', `${cms}/up`, { body: body(made) });
    expect([told.code, told.json.message]).toEqual([
      code,
      typeof message === 'string' ? message : expect.stringMatching(message),
    ]);
    if (code === 422) expect(told.json.details.causes).toHaveLength(1);
  });

  it('without a version replaces the newest, whoever else writes', async () => {
    await f.ask('POST', cms, { body: configMap('race') });
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        f.ask('PUT', `${cms}/race`, { body: configMap('race', { data: { n: String(i) } }) }),
      ),
    );
    expect(all.map((told) => told.code)).toEqual(all.map(() => 200));
  });

  it('creates kinds that are made by PUT', async () => {
    const url = '/apis/coordination.k8s.io/v1/namespaces/default/leases/l';
    const body = { metadata: { name: 'l', resourceVersion: '3' }, spec: {} };
    expect((await f.ask('PUT', url, { body })).code).toBe(201);
    expect((await f.ask('PUT', `${cms}/never`, { body: configMap('never') })).code).toBe(404);
  });
});

describe('patch', () => {
  const types = {
    json: 'application/json-patch+json',
    merge: 'application/merge-patch+json',
    strategic: 'application/strategic-merge-patch+json',
  };

  it('applies each type', async () => {
    await f.ask('POST', deployments, { body: deployment('p') });
    const url = `${deployments}/p`;
    const json = await f.ask('PATCH', url, {
      type: types.json,
      body: [{ op: 'replace', path: '/spec/replicas', value: 2 }],
    });
    expect(json.json.spec.replicas).toBe(2);
    const merge = await f.ask('PATCH', url, { type: types.merge, body: { metadata: { labels: null } } });
    expect(merge.json.metadata.labels).toBeUndefined();
    const strategic = await f.ask('PATCH', url, {
      type: types.strategic,
      body: { spec: { template: { spec: { containers: [{ name: 'd', image: 'j' }] } } } },
    });
    expect(strategic.json.spec.template.spec.containers.map((c: { name: string }) => c.name)).toEqual([
      'd',
      'c',
    ]);
  });

  it('lost races are run again', async () => {
    await f.ask('POST', cms, { body: configMap('many') });
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        f.ask('PATCH', `${cms}/many`, { type: types.merge, body: { data: { [`k${i}`]: 'v' } } }),
      ),
    );
    expect(all.map((told) => told.code)).toEqual(all.map(() => 200));
    expect(Object.keys((await f.ask('GET', `${cms}/many`)).json.data)).toHaveLength(20);
  });

  it.each<[string, string, unknown, number, string | RegExp]>([
    ['json', 'no list', { op: 'add' }, 400, /cannot unmarshal object into Go value of type jsonpatch.Patch/],
    [
      'json',
      'what does not apply',
      [{ op: 'remove', path: '/x' }],
      422,
      'the server rejected our request due to an error in our request',
    ],
    ['merge', 'a list', [], 400, /^error decoding patch: json: cannot unmarshal array/],
    ['merge', 'bad JSON', '{x', 400, /^error decoding patch: invalid character 'x'/],
    [
      'merge',
      'another name',
      { metadata: { name: 'b' } },
      400,
      'the name of the object (b) does not match the name on the URL (pr)',
    ],
    ['merge', 'an old version', { metadata: { resourceVersion: '1' } }, 409, /the object has been modified/],
    [
      'merge',
      'a wrong type',
      { data: 1 },
      422,
      /^ "" is invalid: patch: Invalid value: "\{.*: json: cannot unmarshal number/,
    ],
    [
      'strategic',
      'a wrong type',
      { data: 1 },
      422,
      ' "" is invalid: patch: Invalid value: "map[data:1]": json: cannot unmarshal number into Go struct field ConfigMap.data of type map[string]string',
    ],
    ['merge', 'another kind', { kind: 'Secret' }, 400, /^a patch cannot change apiVersion and kind/],
  ])('%s refuses %s', async (type, _, body, code, message) => {
    await f.ask('POST', cms, { body: configMap('pr') });
    const told = await f.ask('PATCH', `${cms}/pr`, { type: types[type as 'json'], body });
    expect([told.code, told.json.message]).toEqual([
      code,
      typeof message === 'string' ? message : expect.stringMatching(message),
    ]);
  });

  it('does not say why a patch does not apply, as Kubernetes does not', async () => {
    await f.ask('POST', cms, { body: configMap('why') });
    const told = await f.ask('PATCH', `${cms}/why`, {
      type: types.json,
      body: [{ op: 'remove', path: '/x' }],
    });
    expect([told.code, told.headers['warning']]).toEqual([422, undefined]);
    expect(told.json).toMatchObject({
      message: 'the server rejected our request due to an error in our request',
      details: {},
    });
  });

  it('strict patches name unknown fields', async () => {
    await f.ask('POST', cms, { body: configMap('strict') });
    const told = await f.ask('PATCH', `${cms}/strict?fieldValidation=Strict`, {
      type: types.strategic,
      body: { foo: 'x' },
    });
    expect([told.code, told.json.message]).toEqual([
      422,
      ' "" is invalid: patch: Invalid value: "map[foo:x]": strict decoding error: unknown field "foo"',
    ]);
  });
});

it('writes are seen at the time of the clock', async () => {
  await (f.clock as FakeClock).advance(60_000);
  const told = await f.ask('POST', cms, { body: configMap('later') });
  expect(told.json.metadata.creationTimestamp).toBe('2026-01-02T03:05:05Z');
});
