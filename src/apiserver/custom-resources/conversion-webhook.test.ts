// Versions that a webhook makes, over real HTTPS: what it is asked, and that nobody sees what is stored.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture, type FakeResponse, WebhookServer } from '../../testkit/index.ts';
import { definition, door, doors, group, success } from './testdata/doors.ts';

// biome-ignore lint/suspicious/noExplicitAny: whatever it was, the tests look with their own eyes
type Loose = any;

let webhooks: WebhookServer;
let f: ApiFixture;
beforeAll(async () => {
  webhooks = await WebhookServer.start();
});
afterAll(() => webhooks.close());

/** What the webhook was asked: the version it should make, and of which objects. */
const asked = () =>
  webhooks.asked.map(({ review: { request } }) => ({
    to: request.desiredAPIVersion,
    of: request.objects.map((o: Loose) => `${o.apiVersion} ${o.metadata.name}`),
  }));
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const oak = { host: 'oak', port: 1 };
const established = async () => {
  for (let i = 0; i < 5000; i++) {
    const { json } = await f.ask('GET', `${definitions}/doors.example.com`);
    if (json.status?.conditions?.some((c: Loose) => c.type === 'Established')) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
};
const define = async (stored: 'v1' | 'v1beta1' = 'v1beta1', more: object = {}) => {
  const told = await f.ask('POST', definitions, { body: definition(webhooks, stored, more) });
  expect([told.code, told.headers['warning']]).toEqual([201, undefined]);
  await established();
};
/** The webhook answers in its own time. */
const eventually = async (holds: () => boolean) => {
  for (let i = 0; i < 12_000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
};
const storedOf = (name: string) =>
  JSON.parse(f.store.get(`/${group}/doors/default/${name}`)!.wire.toString('utf8'));

beforeEach(async () => {
  webhooks.asked.length = 0;
  webhooks.status = 200;
  webhooks.answer = success;
  f = await ApiFixture.create();
});
afterEach(() => f.close());

describe('a version that is not the one that is stored', () => {
  it('is written as the other one, and read back', async () => {
    await define();
    const made = await f.ask('POST', doors('v1'), { body: door('v1', 'a', oak) });
    expect([made.code, made.json.apiVersion, made.json.spec]).toEqual([201, 'example.com/v1', oak]);
    expect(storedOf('a')).toMatchObject({ apiVersion: 'example.com/v1beta1', spec: { address: 'oak:1' } });
    expect(asked()).toEqual([
      { to: 'example.com/v1beta1', of: ['example.com/v1 a'] },
      { to: 'example.com/v1', of: ['example.com/v1beta1 a'] },
    ]);
    const got = await f.ask('GET', `${doors('v1')}/a`);
    expect(got.json).toEqual(made.json);
    const list = await f.ask('GET', doors('v1'));
    expect(list.json.items).toEqual([
      { metadata: made.json.metadata, spec: oak, ...(list.json.items[0].apiVersion && {}) },
    ]);
    expect(asked().length).toBe(2);
  });

  it('is listed with one question, once for each version of an object', async () => {
    await define();
    for (const name of ['a', 'b', 'c'])
      await f.ask('POST', doors('v1beta1'), { body: door('v1beta1', name, { address: `${name}:1` }) });
    expect(asked()).toEqual([]);
    for (const url of [
      doors('v1'),
      `${doors('v1')}?limit=5`,
      `${doors('v1')}?fieldSelector=spec.host!%3Dx`,
    ]) {
      const { json } = await f.ask('GET', url);
      expect(json.items.map((i: Loose) => i.spec.host)).toEqual(['a', 'b', 'c']);
    }
    expect((await f.ask('GET', `${doors('v1')}?fieldSelector=spec.host%3Db`)).json.items.length).toBe(1);
    expect(asked()).toEqual([
      { to: 'example.com/v1', of: ['a', 'b', 'c'].map((n) => `example.com/v1beta1 ${n}`) },
    ]);
    const table = await f.ask('GET', doors('v1'), { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
    expect(table.json.rows.map((row: Loose) => row.cells[1])).toEqual(['a', 'b', 'c']);
    await f.ask('PATCH', `${doors('v1beta1')}/b`, {
      type: 'application/merge-patch+json',
      body: { spec: { address: 'pine:7' } },
    });
    expect((await f.ask('GET', doors('v1'))).json.items[1].spec).toEqual({ host: 'pine', port: 7 });
    expect(asked().slice(1)).toEqual([{ to: 'example.com/v1', of: ['example.com/v1beta1 b'] }]);
  });

  it.each([
    ['PUT', 'application/json', '', door('v1', 'a', { host: 'elm', port: 2 })],
    ['PATCH', 'application/merge-patch+json', '', { spec: { host: 'elm', port: 2 } }],
    [
      'PATCH',
      'application/json-patch+json',
      '',
      [{ op: 'replace', path: '/spec', value: { host: 'elm', port: 2 } }],
    ],
    [
      'PATCH',
      'application/apply-patch+yaml',
      '?fieldManager=m&force=true',
      door('v1', 'a', { host: 'elm', port: 2 }),
    ],
  ])('is changed by %s %s', async (method, type, query, body) => {
    await define();
    const made = await f.ask('POST', doors('v1beta1'), { body: door('v1beta1', 'a', { address: 'oak:1' }) });
    const sent =
      method === 'PUT'
        ? { ...body, metadata: { name: 'a', resourceVersion: made.json.metadata.resourceVersion } }
        : body;
    const told = await f.ask(method, `${doors('v1')}/a${query}`, { type, body: sent });
    expect([told.code, told.json.apiVersion, told.json.spec]).toEqual([
      200,
      'example.com/v1',
      { host: 'elm', port: 2 },
    ]);
    expect(told.json.metadata.generation).toBe(2);
    expect(storedOf('a').spec).toEqual({ address: 'elm:2' });
  });

  it('is created by apply, validated by its own schema, and has its own subresources', async () => {
    await define();
    const type = 'application/apply-patch+yaml';
    const wrong = await f.ask('PATCH', `${doors('v1')}/a?fieldManager=m`, {
      type,
      body: door('v1', 'a', { host: 'OAK', port: 0 }),
    });
    expect([wrong.code, wrong.json.details.causes.map((c: Loose) => c.field)]).toEqual([
      422,
      ['spec.host', 'spec.port'],
    ]);
    const made = await f.ask('PATCH', `${doors('v1')}/a?fieldManager=m`, {
      type,
      body: door('v1', 'a', oak),
    });
    expect([made.code, made.json.spec]).toEqual([201, oak]);
    const scaled = await f.ask('PATCH', `${doors('v1')}/a/scale`, {
      type: 'application/merge-patch+json',
      body: { spec: { replicas: 9 } },
    });
    expect([scaled.code, scaled.json.spec.replicas]).toEqual([200, 9]);
    expect((await f.ask('GET', `${doors('v1')}/a/scale`)).json.spec.replicas).toBe(9);
    const reported = await f.ask('PATCH', `${doors('v1')}/a/status`, {
      type: 'application/merge-patch+json',
      body: { status: { ready: 3 }, spec: { port: 5 } },
    });
    expect([reported.json.spec, reported.json.status]).toEqual([{ host: 'oak', port: 9 }, { ready: 3 }]);
    expect((await f.ask('GET', `${doors('v1')}/a/status`)).json.apiVersion).toBe('example.com/v1');
    expect(storedOf('a')).toMatchObject({ spec: { address: 'oak:9' }, status: { ready: 3 } });
  });

  it('is deleted, with or without finalizers', async () => {
    await define();
    for (const [name, finalizers] of [
      ['a', undefined],
      ['b', ['x/y']],
    ] as const)
      await f.ask('POST', doors('v1'), { body: door('v1', name, oak, { finalizers }) });
    expect((await f.ask('DELETE', `${doors('v1')}/a`)).json.status).toBe('Success');
    const marked = await f.ask('DELETE', `${doors('v1')}/b`);
    expect([marked.json.apiVersion, marked.json.spec]).toEqual(['example.com/v1', oak]);
    expect(marked.json.metadata.deletionTimestamp).toBeDefined();
    const gone = await f.ask('PATCH', `${doors('v1')}/b`, {
      type: 'application/merge-patch+json',
      body: { metadata: { finalizers: null } },
    });
    expect(gone.code).toBe(200);
    expect((await f.ask('GET', doors('v1'))).json.items).toEqual([]);
  });

  it('is watched in order', async () => {
    await define();
    await f.ask('POST', doors('v1beta1'), { body: door('v1beta1', 'a', { address: 'oak:1' }) });
    const watch: FakeResponse = await f.watch(`${doors('v1')}?watch=1&resourceVersion=0`);
    for (const [name, address] of [
      ['b', 'ash:2'],
      ['c', 'fir:3'],
    ] as const)
      await f.ask('POST', doors('v1beta1'), { body: door('v1beta1', name, { address }) });
    await f.ask('PATCH', `${doors('v1beta1')}/b`, {
      type: 'application/merge-patch+json',
      body: { spec: { address: 'yew:4' } },
    });
    await f.ask('DELETE', `${doors('v1beta1')}/a`);
    await eventually(() => watch.events().length === 5);
    const brief = (e: Loose) => `${e.type} ${e.object.apiVersion} ${e.object.spec.host}`;
    expect(watch.events().map(brief)).toEqual([
      'ADDED example.com/v1 oak',
      'ADDED example.com/v1 ash',
      'ADDED example.com/v1 fir',
      'MODIFIED example.com/v1 yew',
      'DELETED example.com/v1 oak',
    ]);
    watch.close();
  });

  it('is what the stored version was before that changed, until somebody writes', async () => {
    await define();
    await f.ask('POST', doors('v1'), { body: door('v1', 'a', oak) });
    const current = (await f.ask('GET', `${definitions}/doors.example.com`)).json;
    const told = await f.ask('PUT', `${definitions}/doors.example.com`, {
      body: { ...definition(webhooks, 'v1'), metadata: current.metadata },
    });
    expect(told.code).toBe(200);
    await established();
    expect((await f.ask('GET', `${doors('v1')}/a`)).json.spec).toEqual(oak);
    expect(storedOf('a').apiVersion).toBe('example.com/v1beta1');
    const patched = await f.ask('PATCH', `${doors('v1')}/a`, {
      type: 'application/merge-patch+json',
      body: {},
    });
    expect([patched.code, storedOf('a').apiVersion, storedOf('a').spec]).toEqual([
      200,
      'example.com/v1',
      oak,
    ]);
  });

  it('does not keep its definition from going', async () => {
    await define();
    await f.ask('POST', doors('v1'), { body: door('v1', 'a', oak) });
    webhooks.status = 500;
    await f.ask('DELETE', `${definitions}/doors.example.com`);
    await eventually(
      () => f.store.get(`/apiextensions.k8s.io/customresourcedefinitions/doors.example.com`) === undefined,
    );
    expect((await f.ask('GET', `${definitions}/doors.example.com`)).code).toBe(404);
  });
});

describe('a webhook that fails', () => {
  const about = 'conversion webhook for example.com/v1beta1, Kind=Door';
  const change = (how: (response: Loose) => void) => (review: Loose) => {
    const out = success(review);
    how(out.response);
    return out;
  };
  const changeObject = (how: (object: Loose) => void) =>
    change((response) => {
      for (const object of response.convertedObjects) how(object);
    });
  const cases: [what: string, answer: (review: Loose) => object, message: string | RegExp][] = [
    [
      'says why',
      change((r) => (r.result = { status: 'Failure', message: 'no idea' })),
      `${about} failed: no idea`,
    ],
    [
      'does not say why',
      change((r) => (r.result = { status: 'Failure' })),
      `${about} failed: response.result.status was 'Failure', not 'Success'`,
    ],
    [
      'answers nothing',
      () => ({ kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1' }),
      `${about} failed: no response provided`,
    ],
    [
      'answers something else',
      () => ({ kind: 'Pod', apiVersion: 'v1' }),
      `${about} failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got v1, Kind=Pod`,
    ],
    [
      'answers another question',
      change((r) => (r.uid = 'x')),
      /failed: expected response.uid=".*", got "x"$/,
    ],
    ['loses objects', change((r) => (r.convertedObjects = [])), `${about} returned 0 objects, expected 1`],
    [
      'makes another version',
      changeObject((o) => (o.apiVersion = 'example.com/v9')),
      `${about} returned invalid object at index 0: invalid groupVersion (expected example.com/v1, received example.com/v9)`,
    ],
    [
      'makes another kind',
      changeObject((o) => (o.kind = 'Gate')),
      `${about} returned invalid object at index 0: invalid kind (expected Door, received Gate)`,
    ],
    [
      'renames',
      changeObject((o) => (o.metadata.name = 'z')),
      `${about} returned invalid object: must have the same name: a != z`,
    ],
    [
      'takes the metadata away',
      changeObject((o) => delete o.metadata),
      `${about} returned invalid object: must have the same name: a != `,
    ],
    [
      'sets a label that is none',
      changeObject((o) => (o.metadata.labels = { 'a b': 'c' })),
      /returned invalid metadata: metadata.labels: Invalid value: "a b": /,
    ],
    [
      'sets a label that is no text',
      changeObject((o) => (o.metadata.labels = { a: 1 })),
      `${about} returned invalid metadata: metadata.labels[a] must be a string, but is number in converted object`,
    ],
  ];
  it.each(cases)('and %s', async (_, how, message) => {
    await define();
    await f.ask('POST', doors('v1beta1'), { body: door('v1beta1', 'a', { address: 'oak:1' }) });
    webhooks.answer = how;
    for (const url of [`${doors('v1')}/a`, doors('v1')]) {
      const told = await f.ask('GET', url);
      expect([told.code, told.json.reason ?? 'Unknown']).toEqual([500, 'Unknown']);
      if (typeof message === 'string') expect(told.json.message).toBe(message);
      else expect(told.json.message).toMatch(message);
    }
    webhooks.answer = success;
    expect((await f.ask('GET', `${doors('v1')}/a`)).json.spec).toEqual(oak);
  });

  it('stores nothing, and ends watches with an error', async () => {
    await define();
    const watch = await f.watch(`${doors('v1')}?watch=1&resourceVersion=${f.store.revision}`);
    webhooks.status = 503;
    const told = await f.ask('POST', doors('v1'), { body: door('v1', 'a', oak) });
    expect([told.code, told.json.message]).toEqual([
      500,
      `conversion webhook for example.com/v1, Kind=Door failed: the server is currently unable to handle the request`,
    ]);
    expect(f.store.get(`/${group}/doors/default/a`)).toBeUndefined();
    await f.ask('POST', doors('v1beta1'), { body: door('v1beta1', 'a', { address: 'oak:1' }) });
    await watch.ended;
    expect(watch.events()).toMatchObject([{ type: 'ERROR', object: { kind: 'Status', code: 500 } }]);
  });

  it('changes of the metadata labels and annotations alone', async () => {
    await define();
    const body = door('v1beta1', 'a', { address: 'oak:1' }, { labels: { a: 'b' }, finalizers: ['x/y'] });
    await f.ask('POST', doors('v1beta1'), { body });
    webhooks.answer = changeObject((o) => {
      o.metadata.labels = { c: 'd' };
      o.metadata.annotations = { e: 'f' };
      o.metadata.finalizers = [];
      o.metadata.generation = 99;
      o.spec.odd = 'pruned';
    });
    const { json } = await f.ask('GET', `${doors('v1')}/a`);
    expect(json.metadata).toMatchObject({
      labels: { c: 'd' },
      annotations: { e: 'f' },
      finalizers: ['x/y'],
      generation: 1,
    });
    expect(json.spec).toEqual(oak);
  });

  it('is asked in the version of reviews that it knows', async () => {
    await define('v1beta1', { conversionReviewVersions: ['v2', 'v1beta1'] });
    const kinds: string[] = [];
    webhooks.answer = (review) => {
      kinds.push(review.apiVersion);
      return { ...success(review), kind: undefined, apiVersion: undefined };
    };
    expect((await f.ask('POST', doors('v1'), { body: door('v1', 'a', oak) })).code).toBe(201);
    expect(new Set(kinds)).toEqual(new Set(['apiextensions.k8s.io/v1beta1']));
  });
});
