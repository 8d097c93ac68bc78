// A namespace with quotas: what it may have, what its users are told, and that what goes makes room again.
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  bareKind,
  ConfigMap,
  CustomResourceDefinition,
  Deployment,
  isActive,
  type Pod,
  ReplicaSet,
  ResourceQuota,
} from '../../src/api/index.ts';
import { type Draft, isStatus, type KindDef, type KubeObject } from '../../src/machinery/index.ts';
import { buildTemplate, ControlPlane } from '../../src/testkit/index.ts';

const labels = { app: 'web' };
let plane: ControlPlane;
beforeEach(async () => {
  plane = await ControlPlane.start();
});
afterEach(() => plane.stop());

async function quota(hard: Record<string, string>): Promise<void> {
  await plane.client(ResourceQuota).create({
    metadata: { name: 'q', namespace: 'default' },
    spec: { hard },
  } as Draft<ResourceQuota>);
  await plane.advance(500);
}
const used = async () => (await plane.client(ResourceQuota).get('q', 'default')).status?.used;
const configMap = (name: string) =>
  plane.client(ConfigMap).create({ metadata: { name, namespace: 'default' } });
const isRefused = (made: Promise<unknown>): Promise<boolean> =>
  made.then(
    () => false,
    (error: unknown) => {
      if (isStatus(error, 'Forbidden')) return true;
      throw error;
    },
  );

test('a deployment gets as many pods as the quota allows, says why, and goes on when there is room', async () => {
  await plane.addNode('n1');
  await quota({ pods: '3' });
  await plane.client(Deployment).create({
    metadata: { name: 'web', namespace: 'default' },
    spec: { replicas: 5, selector: { matchLabels: labels }, template: buildTemplate(labels) },
  } as Draft<Deployment>);
  await plane.advance(5000);
  expect([(await plane.pods(labels)).length, await used()]).toEqual([3, { pods: '3' }]);
  const [set] = await plane.list(ReplicaSet);
  const failure = set?.status?.conditions?.find((c) => c.type === 'ReplicaFailure');
  expect(failure).toMatchObject({
    reason: 'FailedCreate',
    message: expect.stringContaining(
      'is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3',
    ),
  });
  await plane
    .client(ResourceQuota)
    .patch({ name: 'q', namespace: 'default' }, 'merge', { spec: { hard: { pods: '5' } } });
  await plane.until('all there', async () => (await plane.pods(labels)).length === 5, 120_000);
  await plane
    .client(Deployment)
    .patch({ name: 'web', namespace: 'default' }, 'merge', { spec: { replicas: 1 } });
  await plane.advance(5000);
  expect(await used()).toEqual({ pods: '1' });
});

test('rolling to a new template within a quota that leaves room for one more', async () => {
  await plane.addNode('n1');
  await quota({ pods: '4' });
  await plane.client(Deployment).create({
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 3,
      selector: { matchLabels: labels },
      template: buildTemplate(labels),
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    },
  } as Draft<Deployment>);
  await plane.advance(3000);
  await plane.client(Deployment).patch({ name: 'web', namespace: 'default' }, 'strategic', {
    spec: { template: { spec: { containers: [{ name: 'c', image: 'i:2' }] } } },
  });
  const images = async () =>
    (await plane.pods(labels)).filter(isActive).map((pod: Pod) => pod.spec.containers[0]?.image);
  await plane.until(
    'rolled out',
    async () => {
      const now = await images();
      expect((await plane.pods(labels)).length).toBeLessThanOrEqual(4);
      return now.length === 3 && now.every((image) => image === 'i:2');
    },
    120_000,
  );
});

test('what is deleted makes room for others, what is left counts on, across a restart too', async () => {
  // The cluster's CA is one.
  await quota({ configmaps: '3' });
  await configMap('a');
  await configMap('b');
  expect(await isRefused(configMap('c'))).toBe(true);
  await plane.client(ConfigMap).delete('a', 'default');
  await plane.advance(1000);
  expect(await isRefused(configMap('c'))).toBe(false);
  await plane.restart(100);
  expect([await isRefused(configMap('d')), await used()]).toEqual([true, { configmaps: '3' }]);
  await plane.client(ConfigMap).delete('b', 'default');
  await plane.advance(1000);
  expect(await isRefused(configMap('d'))).toBe(false);
});

test('custom resources are counted by their name, as long as they are served', async () => {
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
  const kind = bareKind(await plane.client(CustomResourceDefinition).get('herds.example.com')) as KindDef;
  const herd = (name: string) =>
    plane.client(kind).create({ metadata: { name, namespace: 'default' } } as Draft<KubeObject>);
  await herd('a');
  await quota({ 'count/herds.example.com': '2' });
  await herd('b');
  expect(await isRefused(herd('c'))).toBe(true);
  await plane.client(kind).delete('a', 'default');
  await plane.advance(1000);
  expect(await used()).toEqual({ 'count/herds.example.com': '1' });
  expect(await isRefused(herd('c'))).toBe(false);
});
