// Claims of ephemeral volumes: which are made, once, whatever comes when; and whose they are.
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { type coreV1, PersistentVolumeClaim, Pod } from '../../api/index.ts';
import { seededRandom } from '../../base/index.ts';
import { controllerRef, type Draft, type KubeObject } from '../../machinery/index.ts';
import {
  buildClaim,
  buildPod,
  ControllerHarness,
  disorderly,
  type HarnessOptions,
} from '../../testkit/index.ts';
import { ephemeralVolumeController } from './controller.ts';
import { planEphemeralClaim } from './plan.ts';

const { spec } = buildClaim('x', { size: '3Gi', storageClass: 'fast' });
const scratch = (name: string, metadata: object = {}): coreV1.Volume => ({
  name,
  ephemeral: { volumeClaimTemplate: { metadata, spec } },
});
const podWith = (name: string, ...volumes: coreV1.Volume[]) => buildPod(name, { spec: { volumes } });

describe('planEphemeralClaim', () => {
  const pod = podWith(
    'p',
    { name: 'plain', emptyDir: {} },
    scratch('s', { labels: { a: 'b' }, annotations: { c: 'd' } }),
  );
  const owned = (by: Pod) => buildClaim('p-s', { meta: { ownerReferences: [controllerRef(by)] } });

  it('makes the claim of the template, owned by the pod', () => {
    expect(planEphemeralClaim(pod, 'default/p-s', undefined)).toEqual({
      volume: 's',
      create: {
        metadata: {
          name: 'p-s',
          namespace: 'default',
          labels: { a: 'b' },
          annotations: { c: 'd' },
          ownerReferences: [controllerRef(pod)],
        },
        spec,
      },
    });
  });

  it.each<[string, Pod, string, PersistentVolumeClaim | undefined, string | undefined]>([
    ['of no volume of the pod', pod, 'default/p-t', undefined, undefined],
    ['of a volume that is no claim', pod, 'default/p-plain', undefined, undefined],
    [
      'of a pod that is going',
      buildPod('p', { deletedMs: 0, spec: { volumes: [scratch('s')] } }),
      'default/p-s',
      undefined,
      undefined,
    ],
    ['that is there', pod, 'default/p-s', owned(pod), undefined],
    [
      'that is of a pod before it',
      pod,
      'default/p-s',
      owned(buildPod('p', { meta: { uid: 'before' } })),
      'PVC default/p-s was not created for pod default/p (pod is not owner)',
    ],
    [
      "that is nobody's",
      pod,
      'default/p-s',
      buildClaim('p-s'),
      'PVC default/p-s was not created for pod default/p (pod is not owner)',
    ],
  ])('does not make one %s', (_, of, key, claim, conflict) => {
    expect(planEphemeralClaim(of, key, claim)).toEqual(conflict && { volume: 's', conflict });
  });
});

let harness: ControllerHarness;
afterEach(() => harness?.stop());
function draft<T extends KubeObject>({ metadata: { name, namespace }, ...rest }: T): Draft<T> {
  return { ...rest, metadata: { name, namespace } } as unknown as Draft<T>;
}
async function start(options: HarnessOptions = {}) {
  harness = new ControllerHarness(options);
  await harness.start(ephemeralVolumeController);
}
const names = async () => (await harness.list(PersistentVolumeClaim)).map((c) => c.metadata.name).sort();

it('makes each claim once, however events come and writes fail, and again when one is taken away', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 5 }), fc.nat(6), async (seed, pods, failing) => {
      const delivery = disorderly(seededRandom(seed), { maxMs: 800, twice: true });
      await start({ seed, delivery });
      let creates = 0;
      harness.transport.failWith = ({ verb, target }) =>
        verb === 'create' && target.kind.kind === 'PersistentVolumeClaim' && ++creates === failing
          ? new Error('away')
          : null;
      const expected: string[] = [];
      for (let i = 0; i < pods; i++) {
        await harness.create(Pod, draft(podWith(`p${i}`, scratch('a'), scratch('b'))));
        expected.push(`p${i}-a`, `p${i}-b`);
        await harness.advance(seed % 500);
      }
      await harness.advance(20_000);
      expect(await names()).toEqual(expected);
      await harness.client(PersistentVolumeClaim).delete('p0-a', 'default');
      await harness.advance(20_000);
      expect(await names()).toEqual(expected);
      const calls = harness.transport.calls.length;
      await harness.advance(1_200_000);
      expect(harness.transport.calls.length).toBe(calls);
      await harness.stop();
    }),
    { numRuns: 40 },
  );
});

it('tells the pod once that its name is taken, and goes on when it is free', async () => {
  await start();
  await harness.create(PersistentVolumeClaim, draft(buildClaim('p-s')));
  await harness.create(Pod, draft(podWith('p', scratch('s'))));
  await harness.advance(60_000);
  expect(harness.events).toEqual([
    {
      component: 'ephemeral_volume',
      about: 'default/p',
      type: 'Warning',
      reason: 'FailedBinding',
      message: 'ephemeral volume s: PVC default/p-s was not created for pod default/p (pod is not owner)',
    },
  ]);
  await harness.client(PersistentVolumeClaim).delete('p-s', 'default');
  await harness.rest();
  const [made] = await harness.list(PersistentVolumeClaim);
  expect(made?.metadata.ownerReferences?.[0]?.name).toBe('p');
});
