// What Deployments, ReplicaSets and ReplicationControllers do in the cases that are easily forgotten: scaling in the middle of a
// rollout, history and rolling back, pausing, deadlines, failures, adoption, and who goes first.
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  Deployment,
  isActive,
  isReady,
  Pod,
  ReplicaSet,
  ReplicationController,
  ServiceAccount,
} from '../../src/api/index.ts';
import type { Draft } from '../../src/machinery/index.ts';
import { buildTemplate, ControlPlane } from '../../src/testkit/index.ts';

const labels = { app: 'web' };
const at = { name: 'web', namespace: 'default' };
let plane: ControlPlane;
beforeEach(async () => {
  plane = await ControlPlane.start();
  for (const name of ['n1', 'n2'])
    await plane.addNode(name, {
      allocatable: { cpu: '64', memory: '64Gi', pods: '110' },
      readyAfterMs: (pod) => (imageOf(pod) === 'i:bad' ? undefined : 500),
    });
});
afterEach(() => plane.stop());

const imageOf = (pod: Pod) => pod.spec.containers[0]!.image;
const deploy = (replicas: number, spec: Partial<Deployment['spec']> = {}) =>
  plane.client(Deployment).create({
    metadata: at,
    spec: { replicas, selector: { matchLabels: labels }, template: buildTemplate(labels, 'i:1'), ...spec },
  } as Draft<Deployment>);
const patch = (spec: object) => plane.client(Deployment).patch(at, 'strategic', { spec });
const setImage = (image: string) => patch({ template: { spec: { containers: [{ name: 'c', image }] } } });
const deployment = () => plane.client(Deployment).get('web', 'default');
const condition = async (type: string) => {
  const found = (await deployment()).status?.conditions?.find((c) => c.type === type);
  return found && [found.status, found.reason, found.message];
};
const revisionOf = ({ metadata }: { metadata: { annotations?: Record<string, string> | undefined } }) =>
  metadata.annotations?.['deployment.kubernetes.io/revision'];
const sets = async () =>
  [...(await plane.list(ReplicaSet))].sort((a, b) => Number(revisionOf(a)) - Number(revisionOf(b)));
async function isRolledOut(): Promise<boolean> {
  const { metadata, spec, status } = await deployment();
  return (
    status?.observedGeneration === metadata.generation &&
    [status?.updatedReplicas, status?.replicas, status?.availableReplicas].every(
      (n) => (n ?? 0) === spec.replicas,
    )
  );
}
const rolledOut = () => plane.until('rolled out', isRolledOut);

test('a scale in the middle of a rollout is shared out in proportion', async () => {
  await deploy(10, {
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } },
  });
  await rolledOut();
  await setImage('i:bad');
  await plane.advance(3000);
  expect((await sets()).map((set) => set.spec.replicas)).toEqual([8, 5]);
  await patch({ replicas: 15 });
  await plane.advance(1000);
  expect((await sets()).map((set) => set.spec.replicas)).toEqual([11, 7]);
});

test('pausing and going on are told, and nothing rolls meanwhile; the scale does', async () => {
  await deploy(2);
  await rolledOut();
  await patch({ paused: true });
  await plane.rest();
  expect(await condition('Progressing')).toEqual(['Unknown', 'DeploymentPaused', 'Deployment is paused']);
  await setImage('i:2');
  await patch({ replicas: 4 });
  await plane.advance(2000);
  expect((await plane.pods()).map(imageOf)).toEqual(Array(4).fill('i:1'));
  await patch({ paused: false });
  await rolledOut();
  expect((await plane.pods()).filter(isActive).map(imageOf)).toEqual(Array(4).fill('i:2'));
  const [, set] = await sets();
  expect(await condition('Progressing')).toEqual([
    'True',
    'NewReplicaSetAvailable',
    `ReplicaSet "${set?.metadata.name}" has successfully progressed.`,
  ]);
});

test('a deadline that passes is told, and told no more when progress is made', async () => {
  await deploy(2, { progressDeadlineSeconds: 5 });
  await rolledOut();
  await setImage('i:bad');
  await plane.advance(10_000);
  const [, bad] = await sets();
  expect(await condition('Progressing')).toEqual([
    'False',
    'ProgressDeadlineExceeded',
    `ReplicaSet "${bad?.metadata.name}" has timed out progressing.`,
  ]);
  expect(await condition('Available')).toEqual([
    'True',
    'MinimumReplicasAvailable',
    'Deployment has minimum availability.',
  ]);
  await setImage('i:3');
  await rolledOut();
  expect((await condition('Progressing'))?.[1]).toBe('NewReplicaSetAvailable');
});

