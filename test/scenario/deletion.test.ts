// What goes when something is deleted: dependents in the background, in the foreground or not at all, and all of a namespace.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  ConfigMap,
  Deployment,
  isReady,
  Namespace,
  Pod,
  ReplicaSet,
  ServiceAccount,
} from '../../src/api/index.ts';
import { type Draft, isNotFound } from '../../src/machinery/index.ts';
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
