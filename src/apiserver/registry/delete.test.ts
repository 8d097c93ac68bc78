// Deletion as a client sees it: at once, after a grace period, or when the last finalizer is gone.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeClock } from '../../base/index.ts';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create();
});
afterAll(() => f.close());

const cms = '/api/v1/namespaces/default/configmaps';
const pods = '/api/v1/namespaces/default/pods';
const make = async (name: string, metadata: object = {}) =>
  (await f.ask('POST', cms, { body: { metadata: { name, ...metadata } } })).json;
/** A pod that runs on a node, so that a delete waits. */
const run = async (name: string, metadata: object = {}) => {
  const body = {
    metadata: { name, ...metadata },
    spec: { containers: [{ name: 'c', image: 'i' }], terminationGracePeriodSeconds: 60 },
  };
  await f.ask('POST', pods, { body });
  await f.ask('POST', `${pods}/${name}/binding`, { body: { target: { kind: 'Node', name: 'n' } } });
  return (await f.ask('GET', `${pods}/${name}`)).json;
};

it('answers with a Status that names what is gone', async () => {
  const { metadata } = await make('a');
  const told = await f.ask('DELETE', `${cms}/a`);
  expect([told.code, told.json]).toEqual([
    200,
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name: 'a', kind: 'configmaps', uid: metadata.uid },
    },
  ]);
  expect((await f.ask('DELETE', `${cms}/a`)).json.message).toBe('configmaps "a" not found');
});

it.each([
  [{ uid: 'x' }, /Precondition failed: UID in precondition: x, UID in object meta: /],
  [{ resourceVersion: '1' }, /Precondition failed: ResourceVersion in precondition: 1, ResourceVersion in/],
])('keeps to preconditions %j', async (preconditions, message) => {
  await make('pre');
  const told = await f.ask('DELETE', `${cms}/pre`, { body: { preconditions } });
  expect([told.code, told.json.message]).toEqual([409, expect.stringMatching(message)]);
});

it.each([
  [
    { propagationPolicy: 'Orphan', orphanDependents: true },
    'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set',
  ],
  [
    { propagationPolicy: 'Later' },
    'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Later": supported values: "Background", "Foreground", "Orphan", "nil"',
  ],
  [
    { dryRun: ['x'] },
    'DeleteOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["x"]: supported values: "All"',
  ],
])('refuses %j', async (body, message) => {
  const told = await f.ask('DELETE', `${cms}/any`, { body });
  expect([told.code, told.json.message]).toEqual([422, message]);
});

it.each([
  ['a ConfigMap', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'other' } }, 400],
  ['DeleteOptions of a group', { apiVersion: 'apps/v1', kind: 'DeleteOptions' }, 200],
  ['options without a kind', { gracePeriodSeconds: 0 }, 200],
])('a body that is %s', async (_, body, code) => {
  await make('bodied');
  const told = await f.ask('DELETE', `${cms}/bodied`, { body });
  expect(told.code).toBe(code);
  expect((await f.ask('GET', `${cms}/bodied`)).code).toBe(code === 200 ? 404 : 200);
  if (code !== 200) expect(told.json.message).toBe('no kind "ConfigMap" is registered for version "v1"');
});

it('a dry run deletes nothing, wherever it is asked for', async () => {
  await make('dry');
  expect((await f.ask('DELETE', `${cms}/dry?dryRun=All`)).code).toBe(200);
  expect((await f.ask('DELETE', `${cms}/dry`, { body: { dryRun: ['All'] } })).code).toBe(200);
  expect((await f.ask('DELETE', `${cms}?dryRun=All`)).code).toBe(200);
  expect((await f.ask('GET', `${cms}/dry`)).code).toBe(200);
});

