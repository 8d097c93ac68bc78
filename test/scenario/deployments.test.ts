// What a user does with a Deployment, on a whole control plane: run, scale, roll out, roll back, lose a pod, lose the server.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  Deployment,
  EndpointSlice,
  isActive,
  isReady,
  Node,
  Pod,
  ReplicaSet,
  Service,
} from '../../src/api/index.ts';
import type { Draft } from '../../src/machinery/index.ts';
import { buildTemplate, ControlPlane } from '../../src/testkit/index.ts';

const labels = { app: 'web' };
let plane: ControlPlane;
beforeEach(async () => {
  plane = await ControlPlane.start();
  for (const name of ['n1', 'n2', 'n3']) await plane.addNode(name);
});
afterEach(() => plane.stop());

const deploy = (replicas: number, spec: Partial<Deployment['spec']> = {}) =>
  plane.client(Deployment).create({
    metadata: { name: 'web', namespace: 'default' },
    spec: { replicas, selector: { matchLabels: labels }, template: buildTemplate(labels, 'i:1'), ...spec },
  } as Draft<Deployment>);
const patch = (spec: object) =>
  plane.client(Deployment).patch({ name: 'web', namespace: 'default' }, 'strategic', { spec });
const setImage = (image: string) => patch({ template: { spec: { containers: [{ name: 'c', image }] } } });
const deployment = () => plane.client(Deployment).get('web', 'default');
const imageOf = (pod: Pod) => pod.spec.containers[0]!.image;

/** As `kubectl rollout status` judges it. */
async function isRolledOut(): Promise<boolean> {
  const { metadata, spec, status } = await deployment();
  return (
    status?.observedGeneration === metadata.generation &&
    (status?.updatedReplicas ?? 0) === spec.replicas &&
    (status?.replicas ?? 0) === spec.replicas &&
    (status?.availableReplicas ?? 0) === spec.replicas
  );
}
const rolledOut = (limitMs = 60_000) => plane.until('rolled out', isRolledOut, limitMs);
const perNode = async () => {
  const counts: Record<string, number> = {};
  for (const pod of await plane.pods(labels))
    counts[pod.spec.nodeName!] = (counts[pod.spec.nodeName!] ?? 0) + 1;
  return counts;
};

/** Watches availability while time passes: `surge` and `missing` are the most that was seen over and under `replicas`. */
async function watching(replicas: number, run: (each: () => Promise<void>) => Promise<unknown>) {
  let surge = 0;
  let missing = 0;
  await run(async () => {
    const active = (await plane.pods(labels)).filter(isActive);
    surge = Math.max(surge, active.length - replicas);
    missing = Math.max(missing, replicas - active.filter(isReady).length);
  });
  return { surge, missing };
}

test('runs, spread over the nodes', async () => {
  await deploy(6);
  expect(await rolledOut()).toBeLessThanOrEqual(1000);
  expect(await perNode()).toEqual({ n1: 2, n2: 2, n3: 2 });
  const [set] = await plane.list(ReplicaSet);
  expect(set?.status).toMatchObject({
    replicas: 6,
    fullyLabeledReplicas: 6,
    readyReplicas: 6,
    availableReplicas: 6,
  });
  const { status } = await deployment();
  expect(status?.conditions?.map((c) => [c.type, c.status, c.reason])).toEqual([
    ['Available', 'True', 'MinimumReplicasAvailable'],
    ['Progressing', 'True', 'NewReplicaSetAvailable'],
  ]);
  expect(await plane.events('ScalingReplicaSet')).toEqual([
    `Scaled up replica set ${set?.metadata.name} from 0 to 6`,
  ]);
});

test('scales up, down and to nothing', async () => {
  await deploy(2);
  await rolledOut();
  const first = new Set((await plane.pods()).map((pod) => pod.metadata.uid));
  await patch({ replicas: 7 });
  await rolledOut();
  expect((await plane.pods()).filter((pod) => first.has(pod.metadata.uid))).toHaveLength(2);
  await patch({ replicas: 3 });
  await rolledOut();
  await plane.until('the others have ended', async () => (await plane.pods()).length === 3);
  expect((await plane.pods()).every(isReady)).toBe(true);
  await patch({ replicas: 0 });
  await plane.until('all have ended', async () => (await plane.pods()).length === 0);
  expect(await isRolledOut()).toBe(true);
});

