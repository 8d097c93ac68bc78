// What quotas let through: what is charged, what is refused and in which words, and that nobody gets more when many ask at once.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../../testkit/index.ts';

let f: ApiFixture;
const ns = '/api/v1/namespaces/default';
const quotas = `${ns}/resourcequotas`;
const merge = 'application/merge-patch+json';

beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

/** As the controller leaves it. */
async function quota(
  name: string,
  hard: Record<string, string>,
  { used = {}, ...spec }: { used?: Record<string, string>; scopes?: string[]; scopeSelector?: object } = {},
): Promise<void> {
  const made = await f.ask('POST', quotas, { body: { metadata: { name }, spec: { hard, ...spec } } });
  expect(made.code).toBe(201);
  const zeros = Object.fromEntries(Object.keys(hard).map((key) => [key, '0']));
  await f.ask('PATCH', `${quotas}/${name}/status`, {
    type: merge,
    body: { status: { hard, used: { ...zeros, ...used } } },
  });
}
const usedOf = async (name: string) => (await f.ask('GET', `${quotas}/${name}`)).json.status.used;
const container = (requests?: object, limits?: object) => ({
  name: 'c',
  image: 'i',
  resources: { requests, limits },
});
const pod = (name: string, spec: object = {}, query = '') =>
  f.ask('POST', `${ns}/pods${query}`, {
    body: { metadata: { name }, spec: { containers: [container()], ...spec } },
  });

it('charges what is made and refuses what is too much, in the words that everybody knows', async () => {
  await quota('q', { pods: '2', 'requests.cpu': '1', memory: '1Gi' }, { used: { pods: '1' } });
  const containers = [container({ cpu: '600m', memory: '100Mi' })];
  expect((await pod('a', { containers })).code).toBe(201);
  expect(await usedOf('q')).toEqual({ pods: '2', 'requests.cpu': '600m', memory: '100Mi' });
  const told = await pod('b', { containers });
  expect([told.code, told.json.reason, told.json.message]).toEqual([
    403,
    'Forbidden',
    'pods "b" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=600m, used: pods=2,requests.cpu=600m, limited: pods=2,requests.cpu=1',
  ]);
  expect(await usedOf('q')).toEqual({ pods: '2', 'requests.cpu': '600m', memory: '100Mi' });
});

it.each<[string, Record<string, string>, object, string]>([
  [
    'what is limited must be said',
    { 'limits.cpu': '1', memory: '1Gi', pods: '5' },
    { containers: [container({ memory: '1Mi' })] },
    'failed quota: q: must specify limits.cpu for: c',
  ],
  [
    'for every container',
    { cpu: '1', 'limits.cpu': '1' },
    { containers: [container({ cpu: '1m' })], initContainers: [{ name: 'i', image: 'i' }] },
    'failed quota: q: must specify cpu for: i; limits.cpu for: c,i',
  ],
])('%s', async (_, hard, spec, why) => {
  await quota('q', hard);
  const told = await pod('a', spec);
  expect([told.code, told.json.message]).toEqual([403, `pods "a" is forbidden: ${why}`]);
});

it('is not known to be met before somebody has counted', async () => {
  await quota('q', { pods: '5', 'limits.memory': '1Gi' });
  await f.ask('PATCH', `${quotas}/q/status`, { type: merge, body: { status: { used: { pods: null } } } });
  const told = await pod('a', { containers: [container({}, { memory: '1Mi' })] });
  expect(told.json.message).toBe(
    'pods "a" is forbidden: status unknown for quota: q, resources: limits.memory,pods',
  );
  await f.ask('POST', quotas, { body: { metadata: { name: 'new' }, spec: { hard: { secrets: '0' } } } });
  expect((await f.ask('POST', `${ns}/secrets`, { body: { metadata: { name: 's' } } })).code).toBe(201);
});

