// What goes when something is deleted: dependents in the background, in the foreground or not at all, and all of a namespace.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  APIService,
  bareKind,
  ConfigMap,
  CustomResourceDefinition,
  Deployment,
  isReady,
  Namespace,
  Pod,
  ReplicaSet,
  ServiceAccount,
} from '../../src/api/index.ts';
import { type Draft, isNotFound, type KindDef, type KubeObject } from '../../src/machinery/index.ts';
import { buildTemplate, ControlPlane } from '../../src/testkit/index.ts';

const labels = { app: 'web' };
let plane: ControlPlane;
beforeEach(async () => {
  plane = await ControlPlane.start();
  for (const name of ['n1', 'n2']) await plane.addNode(name, { endsAfterMs: 1000 });
});
afterEach(() => plane.stop());

const deploy = async (namespace = 'default') => {
  await plane.client(Deployment).create({
    metadata: { name: 'web', namespace },
    spec: { replicas: 3, selector: { matchLabels: labels }, template: buildTemplate(labels) },
  } as Draft<Deployment>);
  await plane.until(
    'three ready',
    async () => (await plane.list(Pod, namespace)).filter(isReady).length === 3,
  );
};
const counts = async () => [
  (await plane.list(Deployment)).length,
  (await plane.list(ReplicaSet)).length,
  (await plane.list(Pod)).length,
];
const exists = async (name: string) =>
  plane
    .client(Namespace)
    .get(name)
    .then(
      () => true,
      (error: unknown) => {
        if (isNotFound(error)) return false;
        throw error;
      },
    );

describe('a deployment is deleted', () => {
  beforeEach(() => deploy());

  test('in the background: it goes at once, the rest follows', async () => {
    await plane.client(Deployment).delete('web', 'default', { propagationPolicy: 'Background' });
    await plane.rest();
    expect(await counts()).toEqual([0, 0, 3]);
    await plane.advance(1500);
    expect(await counts()).toEqual([0, 0, 0]);
  });

  test('in the foreground: it goes last', async () => {
    await plane.client(Deployment).delete('web', 'default', { propagationPolicy: 'Foreground' });
    await plane.rest();
    expect(await counts()).toEqual([1, 1, 3]);
    await plane.advance(3000, async () => {
      const [deployments, sets, pods] = await counts();
      if (pods! > 0) expect([deployments, sets]).toEqual([1, 1]);
    });
    expect(await counts()).toEqual([0, 0, 0]);
  });

  test('as an orphan maker: the rest stays, and a new one adopts it', async () => {
    const pods = (await plane.list(Pod)).map((pod) => pod.metadata.uid).sort();
    await plane.client(Deployment).delete('web', 'default', { propagationPolicy: 'Orphan' });
    await plane.advance(5000);
    expect(await counts()).toEqual([0, 1, 3]);
    const [set] = await plane.list(ReplicaSet);
    expect(set?.metadata.ownerReferences).toBeUndefined();
    await deploy();
    await plane.advance(2000);
    expect(await counts()).toEqual([1, 1, 3]);
    expect((await plane.list(Pod)).map((pod) => pod.metadata.uid).sort()).toEqual(pods);
  });
});

test('an object with two owners goes with the last of them', async () => {
  const owner = (name: string) =>
    plane.client(ConfigMap).create({ metadata: { name, namespace: 'default' } });
  const [a, b] = [await owner('a'), await owner('b')];
  const ownerReferences = [a, b].map(({ metadata: { name, uid } }) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    name,
    uid,
  }));
  await plane
    .client(ConfigMap)
    .create({ metadata: { name: 'owned', namespace: 'default', ownerReferences } });
  await plane.client(ConfigMap).delete('a', 'default');
  await plane.rest();
  const owned = await plane.client(ConfigMap).get('owned', 'default');
  expect(owned.metadata.ownerReferences?.map((o) => o.name)).toEqual(['b']);
  await plane.client(ConfigMap).delete('b', 'default');
  await plane.rest();
  const names = (await plane.list(ConfigMap)).map((map) => map.metadata.name);
  expect(names).not.toContain('owned');
});