describe('finalizers', () => {
  it('hold the object until the last one goes', async () => {
    await make('held', { finalizers: ['x/a'] });
    const marked = (await f.ask('DELETE', `${cms}/held`)).json;
    expect(marked.metadata).toMatchObject({
      deletionTimestamp: '2026-01-02T03:04:05Z',
      deletionGracePeriodSeconds: 0,
    });
    const again = (await f.ask('DELETE', `${cms}/held`)).json;
    expect(again.metadata.resourceVersion).toBe(marked.metadata.resourceVersion);
    const added = await f.ask('PUT', `${cms}/held`, {
      body: { ...marked, metadata: { ...marked.metadata, finalizers: ['x/a', 'x/b'] } },
    });
    expect(added.json.message).toContain('no new finalizers can be added if the object is being deleted');
    const last = await f.ask('PUT', `${cms}/held`, {
      body: { ...marked, metadata: { ...marked.metadata, finalizers: [] } },
    });
    expect([last.code, last.json.kind, last.json.metadata.uid]).toEqual([
      200,
      'ConfigMap',
      marked.metadata.uid,
    ]);
    expect((await f.ask('GET', `${cms}/held`)).code).toBe(404);
  });

  it.each([
    [{ propagationPolicy: 'Foreground' }, ['x/a', 'foregroundDeletion']],
    [{ propagationPolicy: 'Orphan' }, ['x/a', 'orphan']],
    [{ orphanDependents: true }, ['x/a', 'orphan']],
    [{ propagationPolicy: 'Background' }, ['x/a']],
    [{}, ['x/a']],
  ])('follow the propagation policy %j', async (body, wanted) => {
    const { metadata } = await make(`p${wanted.length}${JSON.stringify(body).length}`, {
      finalizers: ['x/a'],
    });
    const told = await f.ask('DELETE', `${cms}/${metadata.name}`, { body });
    expect(told.json.metadata.finalizers).toEqual(wanted);
  });
});

