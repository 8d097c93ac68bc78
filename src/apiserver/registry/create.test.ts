// Create as a client sees it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiFixture, type Asking } from '../../testkit/index.ts';
import { configMap, configMaps } from './testdata/written-objects.ts';

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create();
});
afterAll(() => f.close());

describe('create', () => {
  it('gives a limit range without a name one', async () => {
    const path = '/api/v1/namespaces/default/limitranges';
    const { json } = await f.ask('POST', path, { body: { metadata: {}, spec: { limits: [] } } });
    expect(json.metadata.name).toMatch(/^[0-9a-f-]{36}$/);
    expect((await f.ask('GET', `${path}/${json.metadata.name}`)).code).toBe(200);
  });

  it('fills in what only the server knows, and ignores what authors say of it', async () => {
    const { code, json } = await f.ask('POST', configMaps, {
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
    expect((await f.ask('GET', `${configMaps}/made`)).json).toEqual(json);
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
      { url: `${configMaps}/x`, body: configMap('x') },
      405,
      'the server does not allow this method on the requested resource',
    ],
    [
      'too much',
      { body: configMap('x', { data: { a: 'x'.repeat(3 * 1024 * 1024) } }) },
      413,
      'Request entity too large: limit is 3145728',
    ],
  ])('refuses %s', async (_, { url = configMaps, ...asking }, code, message) => {
    const told = await f.ask('POST', url, asking);
    expect({ code: told.code, message: told.json.message }).toEqual({
      code,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    });
    expect(told.json).toMatchObject({ kind: 'Status', status: 'Failure', code });
  });

  it('takes YAML', async () => {
    const told = await f.ask('POST', configMaps, {
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
      const told = await g.ask('POST', configMaps, { body: { metadata: { generateName: 'a-' } } });
      expect(told.code).toBe(201);
      names.push(told.json.metadata.name);
    }
    expect(new Set(names).size).toBe(2);
    await g.close();
  });

  it('changes nothing on a dry run', async () => {
    const before = f.store.revision;
    const told = await f.ask('POST', `${configMaps}?dryRun=All`, { body: configMap('dry') });
    expect(told.code).toBe(201);
    expect(told.json.metadata.uid).not.toBe('');
    expect((await f.ask('POST', `${configMaps}?dryRun=All`, { body: configMap('made') })).code).toBe(409);
    expect(f.store.revision).toBe(before);
  });

  it.each([
    ['Strict', 400, undefined],
    ['Warn', 201, ['299 - "duplicate field \\"data\\""', '299 - "unknown field \\"foo\\""']],
    ['Ignore', 201, undefined],
  ])('unknown and duplicate fields: %s', async (how, code, warning) => {
    const body = `{"metadata":{"name":"v-${how.toLowerCase()}"},"foo":1,"data":{"a":"1"},"data":{"a":"2"}}`;
    const told = await f.ask('POST', `${configMaps}?fieldValidation=${how}`, { body });
    expect([told.code, told.headers['warning']]).toEqual([code, warning]);
    if (code === 400)
      expect(told.json.message).toBe(
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data", unknown field "foo"',
      );
    else expect(told.json.data).toEqual({ a: '2' });
  });
});