describe('what is counted', () => {
  const cases: [string, string, object, Record<string, string>][] = [
    [
      'pods',
      `${ns}/pods`,
      {
        spec: {
          containers: [
            container(
              {
                cpu: '1',
                memory: '2Mi',
                'ephemeral-storage': '1Gi',
                'hugepages-2Mi': '4Mi',
                'example.com/gpu': '2',
              },
              {
                cpu: '2',
                memory: '2Mi',
                'ephemeral-storage': '2Gi',
                'hugepages-2Mi': '4Mi',
                'example.com/gpu': '2',
              },
            ),
          ],
        },
      },
      {
        pods: '1',
        'count/pods': '1',
        cpu: '1',
        'requests.cpu': '1',
        'limits.cpu': '2',
        memory: '2Mi',
        'requests.memory': '2Mi',
        'limits.memory': '2Mi',
        'requests.ephemeral-storage': '1Gi',
        'limits.ephemeral-storage': '2Gi',
        'requests.hugepages-2Mi': '4Mi',
        'requests.example.com/gpu': '2',
      },
    ],
    [
      'services',
      `${ns}/services`,
      {
        spec: {
          type: 'LoadBalancer',
          ports: [
            { port: 80, name: 'a' },
            { port: 81, name: 'b' },
          ],
        },
      },
      { services: '1', 'services.nodeports': '2', 'services.loadbalancers': '1', 'count/services': '1' },
    ],
    [
      'services without node ports of their own',
      `${ns}/services`,
      { spec: { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false, ports: [{ port: 80 }] } },
      { services: '1', 'services.nodeports': '0', 'services.loadbalancers': '1' },
    ],
    [
      'claims',
      `${ns}/persistentvolumeclaims`,
      {
        spec: {
          accessModes: ['ReadWriteOnce'],
          storageClassName: 'gold',
          resources: { requests: { storage: '3Gi' } },
        },
      },
      {
        persistentvolumeclaims: '1',
        'requests.storage': '3Gi',
        'gold.storageclass.storage.k8s.io/requests.storage': '3Gi',
        'gold.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
        'tin.storageclass.storage.k8s.io/requests.storage': '0',
      },
    ],
    ['config maps', `${ns}/configmaps`, {}, { configmaps: '1', 'count/configmaps': '1', secrets: '0' }],
    [
      'anything, by its name',
      '/apis/apps/v1/namespaces/default/deployments',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [container()] } },
        },
      },
      { 'count/deployments.apps': '1', 'count/replicasets.apps': '0' },
    ],
  ];
  it.each(cases)('%s', async (_, url, body, used) => {
    const hard = Object.fromEntries(
      Object.keys(used).map((name) => [
        name,
        name.includes('emory') || name.includes('torage') || name.includes('huge') ? '10Gi' : '10',
      ]),
    );
    await quota('q', hard);
    const told = await f.ask('POST', url, { body: { metadata: { name: 'x' }, ...body } });
    expect([told.code, await usedOf('q')]).toEqual([201, used]);
  });
});

it('a change pays the difference', async () => {
  await quota('q', { 'services.nodeports': '2', 'requests.storage': '5Gi' });
  const service = { metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } };
  await f.ask('POST', `${ns}/services`, { body: service });
  const patch = (spec: object) => f.ask('PATCH', `${ns}/services/s`, { type: merge, body: { spec } });
  expect((await patch({ type: 'NodePort' })).code).toBe(200);
  expect(await usedOf('q')).toMatchObject({ 'services.nodeports': '1' });
  expect((await patch({ sessionAffinity: 'ClientIP' })).code).toBe(200);
  expect(await usedOf('q')).toMatchObject({ 'services.nodeports': '1' });
  const ports = [1, 2, 3].map((port) => ({ port, name: `p${port}` }));
  const told = await patch({ ports });
  expect([told.code, told.json.message]).toEqual([
    403,
    'services "s" is forbidden: exceeded quota: q, requested: services.nodeports=2, used: services.nodeports=1, limited: services.nodeports=2',
  ]);
});

