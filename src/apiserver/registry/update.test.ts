// Update as a client sees it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';
import { configMap, configMaps, deployment, deployments } from './testdata/written-objects.ts';

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create();
});
afterAll(() => f.close());

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
    const made = (await f.ask('POST', configMaps, { body: configMap('same', { data: { a: 'b' } }) })).json;
    const told = await f.ask('PUT', `${configMaps}/same`, { body: made });
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
    await f.ask('POST', configMaps, { body: configMap('up') });
    const made = (await f.ask('GET', `${configMaps}/up`)).json;
    const told = await f.ask('PUT', `${configMaps}/up`, { body: body(made) });
    expect([told.code, told.json.message]).toEqual([
      code,
      typeof message === 'string' ? message : expect.stringMatching(message),
    ]);
    if (code === 422) expect(told.json.details.causes).toHaveLength(1);
  });

  it('without a version replaces the newest, whoever else writes', async () => {
    await f.ask('POST', configMaps, { body: configMap('race') });
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        f.ask('PUT', `${configMaps}/race`, { body: configMap('race', { data: { n: String(i) } }) }),
      ),
    );
    expect(all.map((told) => told.code)).toEqual(all.map(() => 200));
  });

  it('creates kinds that are made by PUT', async () => {
    const url = '/apis/coordination.k8s.io/v1/namespaces/default/leases/l';
    const body = { metadata: { name: 'l', resourceVersion: '3' }, spec: {} };
    expect((await f.ask('PUT', url, { body })).code).toBe(201);
    expect((await f.ask('PUT', `${configMaps}/never`, { body: configMap('never') })).code).toBe(404);
  });
});
