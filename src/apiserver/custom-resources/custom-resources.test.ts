// Custom resources as a client sees them: from a definition to resources, and to their end.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settle } from '../../base/index.ts';
import { ApiFixture } from '../../testkit/index.ts';
import { compareVersions } from './custom-kind.ts';

let f: ApiFixture;
beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const tabs = '/apis/stable.example.com/v1/namespaces/default/crontabs';

const spec = {
  type: 'object',
  required: ['when'],
  properties: {
    when: { type: 'string', pattern: '^\\d+$' },
    replicas: { type: 'integer', minimum: 1, maximum: 10, default: 1 },
    mode: { type: 'string', enum: ['A', 'B'] },
    port: { 'x-kubernetes-int-or-string': true },
    note: { type: 'string', nullable: true },
    name: { type: 'string' },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    ports: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string' }, number: { type: 'integer', default: 80 } },
      },
    },
    tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
  },
};
const schema = {
  openAPIV3Schema: {
    type: 'object',
    properties: {
      spec,
      status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' } } },
    },
  },
};
const version = {
  name: 'v1',
  served: true,
  storage: true,
  schema,
  subresources: {
    status: {},
    scale: {
      specReplicasPath: '.spec.replicas',
      statusReplicasPath: '.status.replicas',
      labelSelectorPath: '.status.selector',
    },
  },
  additionalPrinterColumns: [{ name: 'When', type: 'string', jsonPath: '.spec.when' }],
};
const definition = (changed: object = {}, versions: object[] = [version]) => ({
  metadata: { name: 'crontabs.stable.example.com' },
  spec: {
    group: 'stable.example.com',
    scope: 'Namespaced',
    names: { plural: 'crontabs', kind: 'CronTab', shortNames: ['ct'] },
    versions,
    ...changed,
  },
});
const define = async (body: object) => {
  const told = await f.ask('POST', definitions, { body });
  await settle();
  return told;
};
const tab = (name: string, more: object = {}) => ({
  apiVersion: 'stable.example.com/v1',
  kind: 'CronTab',
  metadata: { name },
  spec: { when: '5', ...more },
});
const causes = (json: { details: { causes: { field: string; message: string }[] } }) =>
  json.details.causes.map(({ field, message }) => `${field}: ${message}`);

describe('a definition', () => {
  it('gets the names it left out, and is established', async () => {
    expect((await define(definition())).code).toBe(201);
    const { json } = await f.ask('GET', `${definitions}/crontabs.stable.example.com`);
    expect(json.spec.names).toEqual({
      plural: 'crontabs',
      singular: 'crontab',
      kind: 'CronTab',
      listKind: 'CronTabList',
      shortNames: ['ct'],
    });
    expect(json.spec.conversion).toEqual({ strategy: 'None' });
    expect(json.status.storedVersions).toEqual(['v1']);
    expect(json.status.acceptedNames).toEqual(json.spec.names);
    expect(
      json.status.conditions.map((c: { type: string; status: string; reason: string }) => [
        c.type,
        c.status,
        c.reason,
      ]),
    ).toEqual([
      ['NamesAccepted', 'True', 'NoConflicts'],
      ['Established', 'True', 'InitialNamesAccepted'],
    ]);
    const found = await f.ask('GET', '/apis/apiregistration.k8s.io/v1/apiservices/v1.stable.example.com');
    expect(found.json.spec).toMatchObject({
      group: 'stable.example.com',
      groupPriorityMinimum: 1000,
      versionPriority: 100,
    });
  });

  it('whose names another has is not served', async () => {
    await define(definition());
    const names = { plural: 'others', kind: 'CronTab', listKind: 'OtherList' };
    await define({ ...definition({ names }), metadata: { name: 'others.stable.example.com' } });
    const { json } = await f.ask('GET', `${definitions}/others.stable.example.com`);
    expect(
      json.status.conditions.map((c: { status: string; reason: string; message: string }) => [
        c.status,
        c.reason,
        c.message,
      ]),
    ).toEqual([
      ['False', 'KindConflict', '"CronTab" is already in use'],
      ['False', 'NotAccepted', 'not all names are accepted'],
    ]);
    expect((await f.ask('GET', '/apis/stable.example.com/v1/others')).code).toBe(404);
    // The names become free, and the one that waited has them.
    await f.ask('DELETE', `${definitions}/crontabs.stable.example.com`);
    await settle();
    expect((await f.ask('GET', '/apis/stable.example.com/v1/others')).code).toBe(200);
  });

  it('is served again after a restart', async () => {
    await define(definition());
    await f.ask('POST', tabs, { body: tab('a') });
    const again = await ApiFixture.create({ store: f.store });
    expect((await again.ask('GET', `${tabs}/a`)).json.spec.when).toBe('5');
  });

  it('that is deleted takes its resources with it, those that wait included', async () => {
    await define(definition());
    await f.ask('POST', tabs, { body: tab('a') });
    await f.ask('POST', tabs, {
      body: { ...tab('b'), metadata: { name: 'b', finalizers: ['example.com/wait'] } },
    });
    await f.ask('DELETE', `${definitions}/crontabs.stable.example.com`);
    await settle();
    expect(
      (await f.ask('GET', tabs)).json.items.map((i: { metadata: { name: string } }) => i.metadata.name),
    ).toEqual(['b']);
    const patch = { type: 'application/merge-patch+json', body: { metadata: { finalizers: null } } };
    await f.ask('PATCH', `${tabs}/b`, patch);
    await settle();
    expect((await f.ask('GET', `${definitions}/crontabs.stable.example.com`)).code).toBe(404);
    expect((await f.ask('GET', tabs)).code).toBe(404);
    expect(
      (await f.ask('GET', '/apis/apiregistration.k8s.io/v1/apiservices/v1.stable.example.com')).code,
    ).toBe(404);
  });
});

