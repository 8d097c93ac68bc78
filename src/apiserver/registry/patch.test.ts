// Patch as a client sees it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeClock } from '../../base/index.ts';
import { ApiFixture } from '../../testkit/index.ts';
import { configMap, configMaps, deployment, deployments } from './testdata/written-objects.ts';

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create();
});
afterAll(() => f.close());

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
    await f.ask('POST', configMaps, { body: configMap('many') });
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        f.ask('PATCH', `${configMaps}/many`, { type: types.merge, body: { data: { [`k${i}`]: 'v' } } }),
      ),
    );
    expect(all.map((told) => told.code)).toEqual(all.map(() => 200));
    expect(Object.keys((await f.ask('GET', `${configMaps}/many`)).json.data)).toHaveLength(20);
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
    await f.ask('POST', configMaps, { body: configMap('pr') });
    const told = await f.ask('PATCH', `${configMaps}/pr`, { type: types[type as 'json'], body });
    expect([told.code, told.json.message]).toEqual([
      code,
      typeof message === 'string' ? message : expect.stringMatching(message),
    ]);
  });

  it('does not say why a patch does not apply, as Kubernetes does not', async () => {
    await f.ask('POST', configMaps, { body: configMap('why') });
    const told = await f.ask('PATCH', `${configMaps}/why`, {
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
    await f.ask('POST', configMaps, { body: configMap('strict') });
    const told = await f.ask('PATCH', `${configMaps}/strict?fieldValidation=Strict`, {
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
  const told = await f.ask('POST', configMaps, { body: configMap('later') });
  expect(told.json.metadata.creationTimestamp).toBe('2026-01-02T03:05:05Z');
});
