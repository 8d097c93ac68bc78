// Claims on devices: which are made for pods, when devices are given back, and what becomes of claims in the end.
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { Pod, ResourceClaim, ResourceClaimTemplate, type resourceV1 } from '../../api/index.ts';
import { seededRandom } from '../../base/index.ts';
import { controllerRef, type Draft, type KubeObject } from '../../machinery/index.ts';
import {
  buildDeviceClaim,
  buildDeviceTemplate,
  buildPod,
  ControllerHarness,
  disorderly,
  type HarnessOptions,
} from '../../testkit/index.ts';
import { isPodDone, planClaim } from './claim-plan.ts';
import { resourceClaimController } from './controller.ts';
import { generateNameFor, planPodClaims } from './pod-plan.ts';

const finalizer = 'resource.kubernetes.io/delete-protection';
const annotation = 'resource.kubernetes.io/pod-claim-name';
const template = buildDeviceTemplate('t', {
  metadata: { labels: { a: 'b' }, annotations: { c: 'd' } },
  spec: buildDeviceClaim('x').spec,
});
const entries = [{ name: 'gpu', resourceClaimTemplateName: 't' }];
const podOf = (name: string, parts: Parameters<typeof buildPod>[1] = {}): Pod =>
  buildPod(name, { ...parts, spec: { resourceClaims: entries, ...parts.spec } });
const noted = (pod: Pod, resourceClaimName?: string): Pod => ({
  ...pod,
  status: { ...pod.status, resourceClaimStatuses: [{ name: 'gpu', resourceClaimName }] },
});
const allocation: resourceV1.AllocationResult = {
  devices: { results: [{ request: 'r', driver: 'gpu.example.com', pool: 'p', device: 'd' }] },
};
const consumer = (pod: Pod): resourceV1.ResourceClaimConsumerReference => ({
  resource: 'pods',
  name: pod.metadata.name,
  uid: pod.metadata.uid,
});

describe('planPodClaims', () => {
  const pod = podOf('p');
  const owned = (by: Pod, entry = 'gpu') =>
    buildDeviceClaim('p-gpu-1', {
      meta: { ownerReferences: [controllerRef(by)], annotations: { [annotation]: entry } },
    });
  const view = (claims: readonly ResourceClaim[], templates = [template]) => ({
    claim: (name: string) => claims.find(({ metadata }) => metadata.name === name),
    template: (name: string) => templates.find(({ metadata }) => metadata.name === name),
    owned: claims.filter(({ metadata }) => metadata.ownerReferences?.[0]?.uid === pod.metadata.uid),
  });

  it('makes a claim of the template, owned by the pod', () => {
    expect(planPodClaims(pod, view([]))).toEqual({
      steps: [
        {
          entry: 'gpu',
          create: {
            metadata: {
              generateName: 'p-gpu-',
              namespace: 'default',
              labels: { a: 'b' },
              annotations: { c: 'd', [annotation]: 'gpu' },
              ownerReferences: [controllerRef(pod)],
            },
            spec: template.spec.spec,
          },
        },
      ],
      reserve: [],
    });
  });

  const other = podOf('p', { meta: { uid: 'before' } });
  const step = (found: object) => [{ entry: 'gpu', ...found }];
  const create = step({ create: expect.anything() });
  it.each<[string, Pod, readonly ResourceClaim[], readonly object[]]>([
    ['that is there and not noted is noted', pod, [owned(pod)], step({ note: 'p-gpu-1' })],
    ['that is noted is left', noted(pod, 'p-gpu-1'), [owned(pod)], []],
    ['that is noted and gone is made again', noted(pod, 'p-gpu-1'), [], create],
    ['that is of a pod before it is not taken', noted(pod, 'p-gpu-1'), [owned(other)], create],
    ['of another entry is not taken', pod, [owned(pod, 'nic')], create],
    ['that was found not to be needed is left', noted(pod), [], []],
    ['of a pod that goes is left', podOf('p', { deletedMs: 0, node: 'n' }), [], []],
    [
      'that somebody else makes is left',
      podOf('p', { spec: { resourceClaims: [{ name: 'gpu', resourceClaimName: 'c' }] } }),
      [],
      [],
    ],
  ])('a claim %s', (_, of, claims, steps) => {
    expect(planPodClaims(of, view(claims)).steps).toEqual(steps);
  });

  it('tells of a template that is not there', () => {
    expect(planPodClaims(pod, view([], [])).steps).toEqual(
      step({
        failure: 'resource claim template "t": resourceclaimtemplate.resource.k8s.io "t" not found',
      }),
    );
  });

  it('reserves for a pod that came to its node without a scheduler', () => {
    const placed = podOf('p', {
      node: 'n',
      spec: { resourceClaims: [{ name: 'gpu', resourceClaimName: 'c' }] },
    });
    const reserve = (status?: resourceV1.ResourceClaimStatus, of = placed) =>
      planPodClaims(of, view([buildDeviceClaim('c', { ...(status && { status }) })])).reserve.length;
    const many = Array.from({ length: 256 }, (_, i) => ({ resource: 'pods', name: `x${i}`, uid: `x${i}` }));
    expect(reserve({ allocation })).toBe(1);
    expect(reserve({ allocation, reservedFor: [consumer(placed)] })).toBe(0);
    expect(reserve({ allocation, reservedFor: many })).toBe(0);
    expect(reserve()).toBe(0);
    expect(reserve({ allocation }, { ...placed, spec: { ...placed.spec, nodeName: undefined } })).toBe(0);
  });

  it.each([
    ['p', 'gpu', 'p-gpu-'],
    ['p'.repeat(60), 'gpu', `${'p'.repeat(52)}-gp`],
    ['p'.repeat(100), 'c'.repeat(60), `${'p'.repeat(35)}-${'c'.repeat(21)}`],
  ])('%s and %s share the room in a name', (pod, entry, wanted) => {
    expect(generateNameFor(pod, entry)).toBe(wanted);
    expect(wanted.length).toBeLessThanOrEqual(58);
  });
});

