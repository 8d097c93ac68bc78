// What a user does with a StatefulSet, on a whole control plane: run it in order or at once, scale, roll out, roll back, keep or lose its
// volumes.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  ControllerRevision,
  isActive,
  isReady,
  PersistentVolumeClaim,
  Pod,
  StatefulSet,
} from '../../src/api/index.ts';
import type { Draft } from '../../src/machinery/index.ts';
import { buildTemplate, ControlPlane } from '../../src/testkit/index.ts';

const labels = { app: 'web' };
let plane: ControlPlane;
let brokenImage = 'i:bad';
beforeEach(async () => {
  plane = await ControlPlane.start();
  brokenImage = 'i:bad';
  for (const name of ['n1', 'n2', 'n3'])
    await plane.addNode(name, { readyAfterMs: (pod) => (imageOf(pod) === brokenImage ? undefined : 500) });
});
afterEach(() => plane.stop());

const run = (replicas: number, spec: Partial<StatefulSet['spec']> = {}) =>
  plane.client(StatefulSet).create({
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas,
      serviceName: 'web',
      selector: { matchLabels: labels },
      template: buildTemplate(labels, 'i:1'),
      ...spec,
    },
  } as Draft<StatefulSet>);
const patch = (spec: object) =>
  plane.client(StatefulSet).patch({ name: 'web', namespace: 'default' }, 'strategic', { spec });
const setImage = (image: string) => patch({ template: { spec: { containers: [{ name: 'c', image }] } } });
const theSet = () => plane.client(StatefulSet).get('web', 'default');
const imageOf = (pod: Pod) => pod.spec.containers[0]!.image;
const names = (objects: readonly { metadata: { name: string } }[]) =>
  objects.map((o) => o.metadata.name).sort();
const images = async () =>
  Object.fromEntries(
    (await plane.pods(labels)).filter(isActive).map((pod) => [pod.metadata.name, imageOf(pod)]),
  );
const claimTemplate = (name: string) =>
  ({
    metadata: { name, labels: { tier: 'db' } },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  }) as unknown as PersistentVolumeClaim;
const claims = async () => names(await plane.list(PersistentVolumeClaim));

/** As `kubectl rollout status` judges it. */
async function isRolledOut(): Promise<boolean> {
  const { metadata, spec, status } = await theSet();
  const { replicas = 0 } = spec;
  return (
    status?.observedGeneration === metadata.generation &&
    (status?.readyReplicas ?? 0) === replicas &&
    (status?.updatedReplicas ?? 0) >= replicas - (spec.updateStrategy?.rollingUpdate?.partition ?? 0)
  );
}
const rolledOut = (limitMs = 60_000) => plane.until('rolled out', isRolledOut, limitMs);

test('makes its pods one after the other, each with its identity', async () => {
  await run(3);
  let most = 0;
  await plane.advance(3000, async () => {
    const unready = (await plane.pods()).filter((pod) => !isReady(pod));
    most = Math.max(most, unready.length);
  });
  expect(most).toBe(1);
  const pods = await plane.pods();
  expect(names(pods)).toEqual(['web-0', 'web-1', 'web-2']);
  const [revision] = await plane.list(ControllerRevision);
  const second = pods.find((pod) => pod.metadata.name === 'web-1')!;
  expect(second.metadata.labels).toEqual({
    app: 'web',
    'apps.kubernetes.io/pod-index': '1',
    'controller-revision-hash': revision?.metadata.name,
    'statefulset.kubernetes.io/pod-name': 'web-1',
  });
  expect([second.spec.hostname, second.spec.subdomain]).toEqual(['web-1', 'web']);
  expect((await theSet()).status).toMatchObject({
    observedGeneration: 1,
    replicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    currentReplicas: 3,
    updatedReplicas: 3,
    currentRevision: revision?.metadata.name,
    updateRevision: revision?.metadata.name,
    collisionCount: 0,
  });
  expect(await plane.events('SuccessfulCreate')).toEqual(
    [0, 1, 2].map((i) => `create Pod web-${i} in StatefulSet web successful`),
  );
});

test('scales down from the top, one after the other, and starts where it is told to', async () => {
  await run(4, { ordinals: { start: 5 } });
  await plane.until('ready', isRolledOut);
  expect(names(await plane.pods())).toEqual(['web-5', 'web-6', 'web-7', 'web-8']);
  await patch({ replicas: 1 });
  const gone: string[] = [];
  await plane.advance(3000, async () => {
    const going = (await plane.pods()).filter((pod) => !isActive(pod));
    expect(going.length).toBeLessThanOrEqual(1);
    for (const { metadata } of going) if (!gone.includes(metadata.name)) gone.push(metadata.name);
  });
  expect(gone).toEqual(['web-8', 'web-7', 'web-6']);
  expect(await plane.events('SuccessfulDelete')).toContain('delete Pod web-8 in StatefulSet web successful');
  await patch({ ordinals: { start: 4 } });
  await plane.advance(3000);
  expect(names(await plane.pods())).toEqual(['web-4']);
});

