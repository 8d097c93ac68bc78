// Pods are taken away on purpose, by evictions as a drain makes them: a budget keeps enough of them, whatever owns them.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  bareKind,
  CustomResourceDefinition,
  Deployment,
  isActive,
  isReady,
  Node,
  Pod,
  PodDisruptionBudget,
} from '../../src/api/index.ts';
import { type Draft, isStatus, type KindDef, type KubeObject } from '../../src/machinery/index.ts';
import { buildTemplate, ControlPlane } from '../../src/testkit/index.ts';

const labels = { app: 'web' };
let plane: ControlPlane;
beforeEach(async () => {
  plane = await ControlPlane.start();
  for (const name of ['n1', 'n2', 'n3']) await plane.addNode(name);
});
afterEach(() => plane.stop());

const ready = async () => (await plane.pods(labels)).filter((pod) => isActive(pod) && isReady(pod));
const deploy = async (replicas: number) => {
  await plane.client(Deployment).create({
    metadata: { name: 'web', namespace: 'default' },
    spec: { replicas, selector: { matchLabels: labels }, template: buildTemplate(labels) },
  } as Draft<Deployment>);
  await plane.until('ready', async () => (await ready()).length === replicas);
};
const budget = (spec: object) =>
  plane.client(PodDisruptionBudget).create({
    metadata: { name: 'web', namespace: 'default' },
    spec: { selector: { matchLabels: labels }, ...spec },
  } as Draft<PodDisruptionBudget>);
const status = async () => (await plane.client(PodDisruptionBudget).get('web', 'default')).status;

/** true = granted, false = refused for the budget's sake. */
const evict = (pod: Pod): Promise<boolean> =>
  plane
    .client(Pod)
    .createSub(
      { name: pod.metadata.name, namespace: 'default', subresource: 'eviction' },
      { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod.metadata.name } },
    )
    .then(
      () => true,
      (error: unknown) => {
        if (isStatus(error, 'TooManyRequests')) return false;
        throw error;
      },
    );

describe.each<[string, object, number]>([
  ['minAvailable', { minAvailable: 5 }, 5],
  ['maxUnavailable as a percentage', { maxUnavailable: '20%' }, 4],
])('%s', (_, spec, least) => {
  test('a node is drained without going below the budget', async () => {
    await deploy(6);
    await budget(spec);
    await plane.rest();
    await plane.client(Node).patch({ name: 'n1' }, 'merge', { spec: { unschedulable: true } });
    const onNode = async () => (await plane.pods(labels)).filter((pod) => pod.spec.nodeName === 'n1');
    expect((await onNode()).length).toBeGreaterThan(0);
    await plane.until('drained', async () => {
      for (const pod of await onNode()) if (isActive(pod)) await evict(pod);
      expect((await ready()).length).toBeGreaterThanOrEqual(least);
      return (await onNode()).length === 0;
    });
    await plane.until('all back', async () => (await ready()).length === 6);
    await plane.rest();
    expect(await status()).toMatchObject({ currentHealthy: 6, expectedPods: 6 });
    expect((await status())?.disruptedPods).toBeUndefined();
  });
});

test('an allowance is spent at once, and comes back with the new pod', async () => {
  await deploy(3);
  await budget({ maxUnavailable: 1 });
  await plane.rest();
  expect(await status()).toMatchObject({ disruptionsAllowed: 1, desiredHealthy: 2, currentHealthy: 3 });
  const [a, b] = await ready();
  expect([await evict(a!), await evict(b!)]).toEqual([true, false]);
  await plane.until('back', async () => (await ready()).length === 3);
  await plane.rest();
  expect([(await status())?.disruptionsAllowed, await evict(b!)]).toEqual([1, true]);
});

test('the owner may be a custom resource with a scale', async () => {
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
          subresources: { scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.size' } },
        },
      ],
    },
  } as unknown as Draft<CustomResourceDefinition>);
  await plane.rest();
  const definition = await plane.client(CustomResourceDefinition).get('herds.example.com');
  const kind = bareKind(definition) as KindDef;
  const herd = await plane.client(kind).create({
    metadata: { name: 'h', namespace: 'default' },
    spec: { size: 4 },
  } as unknown as Draft<KubeObject>);
  const { name, uid } = herd.metadata;
  const ownerReferences = [{ apiVersion: 'example.com/v1', kind: 'Herd', name, uid, controller: true }];
  for (const pod of ['a', 'b', 'c'])
    await plane.client(Pod).create({
      metadata: { name: pod, namespace: 'default', labels, ownerReferences },
      spec: buildTemplate(labels).spec,
    } as Draft<Pod>);
  await budget({ maxUnavailable: 2 });
  await plane.until('ready', async () => (await ready()).length === 3);
  expect(await status()).toMatchObject({ expectedPods: 4, desiredHealthy: 2, disruptionsAllowed: 1 });
});