describe('planClaim', () => {
  const a = buildPod('a', { node: 'n' });
  const b = buildPod('b', { node: 'n' });
  const claimWith = (reservedFor: readonly Pod[], more: Parameters<typeof buildDeviceClaim>[1] = {}) =>
    buildDeviceClaim('c', {
      ...more,
      meta: { finalizers: [finalizer], ...more.meta },
      status: { allocation, ...(reservedFor.length > 0 && { reservedFor: reservedFor.map(consumer) }) },
    });
  const deletionTimestamp = '2026-01-01T00:00:00Z';
  const ended: Pod = { ...a, status: { phase: 'Succeeded' } };
  const ofA = { ownerReferences: [controllerRef(a)] };
  const idle = { status: undefined, dropFinalizer: false, delete: false };

  it.each<[string, ResourceClaim, readonly Pod[], Pod | undefined, object]>([
    ['in use is left', claimWith([a, b]), [a, b], undefined, idle],
    [
      'loses who is done',
      claimWith([a, b]),
      [b],
      undefined,
      { ...idle, status: { allocation, reservedFor: [consumer(b)] } },
    ],
    [
      'is deallocated with its last user',
      claimWith([a]),
      [],
      undefined,
      { ...idle, status: {}, dropFinalizer: true },
    ],
    ['that was never used stays allocated', claimWith([]), [], undefined, idle],
    [
      'that is to go is deallocated',
      claimWith([], { meta: { deletionTimestamp } }),
      [],
      undefined,
      { ...idle, status: {}, dropFinalizer: true },
    ],
    [
      'that is to go waits for its users',
      claimWith([a], { meta: { deletionTimestamp } }),
      [a],
      undefined,
      idle,
    ],
    [
      'that is to go and has nothing is let go',
      buildDeviceClaim('c', { meta: { finalizers: [finalizer], deletionTimestamp } }),
      [],
      undefined,
      { ...idle, dropFinalizer: true },
    ],
    [
      'allocated by somebody else stays allocated',
      { ...claimWith([a]), metadata: { ...claimWith([]).metadata, finalizers: [] } },
      [],
      undefined,
      { ...idle, status: { allocation } },
    ],
    [
      'of a pod that ended goes',
      claimWith([a], { meta: ofA }),
      [],
      ended,
      { status: {}, dropFinalizer: true, delete: true },
    ],
    [
      'of a pod that was replaced goes',
      buildDeviceClaim('c', { meta: ofA }),
      [],
      buildPod('a', { meta: { uid: 'new' } }),
      { ...idle, delete: true },
    ],
    ['of a pod that runs stays', buildDeviceClaim('c', { meta: ofA }), [], a, idle],
    ['of a pod that is not known stays', buildDeviceClaim('c', { meta: ofA }), [], undefined, idle],
  ])('a claim %s', (_, claim, users, owner, wanted) => {
    expect(planClaim(claim, { users: users.map(consumer), owner })).toEqual(wanted);
  });

  it('a pod is done when it has ended, or goes before it had a node', () => {
    expect(
      [a, ended, buildPod('x', { deletedMs: 0 }), buildPod('x', { deletedMs: 0, node: 'n' })].map(isPodDone),
    ).toEqual([false, true, true, false]);
  });
});

