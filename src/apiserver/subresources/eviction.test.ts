// What an eviction may do, and what a budget makes of it.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
const ns = '/api/v1/namespaces/default';
const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
const merge = 'application/merge-patch+json';

beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

async function pod(name: string, phase = 'Running', ready = true): Promise<void> {
  const labels = { app: 'web' };
  const spec = { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }] };
  await f.ask('POST', `${ns}/pods`, { body: { metadata: { name, labels }, spec } });
  const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' }];
  const told = await f.ask('PATCH', `${ns}/pods/${name}/status`, {
    type: merge,
    body: { status: { phase, conditions } },
  });
  expect(told.code).toBe(200);
}
async function budget(name: string, status: object, spec: object = {}): Promise<void> {
  const whole = { minAvailable: 1, selector: { matchLabels: { app: 'web' } }, ...spec };
  await f.ask('POST', budgets, { body: { metadata: { name }, spec: whole } });
  const told = await f.ask('PATCH', `${budgets}/${name}/status`, {
    type: merge,
    body: { status: { observedGeneration: 1, ...status } },
  });
  expect(told.code).toBe(200);
}
const evict = (name: string, deleteOptions?: object, query = '') =>
  f.ask('POST', `${ns}/pods/${name}/eviction${query}`, {
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name }, deleteOptions },
  });
const isGoing = async (name: string) =>
  (await f.ask('GET', `${ns}/pods/${name}`)).json.metadata.deletionTimestamp !== undefined;
const statusOf = async (name: string) => (await f.ask('GET', `${budgets}/${name}`)).json.status;

it('takes one from the budget, notes the pod there, and says in the pod why it goes', async () => {
  await pod('a');
  await budget('b', { disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 });
  expect((await evict('a')).code).toBe(201);
  expect(await statusOf('b')).toMatchObject({
    disruptionsAllowed: 0,
    disruptedPods: { a: '2026-01-02T03:04:05Z' },
    conditions: [{ type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods' }],
  });
  const { metadata, status } = (await f.ask('GET', `${ns}/pods/a`)).json;
  expect(metadata.deletionTimestamp).toBeDefined();
  expect(status.conditions).toContainEqual({
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastProbeTime: null,
    lastTransitionTime: '2026-01-02T03:04:05Z',
    observedGeneration: 1,
  });
});

it('is refused with 429 when the budget has no room', async () => {
  await pod('a');
  await budget('b', { currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 });
  const told = await evict('a');
  expect([told.code, told.json]).toEqual([
    429,
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      reason: 'TooManyRequests',
      details: {
        causes: [
          {
            reason: 'DisruptionBudget',
            message: 'The disruption budget b needs 1 healthy pods and has 1 currently',
          },
        ],
      },
      code: 429,
    },
  ]);
  expect(await isGoing('a')).toBe(false);
});

it.each<[string, object, object, number, string]>([
  [
    'a status that is behind',
    { observedGeneration: 0, disruptionsAllowed: 1 },
    {},
    429,
    'is still being processed by the server.',
  ],
  [
    'a status that could not be computed',
    {
      conditions: [
        {
          type: 'DisruptionAllowed',
          status: 'False',
          reason: 'SyncFailed',
          message: 'x',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    },
    {},
    429,
    'The disruption budget b does not allow evicting pods currently because it failed sync: x',
  ],
])('%s refuses', async (_, status, spec, code, why) => {
  await pod('a');
  await budget('b', status, spec);
  const told = await evict('a');
  expect([told.code, told.json.details.causes[0].message]).toEqual([code, expect.stringContaining(why)]);
});

it('two budgets for one pod are more than it understands', async () => {
  await pod('a');
  await budget('b', { disruptionsAllowed: 1 });
  await budget('c', { disruptionsAllowed: 1 });
  const told = await evict('a');
  expect([told.code, told.json.message]).toEqual([
    500,
    'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
  ]);
});

it.each<[string, string, boolean, object, object, boolean]>([
  ['not ready, budget met', 'Running', false, { currentHealthy: 2, desiredHealthy: 2 }, {}, true],
  ['not ready, budget not met', 'Running', false, { currentHealthy: 1, desiredHealthy: 2 }, {}, false],
  [
    'not ready, always allowed',
    'Running',
    false,
    { desiredHealthy: 2 },
    { unhealthyPodEvictionPolicy: 'AlwaysAllow' },
    true,
  ],
  ['pending', 'Pending', false, { desiredHealthy: 2 }, {}, true],
  ['ended', 'Failed', false, { desiredHealthy: 2 }, {}, true],
])('%s', async (_, phase, ready, status, spec, goes) => {
  await pod('a', phase, ready);
  await budget('b', status, spec);
  expect((await evict('a', { gracePeriodSeconds: 10 })).code).toBe(goes ? 201 : 429);
  const left = await f.ask('GET', `${ns}/pods/a`);
  expect(left.code === 404 || left.json.metadata.deletionTimestamp !== undefined).toBe(goes);
  expect((await statusOf('b')).disruptedPods).toBeUndefined();
});

it('keeps to preconditions, and a dry run changes nothing', async () => {
  await pod('a');
  await budget('b', { disruptionsAllowed: 1 });
  for (const [preconditions, text] of [
    [{ uid: 'x' }, 'the UID in the precondition (x) does not match'],
    [{ resourceVersion: '1' }, 'the ResourceVersion in the precondition (1) does not match'],
  ] as const) {
    await f.ask('PATCH', `${budgets}/b/status`, { type: merge, body: { status: { disruptionsAllowed: 1 } } });
    const told = await evict('a', { preconditions });
    expect([told.code, told.json.message]).toEqual([409, expect.stringContaining(text)]);
  }
  await f.ask('PATCH', `${budgets}/b/status`, {
    type: merge,
    body: { status: { disruptionsAllowed: 1, disruptedPods: null } },
  });
  const { resourceVersion } = (await f.ask('GET', `${ns}/pods/a`)).json.metadata;
  expect((await evict('a', undefined, '?dryRun=All')).code).toBe(201);
  expect((await evict('a', { dryRun: ['All'] })).code).toBe(201);
  expect((await statusOf('b')).disruptionsAllowed).toBe(1);
  expect(await isGoing('a')).toBe(false);
  expect((await evict('a', { preconditions: { resourceVersion } })).code).toBe(201);
  expect(await isGoing('a')).toBe(true);
});

it('of many at once exactly as many succeed as the budget allows', async () => {
  const names = Array.from({ length: 10 }, (_, i) => `p${i}`);
  for (const name of names) await pod(name);
  await budget('b', { disruptionsAllowed: 3, currentHealthy: 10, desiredHealthy: 7 });
  const codes = (await Promise.all(names.map((name) => evict(name)))).map((told) => told.code);
  expect(codes.filter((code) => code === 201)).toHaveLength(3);
  expect(codes.filter((code) => code === 429)).toHaveLength(7);
  expect(Object.keys((await statusOf('b')).disruptedPods)).toHaveLength(3);
});
