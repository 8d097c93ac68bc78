// The subresources of pods: what each may change, and what it refuses.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
const pods = '/api/v1/namespaces/default/pods';
const strategic = 'application/strategic-merge-patch+json';
const resources = { requests: { cpu: '100m', memory: '64Mi' } };

beforeEach(async () => {
  f = await ApiFixture.create();
  await f.ask('POST', pods, {
    body: { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i', resources }] } },
  });
});
afterEach(() => f.close());

it('binding sets the node once and says so in a condition', async () => {
  const target = { kind: 'Node', name: 'n1' };
  const told = await f.ask('POST', `${pods}/p/binding`, { body: { metadata: { name: 'p' }, target } });
  expect([told.code, told.json]).toEqual([
    201,
    { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 },
  ]);
  const pod = (await f.ask('GET', `${pods}/p`)).json;
  expect(pod.spec.nodeName).toBe('n1');
  expect(pod.status.conditions).toEqual([
    { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: '2026-01-02T03:04:05Z' },
  ]);
  const again = await f.ask('POST', `${pods}/p/binding`, { body: { target: { ...target, name: 'n2' } } });
  expect([again.code, again.json.message]).toEqual([
    409,
    'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"',
  ]);
});

it.each([
  [
    { target: { kind: 'Pod', name: 'x' } },
    422,
    /^Binding "p" is invalid: target.kind: Unsupported value: "Pod"/,
  ],
  [{ target: {} }, 422, /target.name: Required value/],
  [
    { metadata: { name: 'q' }, target: { name: 'n' } },
    400,
    /^name in URL does not match name in Binding object/,
  ],
  [{ metadata: { uid: 'u' }, target: { name: 'n' } }, 409, /Precondition failed: UID in precondition: u/],
  [{ kind: 'Pod', apiVersion: 'v1' }, 400, /^Pod in version "v1" cannot be handled as a Binding/],
])('binding refuses %j', async (body, code, message) => {
  const told = await f.ask('POST', `${pods}/p/binding`, { body });
  expect([told.code, told.json.message]).toEqual([code, expect.stringMatching(message)]);
});

it('eviction deletes', async () => {
  const url = `${pods}/p/eviction`;
  const older = { apiVersion: 'policy/v1beta1', kind: 'Eviction', metadata: { name: 'p' } };
  expect((await f.ask('POST', `${url}?dryRun=All`, { body: older })).code).toBe(201);
  expect((await f.ask('POST', `${url}?dryRun=All`, { body: {} })).code).toBe(201);
  const stale = { deleteOptions: { preconditions: { uid: 'x' } } };
  expect((await f.ask('POST', url, { body: stale })).code).toBe(409);
  expect((await f.ask('POST', url, { body: { metadata: { name: 'q' } } })).code).toBe(400);
  const told = await f.ask('POST', url, {
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'p' } },
  });
  expect(told.code).toBe(201);
  expect((await f.ask('GET', `${pods}/p`)).code).toBe(404);
});

it('ephemeral containers may be added, and nothing else', async () => {
  const url = `${pods}/p/ephemeralcontainers`;
  const debug = { name: 'debug', image: 'busybox' };
  const told = await f.ask('PATCH', url, {
    type: strategic,
    body: {
      metadata: { labels: { x: 'y' } },
      spec: { ephemeralContainers: [debug], containers: [{ name: 'c', image: 'j' }] },
    },
  });
  expect(told.code).toBe(200);
  expect(told.json.spec.ephemeralContainers).toMatchObject([debug]);
  expect([
    told.json.spec.containers[0].image,
    told.json.metadata.labels,
    told.json.metadata.generation,
  ]).toEqual(['i', undefined, 2]);
  const changed = await f.ask('PATCH', url, {
    type: strategic,
    body: { spec: { ephemeralContainers: [{ ...debug, image: 'x' }] } },
  });
  expect([changed.code, changed.json.message]).toEqual([
    422,
    expect.stringContaining('existing ephemeral containers "debug" may not be changed'),
  ]);
  const direct = await f.ask('PATCH', `${pods}/p`, {
    type: strategic,
    body: { spec: { ephemeralContainers: null } },
  });
  expect(direct.code).toBe(422);
});

it('resize changes cpu and memory, and nothing else', async () => {
  const url = `${pods}/p/resize`;
  const resize = (container: object) =>
    f.ask('PATCH', url, { type: strategic, body: { spec: { containers: [{ name: 'c', ...container }] } } });
  const told = await resize({ resources: { requests: { cpu: '200m' } }, image: 'j' });
  expect(told.code).toBe(200);
  expect(told.json.spec.containers[0]).toMatchObject({
    image: 'i',
    resources: { requests: { cpu: '200m', memory: '64Mi' } },
  });
  expect(told.json.metadata.generation).toBe(2);
  expect((await resize({ resources: { requests: null } })).code).toBe(422);
  const main = await f.ask('PATCH', `${pods}/p`, {
    type: strategic,
    body: { spec: { containers: [{ name: 'c', resources: { requests: { cpu: '300m' } } }] } },
  });
  expect(main.code).toBe(422);
});

it('admission gives a pod its account, its priority and its patience', async () => {
  const { spec } = (await f.ask('GET', `${pods}/p`)).json;
  expect(spec).toMatchObject({
    serviceAccountName: 'default',
    serviceAccount: 'default',
    priority: 0,
    preemptionPolicy: 'PreemptLowerPriority',
  });
  expect(spec.tolerations.map((t: { key: string }) => t.key)).toEqual([
    'node.kubernetes.io/not-ready',
    'node.kubernetes.io/unreachable',
  ]);
  const { priority: _, preemptionPolicy: __, ...asked } = spec;
  const again = { metadata: { name: 'p', labels: { again: 'yes' } }, spec: asked };
  expect(await f.ask('PUT', `${pods}/p`, { body: again })).toMatchObject({
    code: 200,
    json: { spec: { priority: 0, preemptionPolicy: 'PreemptLowerPriority' } },
  });
  const named = {
    metadata: { name: 'q' },
    spec: {
      serviceAccount: 'robot',
      priorityClassName: 'system-node-critical',
      containers: [{ name: 'c', image: 'i' }],
    },
  };
  const accounts = pods.replace('/pods', '/serviceaccounts');
  await f.ask('POST', accounts, { body: { metadata: { name: 'robot' } } });
  expect((await f.ask('POST', pods, { body: named })).json.spec).toMatchObject({
    serviceAccountName: 'robot',
    serviceAccount: 'robot',
    priority: 2000001000,
  });
  const none = await f.ask('POST', pods, {
    body: { ...named, metadata: { name: 'r' }, spec: { ...named.spec, priorityClassName: 'none' } },
  });
  expect([none.code, none.json.message]).toEqual([
    403,
    'pods "r" is forbidden: no PriorityClass with name none was found',
  ]);
});