const exists = (scopeName: string) => ({ matchExpressions: [{ scopeName, operator: 'Exists' }] });
const inClass = (operator: string, ...values: string[]) => ({
  matchExpressions: [{ scopeName: 'PriorityClass', operator, values }],
});
const elsewhere = {
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: 'k', namespaces: ['x'], labelSelector: { matchLabels: { a: 'b' } } },
      ],
    },
  },
};
const critical = { priorityClassName: 'system-node-critical' };
it.each<[string, object, object, boolean]>([
  ['Terminating', { scopes: ['Terminating'] }, { activeDeadlineSeconds: 5 }, true],
  ['Terminating', { scopes: ['Terminating'] }, {}, false],
  ['NotTerminating', { scopes: ['NotTerminating'] }, {}, true],
  ['BestEffort', { scopes: ['BestEffort'] }, {}, true],
  ['BestEffort', { scopes: ['BestEffort'] }, { containers: [container({ cpu: '1' })] }, false],
  ['NotBestEffort', { scopes: ['NotBestEffort'] }, { containers: [container({ cpu: '1' })] }, true],
  [
    'both must hold',
    { scopes: ['NotBestEffort', 'Terminating'] },
    { containers: [container({ cpu: '1' })] },
    false,
  ],
  ['PriorityClass', { scopeSelector: exists('PriorityClass') }, critical, true],
  ['PriorityClass', { scopeSelector: exists('PriorityClass') }, {}, false],
  ['PriorityClass In', { scopeSelector: inClass('In', 'system-node-critical') }, critical, true],
  ['PriorityClass In another', { scopeSelector: inClass('In', 'high') }, critical, false],
  ['PriorityClass NotIn', { scopeSelector: inClass('NotIn', 'high') }, {}, true],
  ['CrossNamespacePodAffinity', { scopes: ['CrossNamespacePodAffinity'] }, elsewhere, true],
  ['CrossNamespacePodAffinity', { scopes: ['CrossNamespacePodAffinity'] }, {}, false],
])('a quota for %s: %j counts %j: %s', async (_, scoping, spec, counts) => {
  await quota('q', { pods: '5' }, scoping);
  expect((await pod('a', spec)).code).toBe(201);
  expect(await usedOf('q')).toEqual({ pods: counts ? '1' : '0' });
});

it('a dry run is told, and takes nothing', async () => {
  await quota('q', { pods: '1' });
  expect((await pod('a', {}, '?dryRun=All')).code).toBe(201);
  expect(await usedOf('q')).toEqual({ pods: '0' });
  await pod('a');
  expect((await pod('b', {}, '?dryRun=All')).code).toBe(403);
});

it('what is not written after all is given back', async () => {
  await quota('q', { pods: '5' });
  expect((await pod('a')).code).toBe(201);
  expect((await pod('a')).code).toBe(409);
  expect(await usedOf('q')).toEqual({ pods: '1' });
});

it('one quota that refuses keeps the others from being charged', async () => {
  await quota('a', { pods: '5' });
  await quota('b', { pods: '0' });
  await quota('c', { pods: '5' });
  expect((await pod('x')).json.message).toContain('exceeded quota: b, requested: pods=1');
  expect([await usedOf('a'), await usedOf('c')]).toEqual([{ pods: '0' }, { pods: '0' }]);
});

it('of many at once exactly as many are made as there is room for, on one server and on two', async () => {
  await quota('a', { pods: '7', configmaps: '9' });
  await quota('b', { pods: '9' });
  const second = await ApiFixture.create({ store: f.store, clock: f.clock });
  const asks = Array.from({ length: 40 }, (_, i) =>
    (i % 2 === 0 ? f : second).ask('POST', `${ns}/pods`, {
      body: { metadata: { name: `p${i}` }, spec: { containers: [container()] } },
    }),
  );
  const codes = (await Promise.all(asks)).map(({ code }) => code);
  expect(codes.filter((code) => code === 201)).toHaveLength(7);
  expect(codes.filter((code) => code === 403)).toHaveLength(33);
  expect([await usedOf('a'), await usedOf('b')]).toEqual([{ pods: '7', configmaps: '0' }, { pods: '7' }]);
});

it('a namespace without quotas, and one that has them, do not touch each other', async () => {
  await quota('q', { pods: '0' });
  const told = await f.ask('POST', '/api/v1/namespaces/other/pods', {
    body: { metadata: { name: 'a' }, spec: { containers: [container()] } },
  });
  expect(told.code).toBe(201);
});
