// Objects inside custom resources: as a client sees them, and where they may lie.
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { settle } from '../../base/index.ts';
import { Causes, FieldAt, type JsonSchema } from '../../machinery/index.ts';
import { ApiFixture } from '../../testkit/index.ts';
import { settleEmbedded, validateEmbedded } from './embedded.ts';

const embedded = {
  type: 'object',
  'x-kubernetes-embedded-resource': true,
  'x-kubernetes-preserve-unknown-fields': true,
};

describe('as a client sees it', () => {
  const group = 'stable.example.com';
  const version = {
    name: 'v1',
    served: true,
    storage: true,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: { spec: { type: 'object', properties: { template: embedded } } },
      },
    },
  };
  let f: ApiFixture;
  beforeEach(async () => {
    f = await ApiFixture.create();
    const names = { plural: 'tasks', kind: 'Task' };
    const body = {
      metadata: { name: `tasks.${group}` },
      spec: { group, scope: 'Namespaced', names, versions: [version] },
    };
    await f.ask('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { body });
    await settle();
  });
  afterEach(() => f.close());

  const ask = (template: object, query = '') =>
    f.ask('POST', `/apis/${group}/v1/namespaces/default/tasks${query}`, {
      body: { apiVersion: `${group}/v1`, kind: 'Task', metadata: { name: 'a' }, spec: { template } },
    });
  const inside = (metadata: unknown, more: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    ...more,
  });

  it('keeps what metadata may hold, and says what it may not', async () => {
    const template = inside({ labels: { a: 'b' }, creationTimestamp: null, foo: 1 }, { spec: { any: 1 } });
    const strict = await ask(template, '?fieldValidation=Strict');
    expect([strict.code, strict.json.message]).toEqual([
      400,
      'Task in version "v1" cannot be handled as a Task: strict decoding error: unknown field "spec.template.metadata.foo"',
    ]);
    const { code, json } = await ask(template);
    expect([code, json.spec.template]).toEqual([201, inside({ labels: { a: 'b' } }, { spec: { any: 1 } })]);
  });

  it('whose metadata is of another form cannot be read', async () => {
    const { code, json } = await ask(inside({ labels: { a: 1 } }));
    expect([code, json.message]).toEqual([
      400,
      expect.stringContaining('spec.template.metadata: Invalid value: '),
    ]);
  });

  it('must be an object', async () => {
    const { code, json } = await ask({ kind: 'Pod' });
    expect([code, json.message]).toEqual([
      422,
      `Task.${group} "a" is invalid: spec.template.apiVersion: Required value: must not be empty`,
    ]);
  });
});

const item = (more: object): object => ({ apiVersion: 'v1', kind: 'Pod', ...more });

test.each<[object, string]>([
  [{ kind: '' }, 'kind: Invalid value: "": must not be empty'],
  [{ kind: 'A_B' }, 'kind: Invalid value: "A_B": may have mixed case, but should otherwise match'],
  [{ kind: 1 }, 'kind: Invalid value: 1: must be a string'],
  [{ apiVersion: 'a/b/c' }, 'apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c'],
  [{ metadata: { name: 'a/b' } }, 'metadata.name: Invalid value: "a/b": may not contain \'/\''],
  [{ metadata: { labels: { 'a b': 'c' } } }, 'metadata.labels: Invalid value: "a b"'],
  [{ metadata: 1 }, 'metadata: Invalid value: 1: must be an object'],
])('what is not allowed of it: %j', (wrong, wanted) => {
  const schema = { type: 'object', properties: { a: embedded } } as JsonSchema;
  const causes = new Causes();
  validateEmbedded(schema, { a: item(wrong) }, new FieldAt('', causes));
  expect(causes.list.map(({ field, message }) => `${field}: ${message}`)).toEqual([
    expect.stringContaining(`a.${wanted}`),
  ]);
});

test('it may lie in lists and maps, and in others of its kind', () => {
  const inner = { ...embedded, properties: { inner: embedded } };
  const schema = {
    type: 'object',
    properties: {
      list: { type: 'array', items: inner },
      map: { type: 'object', additionalProperties: embedded },
    },
  } as unknown as JsonSchema;
  const object = {
    list: [item({ metadata: { x: 1 }, inner: item({ metadata: { y: 1 } }) })],
    map: { 'a.b': item({ metadata: { z: 1 } }) },
    other: item({ metadata: { kept: 1 } }),
  };
  const unknown: string[] = [];
  settleEmbedded(schema, object, unknown);
  expect(unknown).toEqual(['list[0].metadata.x', 'list[0].inner.metadata.y', 'map.a.b.metadata.z']);
  expect(object).toEqual({
    list: [item({ metadata: {}, inner: item({ metadata: {} }) })],
    map: { 'a.b': item({ metadata: {} }) },
    other: item({ metadata: { kept: 1 } }),
  });
});