test('Parallel makes and deletes all at once', async () => {
  await run(5, { podManagementPolicy: 'Parallel' });
  expect(await rolledOut()).toBeLessThanOrEqual(1000);
  await patch({ replicas: 1 });
  await plane.rest();
  expect((await plane.pods()).filter(isActive)).toHaveLength(1);
});

describe('a new image', () => {
  test('goes from the highest ordinal down, one at a time; undoing it brings the old revision back', async () => {
    await run(3);
    await rolledOut();
    await setImage('i:2');
    const order: string[] = [];
    await plane.advance(8000, async () => {
      const pods = await plane.pods();
      for (const pod of pods)
        if (imageOf(pod) === 'i:2' && !order.includes(pod.metadata.name)) order.push(pod.metadata.name);
      expect(pods.filter((pod) => isActive(pod) && isReady(pod)).length).toBeGreaterThanOrEqual(2);
    });
    expect(order).toEqual(['web-2', 'web-1', 'web-0']);
    expect(await isRolledOut()).toBe(true);
    const [first, second] = [...(await plane.list(ControllerRevision))].sort(
      (a, b) => a.revision - b.revision,
    );
    expect((await theSet()).status?.currentRevision).toBe(second?.metadata.name);
    // What `kubectl rollout undo` sends.
    await plane
      .client(StatefulSet)
      .patch({ name: 'web', namespace: 'default' }, 'strategic', first?.data as object);
    await plane.advance(8000);
    expect(await images()).toEqual({ 'web-0': 'i:1', 'web-1': 'i:1', 'web-2': 'i:1' });
    const revisions = await plane.list(ControllerRevision);
    expect(revisions.map((r) => [r.metadata.name, r.revision]).sort()).toEqual(
      [
        [first?.metadata.name, 3],
        [second?.metadata.name, 2],
      ].sort(),
    );
  });

  test('reaches only the pods from the partition on; those below are made as they were', async () => {
    await run(3, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } });
    await rolledOut();
    await setImage('i:2');
    await plane.advance(4000);
    expect(await images()).toEqual({ 'web-0': 'i:1', 'web-1': 'i:1', 'web-2': 'i:2' });
    const { status } = await theSet();
    expect([status?.currentReplicas, status?.updatedReplicas]).toEqual([2, 1]);
    await plane.client(Pod).delete('web-1', 'default');
    await plane.advance(4000);
    expect(await images()).toEqual({ 'web-0': 'i:1', 'web-1': 'i:1', 'web-2': 'i:2' });
  });

  test.each([
    ['Parallel', 2],
    ['Parallel', '70%'],
    ['OrderedReady', 2],
  ])('%s with maxUnavailable %s', async (podManagementPolicy, maxUnavailable) => {
    await run(4, {
      podManagementPolicy,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable } },
    });
    await rolledOut();
    await setImage('i:2');
    let least = 4;
    await plane.advance(8000, async () => {
      least = Math.min(least, (await plane.pods()).filter((pod) => isActive(pod) && isReady(pod)).length);
    });
    expect(least).toBe(2);
    expect(new Set(Object.values(await images()))).toEqual(new Set(['i:2']));
    expect(await isRolledOut()).toBe(true);
  });

  test('waits with OnDelete until somebody deletes', async () => {
    await run(2, { updateStrategy: { type: 'OnDelete' } });
    await plane.until('ready', async () => (await theSet()).status?.readyReplicas === 2);
    await setImage('i:2');
    await plane.advance(3000);
    expect(await images()).toEqual({ 'web-0': 'i:1', 'web-1': 'i:1' });
    await plane.client(Pod).delete('web-0', 'default');
    await plane.advance(3000);
    expect(await images()).toEqual({ 'web-0': 'i:2', 'web-1': 'i:1' });
  });

  test('that never gets ready stops after one pod; in order it takes a deletion to mend, in parallel none', async () => {
    for (const podManagementPolicy of ['OrderedReady', 'Parallel']) {
      await run(3, { podManagementPolicy });
      await rolledOut();
      await setImage('i:bad');
      await plane.advance(4000);
      expect(await images()).toEqual({ 'web-0': 'i:1', 'web-1': 'i:1', 'web-2': 'i:bad' });
      await setImage('i:3');
      await plane.advance(4000);
      if (podManagementPolicy === 'OrderedReady') {
        expect(await images()).toEqual({ 'web-0': 'i:1', 'web-1': 'i:1', 'web-2': 'i:bad' });
        await plane.client(Pod).delete('web-2', 'default');
      }
      await rolledOut();
      expect(new Set(Object.values(await images()))).toEqual(new Set(['i:3']));
      await plane.client(StatefulSet).delete('web', 'default');
      await plane.until('gone', async () => (await plane.pods()).length === 0);
    }
  });
});