let harness: ControllerHarness;
afterEach(() => harness?.stop());
function draft<T extends KubeObject>({ metadata: { name, namespace }, ...rest }: T): Draft<T> {
  return { ...rest, metadata: { name, namespace } } as unknown as Draft<T>;
}
async function start(options: HarnessOptions = {}) {
  harness = new ControllerHarness(options);
  await harness.start(resourceClaimController);
}
const claims = () => harness.list(ResourceClaim);

/** As the scheduler does. */
async function allocate(claim: ResourceClaim, pod: Pod): Promise<void> {
  const client = harness.client(ResourceClaim);
  const now = await client.get(claim.metadata.name, 'default');
  const held = await client.update({
    ...now,
    metadata: { ...now.metadata, finalizers: [finalizer] },
  });
  const reservedFor = [...(held.status?.reservedFor ?? []), consumer(pod)];
  await client.updateStatus({ ...held, status: { allocation, reservedFor } });
}

it('makes each claim once and notes it, however events come and writes fail', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 4 }), fc.nat(6), async (seed, pods, failing) => {
      await start({ seed, delivery: disorderly(seededRandom(seed), { maxMs: 800, twice: true }) });
      let calls = 0;
      harness.transport.failWith = ({ verb, target }) => {
        const ours = verb === 'patch' || (verb === 'create' && target.kind.kind === 'ResourceClaim');
        return ours && ++calls === failing ? new Error('away') : null;
      };
      await harness.create(ResourceClaimTemplate, draft(template));
      for (let i = 0; i < pods; i++) {
        await harness.create(Pod, draft(podOf(`p${i}`)));
        await harness.advance(seed % 500);
      }
      await harness.advance(30_000);
      const made = await claims();
      expect(made).toHaveLength(pods);
      for (const pod of await harness.list(Pod)) {
        const [status] = pod.status?.resourceClaimStatuses ?? [];
        const claim = made.find(({ metadata }) => metadata.name === status?.resourceClaimName);
        expect(claim?.metadata.ownerReferences?.[0]?.uid).toBe(pod.metadata.uid);
      }
      const before = harness.transport.calls.length;
      await harness.advance(1_200_000);
      expect(harness.transport.calls.length).toBe(before);
      await harness.stop();
    }),
    { numRuns: 30 },
  );
});

it('tells a pod that its template is not there, and goes on when it is', async () => {
  await start();
  await harness.create(Pod, draft(podOf('p')));
  await harness.rest();
  expect(harness.events[0]).toEqual({
    component: 'resource_claim',
    about: 'default/p',
    type: 'Warning',
    reason: 'FailedResourceClaimCreation',
    message:
      'PodResourceClaim gpu: resource claim template "t": resourceclaimtemplate.resource.k8s.io "t" not found',
  });
  await harness.create(ResourceClaimTemplate, draft(template));
  await harness.rest();
  expect(await claims()).toHaveLength(1);
});

it('a shared claim is free when the last pod has gone, and the claim of a pod that ended goes', async () => {
  await start();
  const shared = await harness.create(ResourceClaim, draft(buildDeviceClaim('shared')));
  const uses = { spec: { resourceClaims: [{ name: 'gpu', resourceClaimName: 'shared' }] }, node: 'n' };
  const [a, b] = await Promise.all(
    ['a', 'b'].map((name) => harness.create(Pod, draft(buildPod(name, uses)))),
  );
  await allocate(shared, a!);
  await harness.rest();
  const now = () => harness.client(ResourceClaim).get('shared', 'default');
  // What has a node already has no scheduler that would note it.
  expect((await now()).status?.reservedFor).toEqual([a!, b!].map(consumer));
  await harness.client(Pod).updateStatus({ ...a!, status: { phase: 'Failed' } });
  await harness.rest();
  expect((await now()).status).toEqual({ allocation, reservedFor: [consumer(b!)] });
  await harness.client(Pod).delete('b', 'default', { gracePeriodSeconds: 0 });
  await harness.rest();
  expect((await now()).status ?? {}).toEqual({});
  expect((await now()).metadata.finalizers ?? []).toEqual([]);

  await harness.create(ResourceClaimTemplate, draft(template));
  const own = await harness.create(Pod, draft(podOf('own', { node: 'n' })));
  await harness.rest();
  const claim = (await claims()).find(({ metadata }) => metadata.name !== 'shared')!;
  await allocate(claim, own);
  await harness.rest();
  const running = await harness.client(Pod).get('own', 'default');
  await harness.client(Pod).updateStatus({ ...running, status: { ...running.status, phase: 'Succeeded' } });
  await harness.rest();
  expect((await claims()).map(({ metadata }) => metadata.name)).toEqual(['shared']);
});
