// Custom resources as a client sees them: made, changed, applied, and shown in several versions.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';
import { compareVersions } from './custom-kind.ts';
import { causes, define, definition, definitions, spec, tab, tabs, version } from './testdata/cron-tab.ts';

let f: ApiFixture;
beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

describe('a resource', () => {
  beforeEach(() => define(f, definition()));

  it('is pruned, filled in, and shown in its columns', async () => {
    const body = tab('a', {
      bogus: 1,
      note: null,
      name: null,
      free: { any: [1] },
      ports: [{ name: 'x', foo: 1 }],
    });
    const { code, json, headers } = await f.ask('POST', `${tabs}?fieldValidation=Warn`, { body });
    expect([code, json.spec]).toEqual([
      201,
      { when: '5', note: null, free: { any: [1] }, ports: [{ name: 'x', number: 80 }], replicas: 1 },
    ]);
    expect(headers['warning']).toEqual([
      '299 - "unknown field \\"spec.bogus\\""',
      '299 - "unknown field \\"spec.ports[0].foo\\""',
    ]);
    expect(json.metadata.generation).toBe(1);
    const accept = 'application/json;as=Table;g=meta.k8s.io;v=v1';
    const table = (await f.ask('GET', tabs, { accept })).json;
    expect(table.columnDefinitions.map((c: { name: string }) => c.name)).toEqual(['Name', 'When']);
    expect(table.rows[0].cells).toEqual(['a', '5']);
  });

  it.each([
    [{ when: 'x' }, ['spec.when: Invalid value: "x": spec.when in body should match \'^\\d+$\'']],
    [{ when: 5 }, ['spec.when: Invalid value: 5: spec.when in body must be of type string: "integer"']],
    [{ when: undefined }, ['spec.when: Required value']],
    [
      { replicas: 11 },
      ['spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10'],
    ],
    [{ mode: 'C' }, ['spec.mode: Unsupported value: "C": supported values: "A", "B"']],
    [
      { port: true },
      ['spec.port: Invalid value: true: spec.port in body must be of type integer,string: "boolean"'],
    ],
    [{ ports: [{ name: 'a' }, { name: 'a' }] }, ['spec.ports[1]: Duplicate value: {"name":"a"}']],
    [{ tags: ['a', 'a'] }, ['spec.tags[1]: Duplicate value: "a"']],
  ])('with %j is refused', async (more, wanted) => {
    const { code, json } = await f.ask('POST', tabs, { body: tab('a', more) });
    expect([code, causes(json)]).toEqual([422, wanted]);
  });

  it('keeps status and spec apart, and can be scaled', async () => {
    await f.ask('POST', tabs, { body: { ...tab('a'), status: { replicas: 9 } } });
    const type = 'application/merge-patch+json';
    const status = { replicas: 2, selector: 'app=a' };
    await f.ask('PATCH', `${tabs}/a/status`, { type, body: { status, spec: { when: '6' } } });
    await f.ask('PATCH', `${tabs}/a/scale`, { type, body: { spec: { replicas: 3 } } });
    const { json } = await f.ask('GET', `${tabs}/a`);
    expect([json.spec.when, json.spec.replicas, json.status, json.metadata.generation]).toEqual([
      '5',
      3,
      status,
      2,
    ]);
    const scale = (await f.ask('GET', `${tabs}/a/scale`)).json;
    expect([scale.spec, scale.status]).toEqual([{ replicas: 3 }, { replicas: 2, selector: 'app=a' }]);
  });

  it('may stay what a stricter schema would refuse, where it is not touched', async () => {
    await f.ask('POST', tabs, { body: tab('a') });
    const type = 'application/merge-patch+json';
    const when = { type: 'string', minLength: 3 };
    const stricter = {
      type: 'object',
      properties: { spec: { ...spec, properties: { ...spec.properties, when } } },
    };
    const versions = [{ ...version, schema: { openAPIV3Schema: stricter } }];
    await f.ask('PATCH', `${definitions}/crontabs.stable.example.com`, {
      type,
      body: { spec: { versions } },
    });
    const change = async (body: object) => (await f.ask('PATCH', `${tabs}/a`, { type, body })).code;
    expect(await change({ metadata: { labels: { a: 'b' } } })).toBe(200);
    expect(await change({ spec: { replicas: 2 } })).toBe(200);
    expect(await change({ spec: { when: '6' } })).toBe(422);
    expect((await f.ask('POST', tabs, { body: tab('b') })).code).toBe(422);
  });

  it('is not merged strategically', async () => {
    await f.ask('POST', tabs, { body: tab('a') });
    const { code } = await f.ask('PATCH', `${tabs}/a`, {
      type: 'application/strategic-merge-patch+json',
      body: {},
    });
    expect(code).toBe(415);
  });

  it('is applied with owners of its fields', async () => {
    const apply = (manager: string, body: object) =>
      f.ask('PATCH', `${tabs}/a?fieldManager=${manager}`, { type: 'application/apply-patch+yaml', body });
    expect((await apply('one', tab('a', { ports: [{ name: 'x', number: 1 }] }))).code).toBe(201);
    expect((await apply('two', tab('a', { ports: [{ name: 'y', number: 2 }] }))).json.spec.ports).toEqual([
      { name: 'x', number: 1 },
      { name: 'y', number: 2 },
    ]);
    const conflict = await apply('two', tab('a', { ports: [{ name: 'x', number: 3 }] }));
    expect([conflict.code, conflict.json.details.causes[0].field]).toEqual([
      409,
      '.spec.ports[name="x"].number',
    ]);
  });
});

describe('several versions', () => {
  it('show the same objects, each in its own name', async () => {
    const beta = { ...version, name: 'v1beta1', storage: false, deprecated: true };
    await define(f, definition({}, [beta, version]));
    await f.ask('POST', tabs, { body: tab('a') });
    const old = tabs.replace('/v1/', '/v1beta1/');
    const { json, headers } = await f.ask('GET', `${old}/a`);
    expect([json.apiVersion, json.spec.when]).toEqual(['stable.example.com/v1beta1', '5']);
    expect(headers['warning']).toEqual(['299 - "stable.example.com/v1beta1 CronTab is deprecated"']);
    const group = (await f.ask('GET', '/apis/stable.example.com')).json;
    expect(group.preferredVersion.version).toBe('v1');
  });

  it('tell the same stored version, also when it is not served', async () => {
    const next = { ...version, name: 'v2', storage: false };
    await define(f, definition({}, [{ ...version, served: false }, next]));
    const { resources } = (await f.ask('GET', '/apis/stable.example.com/v2')).json;
    expect(resources[0].storageVersionHash).toBe('EdX2FP+L0js=');
  });

  it.each([
    [
      [
        'v1',
        'v2',
        'v1beta1',
        'foo1',
        'v11alpha2',
        'v10beta3',
        'v12alpha1',
        'foo10',
        'v3beta1',
        'v11beta2',
        'v10',
      ],
      'v10 v2 v1 v11beta2 v10beta3 v3beta1 v1beta1 v12alpha1 v11alpha2 foo1 foo10',
    ],
  ])('are in order: %j', (versions, wanted) =>
    expect(versions.toSorted(compareVersions).join(' ')).toBe(wanted),
  );
});