describe('a new image', () => {
  test.each([
    ['by default', undefined, 2, 1],
    ['never fewer', { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }, 1, 0],
    ['never more', { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 2 } }, 0, 2],
    ['all at once', { type: 'Recreate' }, 0, 6],
  ])('%s', async (_, strategy, maxSurge, maxMissing) => {
    await deploy(6, strategy === undefined ? {} : { strategy });
    await rolledOut();
    await setImage('i:2');
    const seen = await watching(6, (each) => plane.advance(15_000, each));
    expect(await isRolledOut()).toBe(true);
    expect(seen.surge).toBeLessThanOrEqual(maxSurge);
    expect(seen.missing).toBeLessThanOrEqual(maxMissing);
    expect(new Set((await plane.pods()).map(imageOf))).toEqual(new Set(['i:2']));
    expect((await deployment()).metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('2');
  });

  test('that never gets ready keeps the old pods serving, times out, and is taken back', async () => {
    const broken = await plane.addNode('n4', {
      readyAfterMs: (pod) => (imageOf(pod) === 'i:bad' ? undefined : 500),
    });
    for (const name of ['n1', 'n2', 'n3'])
      await plane.client(Node).patch({ name }, 'merge', { spec: { unschedulable: true } });
    await deploy(4, { progressDeadlineSeconds: 20 });
    await rolledOut();
    expect(Object.keys(await perNode())).toEqual([broken.name]);
    await setImage('i:bad');
    const seen = await watching(4, (each) => plane.advance(30_000, each));
    expect(seen.missing).toBeLessThanOrEqual(1);
    const condition = (await deployment()).status?.conditions?.find((c) => c.type === 'Progressing');
    expect(condition).toMatchObject({ status: 'False', reason: 'ProgressDeadlineExceeded' });
    await setImage('i:1');
    await rolledOut();
    const annotations = (await deployment()).metadata.annotations;
    expect(annotations?.['deployment.kubernetes.io/revision']).toBe('3');
    expect(await plane.list(ReplicaSet)).toHaveLength(2);
  });

  test('while paused waits', async () => {
    await deploy(2);
    await rolledOut();
    await patch({ paused: true });
    await setImage('i:2');
    await plane.advance(3000);
    expect(new Set((await plane.pods()).map(imageOf))).toEqual(new Set(['i:1']));
    await patch({ paused: false });
    await rolledOut();
    expect(new Set((await plane.pods()).filter(isActive).map(imageOf))).toEqual(new Set(['i:2']));
  });
});

test('a deleted pod is replaced at once', async () => {
  await deploy(3);
  await rolledOut();
  const [victim] = await plane.pods();
  await plane.client(Pod).delete(victim!.metadata.name, 'default');
  await plane.rest();
  expect((await plane.pods()).filter(isActive)).toHaveLength(3);
  await plane.until('three ready', async () => (await plane.pods()).filter(isReady).length === 3, 2000);
  await plane.advance(1000);
  expect((await plane.pods()).some((pod) => pod.metadata.uid === victim!.metadata.uid)).toBe(false);
});

test('a service knows the pods that are ready, and no others', async () => {
  await plane.client(Service).create({
    metadata: { name: 'web', namespace: 'default' },
    spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
  } as Draft<Service>);
  await deploy(3);
  const addresses = async () =>
    (await plane.list(EndpointSlice))
      .filter((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === 'web')
      .flatMap((slice) => slice.endpoints ?? [])
      .filter((endpoint) => endpoint.conditions?.ready)
      .map((endpoint) => endpoint.targetRef?.name)
      .sort();
  await plane.rest();
  expect(await addresses()).toEqual([]);
  await rolledOut();
  expect(await addresses()).toEqual((await plane.pods()).map((pod) => pod.metadata.name).sort());
  await patch({ replicas: 1 });
  await plane.rest();
  expect(await addresses()).toHaveLength(1);
});

test.each([0, 300, 700, 1200, 1800])(
  'the server restarts %d ms into a rollout: nothing is lost, nothing is made twice',
  async (ms) => {
    await deploy(6);
    await rolledOut();
    await setImage('i:2');
    const seen = await watching(6, async (each) => {
      await plane.advance(ms, each);
      await plane.restart(500);
      await plane.advance(12_000, each);
    });
    expect(await isRolledOut()).toBe(true);
    expect(seen.surge).toBeLessThanOrEqual(2);
    expect(seen.missing).toBeLessThanOrEqual(1);
    expect(await plane.list(ReplicaSet)).toHaveLength(2);
    expect((await plane.pods()).map(imageOf)).toEqual(Array(6).fill('i:2'));
  },
);

test('a pod that fits nowhere says why, and runs when a node comes', async () => {
  const template = buildTemplate(labels);
  template.spec!.containers[0]!.resources = { requests: { cpu: '6' } };
  await deploy(1, { template });
  await plane.advance(2000);
  const message =
    '0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.';
  expect(await plane.events('FailedScheduling')).toContain(message);
  const [pod] = await plane.pods();
  expect(pod?.status?.conditions?.find((c) => c.type === 'PodScheduled')).toMatchObject({
    status: 'False',
    reason: 'Unschedulable',
    message,
  });
  await plane.addNode('big', { allocatable: { cpu: '8' } });
  await rolledOut(12_000);
  expect(await perNode()).toEqual({ big: 1 });
});
