import { afterEach, describe, expect, test } from 'vitest';
import { ConfigMap, Deployment, Pod, PodDisruptionBudget, ReplicaSet } from '../../api/index.ts';
import { seededRandom } from '../../base/index.ts';
import { controllerRef, type Draft, type KubeObject } from '../../machinery/index.ts';
import { buildTemplate, ControllerHarness, disorderly } from '../../testkit/index.ts';
import { disruptionController } from './controller.ts';
import { staleTargetController } from './stale-target.ts';

const labels = { app: 'web' };
let harness: ControllerHarness;
afterEach(() => harness.stop());

const budget = (spec: object) =>
  harness.create(PodDisruptionBudget, {
    metadata: { name: 'b' },
    spec: { selector: { matchLabels: labels }, ...spec },
  } as Draft<PodDisruptionBudget>);
const set = async (replicas: number, owner?: KubeObject) =>
  harness.create(ReplicaSet, {
    metadata: { name: 'web', ...(owner && { ownerReferences: [controllerRef(owner)] }) },
    spec: { replicas, selector: { matchLabels: labels }, template: buildTemplate(labels) },
  } as Draft<ReplicaSet>);
async function readyPod(name: string, owner?: KubeObject): Promise<void> {
  await harness.create(Pod, {
    metadata: { name, labels, ...(owner && { ownerReferences: [controllerRef(owner)] }) },
    spec: buildTemplate(labels).spec!,
  } as Draft<Pod>);
  await harness.client(Pod).patch({ name, namespace: 'default', subresource: 'status' }, 'strategic', {
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  });
}
const status = async () => (await harness.list(PodDisruptionBudget))[0]?.status;
const reasons = () => harness.events.map((e) => e.reason);

describe.each([1, 2, 3, 4])('in disorder %d', (seed) => {
  test('the status follows the pods, the owner and the budget, and rests', async () => {
    const delivery = disorderly(seededRandom(seed), { maxMs: 700, twice: true });
    harness = new ControllerHarness({ seed, delivery });
    await budget({ maxUnavailable: '50%' });
    await harness.start(disruptionController);
    const owner = await set(4);
    for (const name of ['a', 'b', 'c', 'd']) await readyPod(name, owner);
    await harness.advance(5000);
    expect(await status()).toMatchObject({ currentHealthy: 4, desiredHealthy: 2, disruptionsAllowed: 2 });
    await harness.client(Pod).delete('a', 'default', { gracePeriodSeconds: 0 });
    await harness.advance(5000);
    expect(await status()).toMatchObject({ currentHealthy: 3, expectedPods: 4, disruptionsAllowed: 1 });
    await harness
      .client(ReplicaSet)
      .patch({ name: 'web', namespace: 'default' }, 'merge', { spec: { replicas: 2 } });
    await harness.advance(5000);
    expect(await status()).toMatchObject({ desiredHealthy: 1, expectedPods: 2, disruptionsAllowed: 2 });
    await harness.client(PodDisruptionBudget).patch({ name: 'b', namespace: 'default' }, 'merge', {
      spec: { maxUnavailable: 0 },
    });
    await harness.advance(5000);
    expect(await status()).toMatchObject({ disruptionsAllowed: 1, observedGeneration: 2 });
    const before = harness.transport.calls.length;
    await harness.advance(200_000);
    expect(harness.transport.calls.length).toBe(before);
  });
});

test('the pods of a deployment are as many as it wants, not as its sets', async () => {
  harness = new ControllerHarness();
  const deployment = await harness.create(Deployment, {
    metadata: { name: 'web' },
    spec: { replicas: 10, selector: { matchLabels: labels }, template: buildTemplate(labels) },
  } as Draft<Deployment>);
  await readyPod('a', await set(4, deployment));
  await budget({ minAvailable: '10%' });
  await harness.start(disruptionController);
  expect(await status()).toMatchObject({ expectedPods: 10, desiredHealthy: 1, disruptionsAllowed: 0 });
});

test('no pods; pods of nobody; pods of something that has no scale', async () => {
  harness = new ControllerHarness();
  await budget({ maxUnavailable: 1 });
  await harness.start(disruptionController);
  expect(reasons()).toEqual(['NoPods']);
  await readyPod('stray');
  await harness.rest();
  expect(reasons()).toContain('UnmanagedPods');
  const map = await harness.create(ConfigMap, { metadata: { name: 'm' } });
  await readyPod('a', map);
  await harness.advance(1000);
  const why = 'configmaps. does not implement the scale subresource';
  expect(harness.events.filter((e) => e.reason === 'CalculateExpectedPodCountFailed')).toMatchObject([
    { type: 'Warning', message: `Failed to calculate the number of expected pods: ${why}` },
  ]);
  expect(await status()).toMatchObject({
    disruptionsAllowed: 0,
    conditions: [{ type: 'DisruptionAllowed', status: 'False', reason: 'SyncFailed', message: why }],
  });
  await harness.client(Pod).delete('a', 'default', { gracePeriodSeconds: 0 });
  await harness.advance(1000);
  expect((await status())?.conditions).toMatchObject([{ reason: 'InsufficientPods', message: '' }]);
});

test('the condition of a pod that is not disrupted after all is taken back', async () => {
  harness = new ControllerHarness();
  await readyPod('a');
  await harness.start(staleTargetController);
  await harness.client(Pod).patch({ name: 'a', namespace: 'default', subresource: 'status' }, 'strategic', {
    status: {
      conditions: [
        {
          type: 'DisruptionTarget',
          status: 'True',
          reason: 'EvictionByEvictionAPI',
          message: 'm',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    },
  });
  const target = async () =>
    (await harness.client(Pod).get('a', 'default')).status?.conditions?.find(
      (c) => c.type === 'DisruptionTarget',
    );
  await harness.advance(110_000);
  expect((await target())?.status).toBe('True');
  await harness.advance(11_000);
  expect(await target()).toMatchObject({
    status: 'False',
    lastTransitionTime: '2026-01-01T00:02:00Z',
    observedGeneration: 1,
  });
  expect((await target())?.reason).toBeUndefined();
});