describe('a resource', () => {
  beforeEach(() => define(definition()));

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

describe('rules in CEL', () => {
  const ruled = (more: object) => ({
    ...version,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: { spec: { ...spec, ...more }, status: { type: 'object' } },
      },
    },
  });
  const listed = {
    'x-kubernetes-validations': [
      { rule: "!has(self.mode) || self.mode != 'A' || self.replicas == 1", message: 'A runs alone' },
      { rule: 'self.replicas >= oldSelf.replicas', message: 'it only grows', fieldPath: '.replicas' },
    ],
  };

  it('are asked of what is created, and of how it changes', async () => {
    expect((await define(definition({}, [ruled(listed)]))).code).toBe(201);
    const wrong = await f.ask('POST', tabs, { body: tab('a', { mode: 'A', replicas: 2 }) });
    expect([wrong.code, wrong.json.message]).toEqual([
      422,
      'CronTab.stable.example.com "a" is invalid: spec: Invalid value: A runs alone',
    ]);
    expect((await f.ask('POST', tabs, { body: tab('a', { mode: 'B', replicas: 2 }) })).code).toBe(201);
    const merge = (body: object, path = '') =>
      f.ask('PATCH', `${tabs}/a${path}`, { type: 'application/merge-patch+json', body });
    const shrunk = await merge({ spec: { replicas: 1 } });
    expect(shrunk.json.details.causes).toEqual([
      {
        reason: 'FieldValueInvalid',
        message: 'Invalid value: it only grows',
        field: 'spec.replicas',
      },
    ]);
    expect((await merge({ spec: { replicas: 3 } })).code).toBe(200);
    expect((await merge({ spec: { replicas: 2 } }, '/scale')).code).toBe(422);
    expect((await merge({ status: { replicas: 1 } }, '/status')).code).toBe(200);
  });

  it('that are not about values of their own kind are asked only once these fit', async () => {
    await define(definition({}, [ruled(listed)]));
    const told = await f.ask('POST', tabs, { body: tab('a', { mode: 'C', replicas: 2 }) });
    expect(told.json.details.causes.map((c: { field: string }) => c.field)).toEqual(['spec.mode', '<nil>']);
  });

  it('that look back at what cannot be followed are refused with their definition', async () => {
    const tags = {
      type: 'array',
      items: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] },
    };
    const told = await define(definition({}, [ruled({ properties: { ...spec.properties, tags } })]));
    const place = 'spec.validation.openAPIV3Schema.properties[spec].properties[tags]';
    expect(told.json.details.causes).toEqual([
      {
        reason: 'FieldValueInvalid',
        field: `${place}.items.x-kubernetes-validations[0].rule`,
        message: `Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within ${place}`,
      },
    ]);
  });
});