describe('pods', () => {
  it('that no node has go at once', async () => {
    await f.ask('POST', pods, {
      body: { metadata: { name: 'free' }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    });
    const told = await f.ask('DELETE', `${pods}/free`);
    expect([told.code, told.json.kind]).toEqual([200, 'Pod']);
    expect(told.json.metadata).toMatchObject({
      deletionTimestamp: '2026-01-02T03:04:05Z',
      deletionGracePeriodSeconds: 0,
      generation: 2,
    });
    expect((await f.ask('GET', `${pods}/free`)).code).toBe(404);
  });

  it('wait; another delete can only shorten the time', async () => {
    const made = await run('slow');
    const marked = (await f.ask('DELETE', `${pods}/slow`)).json.metadata;
    expect(marked).toMatchObject({
      deletionTimestamp: '2026-01-02T03:05:05Z',
      deletionGracePeriodSeconds: 60,
      generation: made.metadata.generation + 1,
    });
    await (f.clock as FakeClock).advance(5000);
    for (const body of [undefined, {}, { gracePeriodSeconds: 90 }, { gracePeriodSeconds: 60 }]) {
      const told = await f.ask('DELETE', `${pods}/slow`, { body });
      expect(told.json.metadata.resourceVersion).toBe(marked.resourceVersion);
    }
    const shorter = await f.ask('DELETE', `${pods}/slow?gracePeriodSeconds=10`);
    expect(shorter.json.metadata).toMatchObject({
      deletionTimestamp: '2026-01-02T03:04:15Z',
      deletionGracePeriodSeconds: 10,
    });
    const forced = await f.ask('DELETE', `${pods}/slow`, { body: { gracePeriodSeconds: 0 } });
    expect(forced.json.metadata).toMatchObject({
      deletionTimestamp: '2026-01-02T03:04:05Z',
      deletionGracePeriodSeconds: 0,
    });
    expect((await f.ask('GET', `${pods}/slow`)).code).toBe(404);
  });

  it.each([
    ['is running', 'seen-1', {}, ['DELETE 0'], ['MODIFIED 0', 'DELETED 0']],
    ['was told to stop', 'seen-2', {}, ['DELETE', 'DELETE 0'], ['MODIFIED 60', 'MODIFIED 0', 'DELETED 0']],
    [
      'was forced, and held',
      'seen-3',
      { finalizers: ['x/a'] },
      ['DELETE 0', 'let go'],
      ['MODIFIED 0', 'DELETED 0'],
    ],
    ['is only tried', 'seen-4', {}, ['DELETE 0&dryRun=All'], []],
  ])(
    'whoever watches sees the last state of one that %s before it goes',
    async (_, name, meta, asked, seen) => {
      await run(name, meta);
      const watch = await f.watch(
        `${pods}?watch=1&fieldSelector=metadata.name%3D${name}&resourceVersion=${f.store.revision}`,
      );
      for (const one of asked) {
        const [method, grace] = one.split(' ');
        if (method === 'DELETE')
          await f.ask(
            'DELETE',
            `${pods}/${name}${grace === undefined ? '' : `?gracePeriodSeconds=${grace}`}`,
          );
        else
          await f.ask('PATCH', `${pods}/${name}`, {
            type: 'application/merge-patch+json',
            body: { metadata: { finalizers: null } },
          });
      }
      const events = watch.events() as {
        type: string;
        object: { metadata: { deletionGracePeriodSeconds: number } };
      }[];
      expect(events.map((e) => `${e.type} ${e.object.metadata.deletionGracePeriodSeconds}`)).toEqual(seen);
      watch.close();
    },
  );

  it('held by a finalizer stay after their time', async () => {
    await run('both', { finalizers: ['x/a'] });
    await f.ask('DELETE', `${pods}/both`);
    const forced = (await f.ask('DELETE', `${pods}/both`, { body: { gracePeriodSeconds: 0 } })).json;
    expect(forced.metadata.deletionGracePeriodSeconds).toBe(0);
    await f.ask('PATCH', `${pods}/both`, {
      type: 'application/merge-patch+json',
      body: { metadata: { finalizers: null } },
    });
    expect((await f.ask('GET', `${pods}/both`)).code).toBe(404);
  });

  it('longer than asked for at first is not possible by leaving it out', async () => {
    await run('long');
    await f.ask('DELETE', `${pods}/long?gracePeriodSeconds=120`);
    const told = await f.ask('DELETE', `${pods}/long`);
    expect(told.json.metadata.deletionGracePeriodSeconds).toBe(120);
  });
});

it('only a delete marks, and nobody takes the mark back', async () => {
  await make('held', { finalizers: ['x/a'] });
  const type = 'application/merge-patch+json';
  const patch = (metadata: object) => f.ask('PATCH', `${cms}/held`, { type, body: { metadata } });
  const told = await patch({ deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 3 });
  expect([told.code, told.json.message]).toEqual([
    422,
    'ConfigMap "held" is invalid: [metadata.deletionTimestamp: Invalid value: 2026-01-01 00:00:00 +0000 UTC: field is immutable, metadata.deletionGracePeriodSeconds: Invalid value: 3: field is immutable]',
  ]);
  const { deletionTimestamp: marked } = (await f.ask('DELETE', `${cms}/held`)).json.metadata;
  const mark = { deletionTimestamp: marked, deletionGracePeriodSeconds: 0 };
  for (const deletionTimestamp of [null, '2026-01-01T00:00:00Z'])
    expect(await patch({ deletionTimestamp, deletionGracePeriodSeconds: null })).toMatchObject({
      code: 200,
      json: { metadata: mark },
    });
  expect((await patch({ deletionGracePeriodSeconds: 3 })).code).toBe(422);
});

it('deletes collections by selector, and says what', async () => {
  for (const name of ['c1', 'c2', 'c3']) await make(name, { labels: { group: name === 'c3' ? 'b' : 'a' } });
  const told = await f.ask('DELETE', `${cms}?labelSelector=group%3Da`);
  expect(told.json.items.map((i: { metadata: { name: string } }) => i.metadata.name)).toEqual(['c1', 'c2']);
  expect((await f.ask('GET', `${cms}/c3`)).code).toBe(200);
  expect((await f.ask('GET', `${cms}/c1`)).code).toBe(404);
  expect((await f.ask('DELETE', '/api/v1/configmaps')).code).toBe(405);
});

it('namespaces wait for their finalizers', async () => {
  await f.ask('POST', '/api/v1/namespaces', { body: { metadata: { name: 'gone' } } });
  const told = await f.ask('DELETE', '/api/v1/namespaces/gone');
  expect(told.json.status.phase).toBe('Terminating');
  const into = await f.ask('POST', '/api/v1/namespaces/gone/configmaps', {
    body: { metadata: { name: 'x' } },
  });
  expect([into.code, into.json.message, into.json.details.causes[0].reason]).toEqual([
    403,
    'configmaps "x" is forbidden: unable to create new content in namespace gone because it is being terminated',
    'NamespaceTerminating',
  ]);
  const done = await f.ask('PUT', '/api/v1/namespaces/gone/finalize', {
    body: { ...told.json, spec: { finalizers: [] } },
  });
  expect(done.code).toBe(200);
  expect((await f.ask('GET', '/api/v1/namespaces/gone')).code).toBe(404);
  expect((await f.ask('DELETE', '/api/v1/namespaces/default')).json.message).toBe(
    'namespaces "default" is forbidden: this namespace may not be deleted',
  );
});