test('an object whose owner never was goes; a circle of owners does not hang', async () => {
  const reference = (name: string, uid: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    name,
    uid,
    blockOwnerDeletion: true,
  });
  const make = (name: string, ...ownerReferences: ReturnType<typeof reference>[]) =>
    plane.client(ConfigMap).create({ metadata: { name, namespace: 'default', ownerReferences } });
  await make('stray', reference('nobody', 'no-such-uid'));
  const a = await make('a');
  const b = await make('b', reference('a', a.metadata.uid));
  await plane.client(ConfigMap).patch({ name: 'a', namespace: 'default' }, 'merge', {
    metadata: { ownerReferences: [reference('b', b.metadata.uid)] },
  });
  await plane.rest();
  await plane.client(ConfigMap).delete('a', 'default', { propagationPolicy: 'Foreground' });
  await plane.advance(2000);
  const names = (await plane.list(ConfigMap)).map((map) => map.metadata.name);
  expect(names.filter((name) => ['a', 'b', 'stray'].includes(name))).toEqual([]);
});

describe('custom resources', () => {
  let herds: KindDef;
  const define = async () => {
    await plane.client(CustomResourceDefinition).create({
      metadata: { name: 'herds.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { kind: 'Herd', plural: 'herds', singular: 'herd', listKind: 'HerdList' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    } as unknown as Draft<CustomResourceDefinition>);
    await plane.rest();
    herds = bareKind(await plane.client(CustomResourceDefinition).get('herds.example.com')) as KindDef;
  };
  beforeEach(define);
  const ref = ({ apiVersion, kind, metadata: { name, uid } }: KubeObject) => ({
    apiVersion,
    kind,
    name,
    uid,
    blockOwnerDeletion: true,
  });
  const make = async <T extends KubeObject>(kind: KindDef<T>, name: string, ...owners: KubeObject[]) => {
    const metadata = { name, namespace: 'default', ownerReferences: owners.map(ref) };
    const made = await plane.client(kind).create({ metadata } as unknown as Draft<T>);
    await plane.rest();
    return made;
  };
  const left = async () => {
    const maps = (await plane.list(ConfigMap)).map((map) => map.metadata.name);
    const ofThem = (await plane.list(herds)).map((herd) => herd.metadata.name);
    return [...ofThem, ...maps.filter((name) => name !== 'kube-root-ca.crt')].sort();
  };

  test.each(['Background', 'Foreground'] as const)('own and are owned: %s', async (propagationPolicy) => {
    const owner = await make(herds, 'a');
    const map = await make(ConfigMap, 'b', owner);
    await make(herds, 'c', map);
    await make(herds, 'd');
    await plane.client(herds).delete('a', 'default', { propagationPolicy });
    await plane.advance(2000);
    expect(await left()).toEqual(['d']);
  });

  test('are orphaned, and lose one of several owners', async () => {
    const [a, b] = [await make(herds, 'a'), await make(ConfigMap, 'b')];
    await make(herds, 'orphan', a);
    await make(herds, 'both', a, b);
    await plane.client(herds).delete('a', 'default', { propagationPolicy: 'Orphan' });
    await plane.advance(2000);
    expect(await left()).toEqual(['b', 'both', 'orphan']);
    const owners = async (name: string) =>
      (await plane.client(herds).get(name, 'default')).metadata.ownerReferences?.map((o) => o.name);
    expect([await owners('orphan'), await owners('both')]).toEqual([undefined, ['b']]);
  });

  test('take what they own with them when their definition goes, and again when it has come back', async () => {
    for (let i = 0; i < 2; i++) {
      if (i > 0) await define();
      await make(ConfigMap, 'm', await make(herds, 'a'));
      await plane.client(CustomResourceDefinition).delete('herds.example.com');
      await plane.advance(3000);
      const maps = (await plane.list(ConfigMap)).map((map) => map.metadata.name);
      expect(maps).not.toContain('m');
    }
  });
});

test('nobody owns across namespaces: such a dependent goes, and an event says why', async () => {
  await plane.client(Namespace).create({ metadata: { name: 'team' }, spec: {} });
  const owner = await plane.client(ConfigMap).create({ metadata: { name: 'o', namespace: 'team' } });
  await plane.rest();
  const { name, uid } = owner.metadata;
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name, uid }];
  await plane.client(ConfigMap).create({ metadata: { name: 'd', namespace: 'default', ownerReferences } });
  await plane.client(Namespace).create({ metadata: { name: 'wide', ownerReferences }, spec: {} });
  await plane.advance(2000);
  expect((await plane.list(ConfigMap)).map((map) => map.metadata.name)).not.toContain('d');
  expect(await exists('wide')).toBe(true);
  expect(await plane.events('OwnerRefInvalidNamespace')).toContain(
    `ownerRef [v1/ConfigMap, namespace: default, name: o, uid: ${uid}] does not exist in namespace "default"`,
  );
});

describe('a namespace', () => {
  test('has its service account and the cluster’s CA from the start', async () => {
    await plane.client(Namespace).create({ metadata: { name: 'team' }, spec: {} });
    await plane.rest();
    expect((await plane.list(ServiceAccount, 'team')).map((account) => account.metadata.name)).toEqual([
      'default',
    ]);
    expect((await plane.list(ConfigMap, 'team')).map((map) => map.data)).toEqual([
      { 'ca.crt': 'a certificate' },
    ]);
    await plane.client(ServiceAccount).delete('default', 'team');
    await plane.client(ConfigMap).delete('kube-root-ca.crt', 'team');
    await plane.rest();
    expect(await plane.list(ServiceAccount, 'team')).toHaveLength(1);
    expect(await plane.list(ConfigMap, 'team')).toHaveLength(1);
  });

  test('that is deleted goes with all it holds, pods first, and says what it waits for', async () => {
    await plane.client(Namespace).create({ metadata: { name: 'team' }, spec: {} });
    await deploy('team');
    await plane.client(Namespace).delete('team');
    await plane.rest();
    const { status } = await plane.client(Namespace).get('team');
    expect(status?.phase).toBe('Terminating');
    const remaining = status?.conditions?.find((c) => c.type === 'NamespaceContentRemaining');
    expect(remaining).toMatchObject({
      status: 'True',
      message: expect.stringMatching(/^Some resources are remaining: pods\. has \d/),
    });
    await plane.until('gone', async () => !(await exists('team')), 5000);
    for (const kind of [Pod, ReplicaSet, Deployment, ConfigMap, ServiceAccount])
      expect(await plane.list<Pod>(kind as unknown as typeof Pod, 'team')).toEqual([]);
  });

  test('waits for finalizers of others', async () => {
    await plane.client(Namespace).create({ metadata: { name: 'team' }, spec: {} });
    const metadata = { name: 'held', namespace: 'team', finalizers: ['example.com/keep'] };
    await plane.client(ConfigMap).create({ metadata });
    await plane.client(Namespace).delete('team');
    await plane.advance(10_000);
    const { status } = await plane.client(Namespace).get('team');
    expect(status?.conditions?.find((c) => c.type === 'NamespaceFinalizersRemaining')?.message).toBe(
      'Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances',
    );
    await plane
      .client(ConfigMap)
      .patch({ name: 'held', namespace: 'team' }, 'merge', { metadata: { finalizers: null } });
    await plane.until('gone', async () => !(await exists('team')), 5000);
  });

  test('is emptied also across a restart of the server', async () => {
    await plane.client(Namespace).create({ metadata: { name: 'team' }, spec: {} });
    await deploy('team');
    await plane.client(Namespace).delete('team');
    await plane.restart(500);
    await plane.until('gone', async () => !(await exists('team')), 5000);
  });
});

test('a namespace stays as long as somebody does not say what he has in it', async () => {
  const name = 'v1.away.example.com';
  await plane.client(APIService).create({
    metadata: { name },
    spec: {
      group: 'away.example.com',
      version: 'v1',
      groupPriorityMinimum: 1000,
      versionPriority: 10,
      service: { name: 'away', namespace: 'default' },
    },
  } as Draft<APIService>);
  await plane.client(Namespace).create({ metadata: { name: 'ending' }, spec: {} });
  await plane
    .client(ConfigMap)
    .create({ metadata: { name: 'inside', namespace: 'ending' } } as Draft<ConfigMap>);
  await plane.client(Namespace).delete('ending');
  await plane.advance(3000);
  const { status } = await plane.client(Namespace).get('ending');
  expect(status?.conditions?.find(({ type }) => type === 'NamespaceDeletionDiscoveryFailure')).toMatchObject({
    status: 'True',
    reason: 'DiscoveryFailed',
    message:
      'Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: away.example.com/v1: stale GroupVersion discovery: away.example.com/v1',
  });
  expect(await plane.list(ConfigMap, 'ending')).toEqual([]);
  await plane.client(APIService).delete(name);
  await plane.advance(3000);
  expect(await exists('ending')).toBe(false);
});
