// Devices: many pods want the few that there are, while pods come and go; and claims that are where their pod cannot go.
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  DeviceClass,
  Pod,
  ResourceClaim,
  ResourceClaimTemplate,
  ResourceSlice,
  type resourceV1,
} from '../../src/api/index.ts';
import { seededRandom } from '../../src/base/index.ts';
import type { Draft } from '../../src/machinery/index.ts';
import {
  buildDeviceClaim,
  buildDeviceClass,
  buildDeviceTemplate,
  buildSlice,
  ControlPlane,
} from '../../src/testkit/index.ts';
import { draft } from './volume-world.ts';

let plane: ControlPlane;
beforeEach(async () => {
  plane = await ControlPlane.start();
  await plane.client(DeviceClass).create(draft(buildDeviceClass('gpu')));
  await plane.client(ResourceClaimTemplate).create(draft(buildDeviceTemplate('t')));
});
afterEach(() => plane.stop());

const addNode = async (name: string, devices: readonly string[]) => {
  await plane.addNode(name);
  const pool = { name, generation: 1, resourceSliceCount: 1 };
  await plane.client(ResourceSlice).create(draft(buildSlice(name, devices, { nodeName: name, pool })));
};
const addPod = (name: string, spec: Partial<Pod['spec']> = {}) =>
  plane.client(Pod).create({
    metadata: { name, namespace: 'default' },
    spec: {
      containers: [{ name: 'c', image: 'i' }],
      resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 't' }],
      ...spec,
    },
  } as Draft<Pod>);
const pods = async () => (await plane.client(Pod).list()).items;
const claims = async () => (await plane.client(ResourceClaim).list()).items;
const devicesOf = ({ status }: ResourceClaim) =>
  (status?.allocation?.devices?.results ?? []).map(({ pool, device }) => `${pool}/${device}`);
const isRunning = ({ status }: Pod) => status?.phase === 'Running';

it('no device is given twice, and none is left while a pod waits, whatever comes and goes', async () => {
  for (const name of ['n1', 'n2', 'n3']) await addNode(name, ['a', 'b']);
  const random = seededRandom(7);
  let made = 0;
  for (let round = 0; round < 12; round++) {
    const there = await pods();
    for (const pod of there)
      if (random.next() < 0.3) await plane.client(Pod).delete(pod.metadata.name, 'default');
    for (let i = 0; i < 4; i++) await addPod(`p${made++}`);
    await plane.advance(Math.floor(random.next() * 1500));
    const given = (await claims()).flatMap(devicesOf);
    expect(new Set(given).size).toBe(given.length);
  }
  const settled = async () => (await pods()).filter(isRunning).length === Math.min(6, (await pods()).length);
  await plane.until('all devices used', settled, 60_000);
  const running = (await pods()).filter(isRunning);
  const held = new Map((await claims()).map((claim) => [claim.metadata.name, claim]));
  for (const pod of running) {
    const claim = held.get(pod.status?.resourceClaimStatuses?.[0]?.resourceClaimName ?? '')!;
    expect(claim.status?.reservedFor?.map(({ uid }) => uid)).toEqual([pod.metadata.uid]);
    expect(devicesOf(claim)[0]).toMatch(`${pod.spec.nodeName}/`);
  }
  // Each pod has one claim, and none is left of those that are gone.
  expect(held.size).toBe((await pods()).length);
  for (const pod of await pods()) await plane.client(Pod).delete(pod.metadata.name, 'default');
  await plane.until(
    'nothing left',
    async () => (await claims()).length + (await pods()).length === 0,
    60_000,
  );
});

it('a claim that nobody uses is given other devices when its pod cannot go where they are', async () => {
  await addNode('n1', ['a']);
  await addNode('n2', ['a']);
  const claim = await plane.client(ResourceClaim).create(draft(buildDeviceClaim('c')));
  const finalizers = ['resource.kubernetes.io/delete-protection'];
  const held = await plane
    .client(ResourceClaim)
    .update({ ...claim, metadata: { ...claim.metadata, finalizers } });
  const allocation: resourceV1.AllocationResult = {
    devices: { results: [{ request: 'r', driver: 'gpu.example.com', pool: 'n2', device: 'a' }] },
    nodeSelector: {
      nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n2'] }] }],
    },
  };
  await plane.client(ResourceClaim).updateStatus({ ...held, status: { allocation } });
  await addPod('p', {
    resourceClaims: [{ name: 'gpu', resourceClaimName: 'c' }],
    nodeSelector: { 'kubernetes.io/hostname': 'n1' },
  });
  await plane.until('running', async () => (await pods()).every(isRunning), 30_000);
  expect((await claims()).map(devicesOf)).toEqual([['n1/a']]);
  expect((await plane.events('FailedScheduling'))[0]).toMatch(
    /^0\/2 nodes are available: .*1 resourceclaim not available on the node.*\. deallocation of ResourceClaim completed, preemption: /,
  );
});
