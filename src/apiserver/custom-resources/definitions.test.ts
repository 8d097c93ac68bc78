// Definitions of custom resources as a client sees them: names, conditions, what is refused, their end.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settle } from '../../base/index.ts';
import { ApiFixture } from '../../testkit/index.ts';
import { causes, define, definition, definitions, tab, tabs, version } from './testdata/cron-tab.ts';

let f: ApiFixture;
beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

describe('a definition', () => {
  it('gets the names it left out, and is established', async () => {
    expect((await define(f, definition())).code).toBe(201);
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
    await define(f, definition());
    const names = { plural: 'others', kind: 'CronTab', listKind: 'OtherList' };
    await define(f, { ...definition({ names }), metadata: { name: 'others.stable.example.com' } });
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
    await define(f, definition());
    await f.ask('POST', tabs, { body: tab('a') });
    const again = await ApiFixture.create({ store: f.store });
    expect((await again.ask('GET', `${tabs}/a`)).json.spec.when).toBe('5');
  });

  it('that is deleted takes its resources with it, those that wait included', async () => {
    await define(f, definition());
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
  const { code, json } = await define(f, body);
  expect([code, causes(json)]).toEqual([422, wanted]);
});