describe('several versions', () => {
  it('show the same objects, each in its own name', async () => {
    const beta = { ...version, name: 'v1beta1', storage: false, deprecated: true };
    await define(definition({}, [beta, version]));
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
    await define(definition({}, [{ ...version, served: false }, next]));
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

it.each([
  [
    definition({ group: 'nodots' }),
    [
      'metadata.name: Invalid value: "crontabs.stable.example.com": must be spec.names.plural+"."+spec.group',
      'spec.group: Invalid value: "nodots": should be a domain with at least one dot',
    ],
  ],
  [
    definition({ scope: 'Mine' }),
    ['spec.scope: Unsupported value: "Mine": supported values: "Cluster", "Namespaced"'],
  ],
  [
    definition({}, [{ ...version, storage: false }]),
    [expect.stringContaining('must have exactly one version marked as storage version')],
  ],
  [
    definition({}, [{ ...version, schema: undefined }]),
    ['spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required'],
  ],
  [
    definition({}, [
      {
        ...version,
        subresources: undefined,
        schema: { openAPIV3Schema: { type: 'object', properties: { spec: {} } } },
      },
    ]),
    [
      'spec.validation.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields',
    ],
  ],
  [
    definition({}, [
      {
        ...version,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', 'x-kubernetes-validations': [{ rule: 'nobody' }] } },
          },
        },
      },
    ]),
    [
      `spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule: Invalid value: "nobody": compilation failed: ERROR: <input>:1:1: undeclared reference to 'nobody' (in container '')\n | nobody\n | ^`,
    ],
  ],
  [
    definition({}, [
      {
        ...version,
        schema: {
          openAPIV3Schema: { type: 'object', properties: { spec: { type: 'integer', default: 'x' } } },
        },
      },
    ]),
    [expect.stringContaining('properties[spec].default: Invalid value: "x"')],
  ],
  // What all versions share is beside them; what one has alone is in it.
  [
    definition({}, [
      version,
      {
        ...version,
        name: 'v2',
        storage: false,
        schema: { openAPIV3Schema: { type: 'object', properties: { spec: {} } } },
        additionalPrinterColumns: undefined,
        subresources: { status: {}, scale: { ...version.subresources.scale, specReplicasPath: '' } },
      },
    ]),
    [
      'spec.versions[1].schema.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields',
      'spec.versions[1].subresources.scale.specReplicasPath: Required value',
    ],
  ],
  [
    definition({}, [
      {
        ...version,
        additionalPrinterColumns: [{ name: 'a', type: 'string', jsonPath: '' }],
        selectableFields: [
          { jsonPath: '.spec.mode' },
          { jsonPath: '.spec.nope' },
          { jsonPath: '.spec.ports' },
          { jsonPath: '.spec.ports[0].name' },
          { jsonPath: '.spec.' },
          { jsonPath: 'spec.mode' },
          { jsonPath: '.spec.mode' },
        ],
      },
    ]),
    [
      'spec.additionalPrinterColumns[0].jsonPath: Required value',
      'spec.selectableFields[1].jsonPath: Invalid value: ".spec.nope": is an invalid path: does not refer to a valid field',
      'spec.selectableFields[2].jsonPath: Invalid value: ".spec.ports": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
      'spec.selectableFields[3].jsonPath: Invalid value: ".spec.ports[0].name": is an invalid path: array notation is not allowed',
      'spec.selectableFields[4].jsonPath: Invalid value: ".spec.": is an invalid path: unexpected end of JSON path',
      'spec.selectableFields[5].jsonPath: Invalid value: "spec.mode": is an invalid path: expected [ or . but got: spec',
      'spec.selectableFields[6].jsonPath: Duplicate value: ".spec.mode"',
    ],
  ],
])('refuses %#', async (body, wanted) => {
  const { code, json } = await define(body);
  expect([code, causes(json)]).toEqual([422, wanted]);
});