test('minReadySeconds: the next pod waits until the one before has been ready for long enough', async () => {
  await run(2, { minReadySeconds: 5 });
  await plane.advance(3000);
  expect(names(await plane.pods())).toEqual(['web-0']);
  expect((await theSet()).status).toMatchObject({ readyReplicas: 1, availableReplicas: 0 });
  await plane.advance(3500);
  expect(names(await plane.pods())).toEqual(['web-0', 'web-1']);
  await plane.advance(7000);
  expect((await theSet()).status).toMatchObject({ readyReplicas: 2, availableReplicas: 2 });
});

test('a failed pod is replaced under its name', async () => {
  await run(2);
  await rolledOut();
  const before = await plane.client(Pod).get('web-0', 'default');
  await plane.client(Pod).patch({ name: 'web-0', namespace: 'default', subresource: 'status' }, 'merge', {
    status: { phase: 'Failed', reason: 'Evicted' },
  });
  await plane.advance(3000);
  const after = await plane.client(Pod).get('web-0', 'default');
  expect(after.metadata.uid).not.toBe(before.metadata.uid);
  expect(isReady(after)).toBe(true);
});

test('history is kept up to the limit', async () => {
  await run(1, { revisionHistoryLimit: 2 });
  await rolledOut();
  for (const image of ['i:2', 'i:3', 'i:4', 'i:5']) {
    await setImage(image);
    await plane.advance(3000);
  }
  expect((await plane.list(ControllerRevision)).map((r) => r.revision).sort()).toEqual([3, 4, 5]);
});

describe('claims', () => {
  test('are made from templates, kept, and found again', async () => {
    await run(2, { volumeClaimTemplates: [claimTemplate('data'), claimTemplate('log')] });
    await plane.advance(500);
    const [pod] = await plane.pods();
    expect(pod?.spec.volumes?.slice(0, 2)).toEqual([
      { name: 'data', persistentVolumeClaim: { claimName: 'data-web-0' } },
      { name: 'log', persistentVolumeClaim: { claimName: 'log-web-0' } },
    ]);
    const [first] = await plane.list(PersistentVolumeClaim);
    expect(first?.metadata.labels).toEqual({ tier: 'db', app: 'web' });
    expect(first?.metadata.ownerReferences).toBeUndefined();
    expect(await plane.events('SuccessfulCreate')).toContain(
      'create Claim data-web-0 Pod web-0 in StatefulSet web success',
    );
  });

  test('go with what the retention policy says', async () => {
    // What binds volumes is not what is tried here.
    for (const i of [0, 1])
      await plane.client(PersistentVolumeClaim).create({
        ...claimTemplate('x'),
        metadata: { name: `data-web-${i}`, namespace: 'default' },
      } as Draft<PersistentVolumeClaim>);
    await run(2, {
      podManagementPolicy: 'Parallel',
      volumeClaimTemplates: [claimTemplate('data')],
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Delete' },
    });
    await plane.advance(1000);
    const owners = async () =>
      (await plane.list(PersistentVolumeClaim)).map((c) => [
        c.metadata.name,
        c.metadata.ownerReferences?.map((ref) => `${ref.kind} ${ref.name}`),
      ]);
    expect(await owners()).toEqual([
      ['data-web-0', ['StatefulSet web']],
      ['data-web-1', ['StatefulSet web']],
    ]);
    await patch({ replicas: 1 });
    await plane.advance(2000);
    expect(await claims()).toEqual(['data-web-0']);
    await patch({ persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain' } });
    await plane.advance(1000);
    expect(await owners()).toEqual([['data-web-0', undefined]]);
    await patch({ persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete' } });
    await plane.advance(1000);
    await plane.client(StatefulSet).delete('web', 'default');
    await plane.advance(2000);
    expect(await claims()).toEqual([]);
  });
});

test.each([0, 300, 700, 1200])('the server restarts %d ms into a rollout: the order holds', async (ms) => {
  await run(3);
  await rolledOut();
  await setImage('i:2');
  const check = async () =>
    expect((await plane.pods()).filter((pod) => isActive(pod) && isReady(pod)).length).toBeGreaterThanOrEqual(
      2,
    );
  await plane.advance(ms, check);
  await plane.restart(500);
  await plane.advance(8000, check);
  expect(await isRolledOut()).toBe(true);
  expect(await plane.list(ControllerRevision)).toHaveLength(2);
});