test('pods that may not be made are told of, on the set and above it', async () => {
  const template = buildTemplate(labels, 'i:1');
  template.spec!.serviceAccountName = 'ghost';
  await deploy(3, { template });
  await plane.advance(2000);
  const [status, reason, message] = (await condition('ReplicaFailure')) ?? [];
  expect([status, reason]).toEqual(['True', 'FailedCreate']);
  expect(message).toMatch(
    /^pods "web-\w+-\w+" is forbidden: error looking up service account default\/ghost/,
  );
  expect(await plane.events('FailedCreate')).toContain(`Error creating: ${message}`);
  expect((await condition('Available'))?.[1]).toBe('MinimumReplicasUnavailable');
  await plane
    .client(ServiceAccount)
    .create({ metadata: { name: 'ghost', namespace: 'default' } } as Draft<ServiceAccount>);
  await plane.until('rolled out', isRolledOut, 120_000);
  expect(await condition('ReplicaFailure')).toBeUndefined();
});

test('revisions are numbered, remembered, brought back, and cleared away beyond the limit', async () => {
  await deploy(1, { revisionHistoryLimit: 2 });
  await rolledOut();
  for (const image of ['i:2', 'i:3', 'i:4']) {
    await setImage(image);
    await rolledOut();
    await plane.advance(1000);
  }
  expect((await sets()).map(revisionOf)).toEqual(['2', '3', '4']);
  // As `kubectl rollout undo` does it: the template of the set, without its hash.
  const [second] = await sets();
  const template = structuredClone(second!.spec.template!);
  delete template.metadata!.labels!['pod-template-hash'];
  await plane
    .client(Deployment)
    .patch(at, 'json', [{ op: 'replace', path: '/spec/template', value: template }]);
  await rolledOut();
  expect((await plane.pods()).filter(isActive).map(imageOf)).toEqual(['i:2']);
  expect((await sets()).map(revisionOf)).toEqual(['3', '4', '5']);
  const newest = (await sets()).at(-1)!;
  expect(newest.metadata.name).toBe(second?.metadata.name);
  expect(newest.metadata.annotations?.['deployment.kubernetes.io/revision-history']).toBe('2');
  expect(revisionOf(await deployment())).toBe('5');
});

test('minReadySeconds hold a rollout back', async () => {
  await deploy(2, {
    minReadySeconds: 4,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
  });
  await rolledOut();
  await setImage('i:2');
  await plane.advance(3000);
  expect((await plane.pods()).filter(isActive).map(imageOf).sort()).toEqual(['i:1', 'i:1', 'i:2']);
  expect(await rolledOut()).toBeGreaterThan(4000);
});

test('pods on their way out are counted while they end', async () => {
  await deploy(3);
  await rolledOut();
  await patch({ replicas: 1 });
  await plane.rest();
  const { status } = await deployment();
  expect([status?.replicas, status?.terminatingReplicas]).toEqual([1, 2]);
  await plane.advance(1000);
  expect((await deployment()).status?.terminatingReplicas).toBe(0);
});

test('what costs least goes first', async () => {
  await deploy(4);
  await rolledOut();
  const pods = await plane.pods();
  const costs = ['5', '-3', '100', '0'];
  for (const [i, pod] of pods.entries())
    await plane.client(Pod).patch({ name: pod.metadata.name, namespace: 'default' }, 'merge', {
      metadata: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': costs[i] } },
    });
  await patch({ replicas: 2 });
  await plane.advance(1000);
  const left = (await plane.pods()).map(
    (pod) => pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'],
  );
  expect(left.sort()).toEqual(['100', '5']);
});

test('a replication controller keeps its pods, adopts what fits and lets go what does not', async () => {
  await plane.client(Pod).create({
    metadata: { name: 'stray', namespace: 'default', labels },
    spec: buildTemplate(labels).spec!,
  } as Draft<Pod>);
  await plane.client(ReplicationController).create({
    metadata: at,
    spec: { replicas: 3, selector: labels, template: buildTemplate(labels) },
  } as Draft<ReplicationController>);
  const theOne = () => plane.client(ReplicationController).get('web', 'default');
  await plane.until('ready', async () => (await theOne()).status?.readyReplicas === 3);
  expect((await plane.client(Pod).get('stray', 'default')).metadata.ownerReferences?.[0]).toMatchObject({
    apiVersion: 'v1',
    kind: 'ReplicationController',
    name: 'web',
  });
  expect(await plane.events('SuccessfulCreate')).toHaveLength(2);
  await plane
    .client(Pod)
    .patch({ name: 'stray', namespace: 'default' }, 'merge', { metadata: { labels: { app: 'mine' } } });
  await plane.advance(2000);
  expect((await plane.client(Pod).get('stray', 'default')).metadata.ownerReferences).toBeUndefined();
  expect((await plane.pods(labels)).filter(isReady)).toHaveLength(3);
  await plane.client(ReplicationController).delete('web', 'default', { propagationPolicy: 'Background' });
  await plane.until('gone', async () => (await plane.pods(labels)).length === 0);
});
