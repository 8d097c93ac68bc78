// The volume controller and both protections, with events late, twice and out of step, and with a server that goes away between any two
// writes: no volume is ever two claims', and they all come to the same rest.
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  findFree,
  Node,
  needsOf,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
} from '../../api/index.ts';
import { seededRandom } from '../../base/index.ts';
import type { Draft, KubeObject } from '../../machinery/index.ts';
import {
  buildClaim,
  buildClass,
  buildNode,
  buildPod,
  buildVolume,
  type ClaimParts,
  ControllerHarness,
  disorderly,
  type VolumeParts,
} from '../../testkit/index.ts';
import { pvProtectionController } from '../pv-protection/controller.ts';
import { pvcProtectionController } from '../pvc-protection/controller.ts';
import { persistentVolumeController } from './controller.ts';
import { VolumeInUse, type VolumeProvisioner } from './provisioner.ts';

let harness: ControllerHarness;
afterEach(() => harness.stop());

/** Without what the server gives. */
function draft<T extends KubeObject>({ metadata, ...rest }: T): Draft<T> {
  const { uid: _, resourceVersion: __, creationTimestamp: ___, ...kept } = metadata;
  return { ...rest, metadata: kept } as unknown as Draft<T>;
}
const addVolume = (name: string, parts: VolumeParts = {}) =>
  harness.create(PersistentVolume, draft(buildVolume(name, parts)));
const addClaim = (name: string, parts: ClaimParts = {}) =>
  harness.create(PersistentVolumeClaim, draft(buildClaim(name, parts)));
const claims = () => harness.list(PersistentVolumeClaim);
const volumes = () => harness.list(PersistentVolume);
const claim = async (name: string) => (await claims()).find((c) => c.metadata.name === name);
const volume = async (name: string) => (await volumes()).find((v) => v.metadata.name === name);

/** A provisioner that keeps its volumes in a set. */
class FakeProvisioner implements VolumeProvisioner {
  readonly name = 'example.com/fake';
  readonly supportsMountOptions = false;
  readonly made = new Map<string, string | undefined>();
  failure: Error | null = null;

  async provision({ volumeName, claim, node }: Parameters<VolumeProvisioner['provision']>[0]) {
    if (this.failure !== null) throw this.failure;
    this.made.set(volumeName, node?.metadata.name);
    const storage = claim.spec.resources?.requests?.['storage'] ?? '';
    const accessModes = [...(claim.spec.accessModes ?? [])];
    return { spec: { capacity: { storage }, accessModes, hostPath: { path: `/made/${volumeName}` } } };
  }

  async delete({ metadata }: PersistentVolume): Promise<void> {
    if (this.failure !== null) throw this.failure;
    this.made.delete(metadata.name);
  }
}

async function start(options: { seed?: number; provisioner?: FakeProvisioner } = {}) {
  const { seed, provisioner } = options;
  harness = new ControllerHarness(
    seed === undefined ? {} : { seed, delivery: disorderly(seededRandom(seed), { maxMs: 800, twice: true }) },
  );
  await harness.start(
    persistentVolumeController({ provisioners: provisioner === undefined ? [] : [provisioner] }),
    pvProtectionController,
    pvcProtectionController,
  );
}
async function expectSilence(): Promise<void> {
  await harness.advance(60_000);
  const [calls, said] = [harness.transport.calls.length, harness.events.length];
  await harness.advance(1_200_000);
  expect(
    harness.transport.calls.slice(calls).map(({ verb, target }) => `${verb} ${target.kind.kind}`),
  ).toEqual([]);
  expect(harness.events.slice(said)).toEqual([]);
}

/** No volume is two claims', and what says that it is bound has a volume that says so too. */
async function expectSound(): Promise<void> {
  const all = await volumes();
  for (const { metadata, spec, status } of await claims()) {
    if (status?.phase !== 'Bound') continue;
    const has = all.find((v) => v.metadata.name === spec.volumeName);
    expect(has?.spec.claimRef?.uid).toBe(metadata.uid);
    expect(all.filter((v) => v.spec.claimRef?.uid === metadata.uid)).toHaveLength(1);
  }
}

/** Nothing is left that could be done. */
async function expectDone(): Promise<void> {
  const [allVolumes, allClaims] = [await volumes(), await claims()];
  for (const one of allClaims) {
    if (one.spec.volumeName) expect(one.status?.phase).toBe('Bound');
    else expect(findFree(needsOf(one), allVolumes, () => true)?.metadata.name).toBeUndefined();
    expect(one.metadata.deletionTimestamp).toBeUndefined();
  }
  for (const { spec, status } of allVolumes) {
    const owner = allClaims.find((c) => c.metadata.uid === spec.claimRef?.uid);
    if (spec.claimRef === undefined) expect(status?.phase).toBe('Available');
    else expect(status?.phase).toBe(owner === undefined ? 'Released' : 'Bound');
  }
}

const size = fc.constantFrom('1Gi', '2Gi', '3Gi');
const storageClass = fc.constantFrom('a', 'b');
const which = fc.nat(5);
const act = fc.oneof(
  fc.record({ do: fc.constant('addVolume' as const), which, size, storageClass }),
  fc.record({ do: fc.constant('addClaim' as const), which, size, storageClass }),
  fc.record({ do: fc.constantFrom('dropClaim' as const, 'dropVolume' as const), which }),
);

type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

async function perform(step: Act): Promise<void> {
  const drop = (kind: typeof PersistentVolume | typeof PersistentVolumeClaim, name: string) =>
    kind === PersistentVolume
      ? harness.client(PersistentVolume).delete(name)
      : harness.client(PersistentVolumeClaim).delete(name, 'default');
  const ignore = () => {};
  if (step.do === 'addVolume') await addVolume(`v${step.which}`, step).catch(ignore);
  if (step.do === 'addClaim') await addClaim(`c${step.which}`, step).catch(ignore);
  if (step.do === 'dropClaim') await drop(PersistentVolumeClaim, `c${step.which}`).catch(ignore);
  // What is bound waits for its claim, whose protection this test has no users for.
  if (step.do === 'dropVolume' && (await volume(`v${step.which}`))?.spec.claimRef === undefined)
    await drop(PersistentVolume, `v${step.which}`).catch(ignore);
}

const writes = new Set(['create', 'update', 'patch', 'delete']);

describe('in disorder', () => {
  it('claims and volumes find each other, whatever comes when and whatever fails', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(fc.record({ step: act, afterMs: fc.nat(1500) }), { minLength: 2, maxLength: 14 }),
        fc.record({ after: fc.nat(25), lasts: fc.nat(6) }),
        async (seed, steps, outage) => {
          await start({ seed });
          let written = 0;
          let own = false;
          harness.transport.failWith = ({ verb }) => {
            if (own || !writes.has(verb)) return;
            written++;
            if (written > outage.after && written <= outage.after + outage.lasts) return new Error('away');
            return;
          };
          for (const { step, afterMs } of steps) {
            own = true;
            await perform(step);
            own = false;
            await harness.advance(afterMs);
            await expectSound();
          }
          await harness.advance(120_000);
          await expectSound();
          await expectDone();
          await expectSilence();
          await harness.stop();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('many claims and many volumes at once make no more writes than it takes', async () => {
    await start();
    for (let i = 0; i < 50; i++) await addClaim(`c${i}`, { storageClass: 'a' });
    await harness.rest();
    harness.transport.calls.length = 0;
    for (let i = 0; i < 50; i++) await addVolume(`v${i}`, { storageClass: 'a', phase: '' });
    await harness.advance(5000);
    expect((await claims()).every((c) => c.status?.phase === 'Bound')).toBe(true);
    const patches = harness.transport.calls.filter(({ verb }) => verb === 'patch').length;
    // finalizer, Available, claimRef, Bound; volumeName, Bound; and a few lost races
    expect(patches).toBeLessThan(50 * 9);
    await expectSilence();
  });
});

describe('with a provisioner of our own', () => {
  const fast = (more: object = {}) =>
    harness.create(StorageClass, draft(buildClass('fast', { provisioner: 'example.com/fake', ...more })));
  const told = (reason: string) => harness.events.filter((e) => e.reason === reason).map((e) => e.message);

  it.each([1, 2, 3])('a claim gets its volume, and takes it along (%d)', async (seed) => {
    const provisioner = new FakeProvisioner();
    await start({ seed, provisioner });
    await fast();
    const { metadata } = await addClaim('c', { storageClass: 'fast', size: '3Gi' });
    await harness.advance(20_000);
    const name = `pvc-${metadata.uid}`;
    expect(await claim('c')).toMatchObject({
      metadata: { annotations: { 'volume.kubernetes.io/storage-provisioner': 'example.com/fake' } },
      spec: { volumeName: name },
      status: { phase: 'Bound', capacity: { storage: '3Gi' } },
    });
    expect(await volume(name)).toMatchObject({
      metadata: {
        annotations: {
          'pv.kubernetes.io/provisioned-by': 'example.com/fake',
          'pv.kubernetes.io/bound-by-controller': 'yes',
        },
        finalizers: expect.arrayContaining(['kubernetes.io/pv-controller', 'kubernetes.io/pv-protection']),
      },
      spec: { storageClassName: 'fast', persistentVolumeReclaimPolicy: 'Delete' },
      status: { phase: 'Bound' },
    });
    expect(told('ProvisioningSucceeded')).toEqual([
      `Successfully provisioned volume ${name} using example.com/fake`,
    ]);
    await harness.client(PersistentVolumeClaim).delete('c', 'default');
    await harness.advance(20_000);
    expect([await claims(), await volumes(), [...provisioner.made]]).toEqual([[], [], []]);
    await expectSilence();
  });

  it('a write that fails anywhere leaves nothing behind', async () => {
    for (let failing = 1; failing <= 16; failing++) {
      const provisioner = new FakeProvisioner();
      await start({ provisioner });
      await fast();
      let written = 0;
      let count = true;
      harness.transport.failWith = ({ verb }) =>
        count && writes.has(verb) && ++written === failing ? new Error('away') : null;
      count = false;
      await addClaim('c', { storageClass: 'fast' });
      count = true;
      await harness.advance(60_000);
      expect((await claim('c'))?.status?.phase).toBe('Bound');
      expect(await volumes()).toHaveLength(1);
      count = false;
      await harness.client(PersistentVolumeClaim).delete('c', 'default');
      count = true;
      await harness.advance(60_000);
      expect([await claims(), await volumes(), [...provisioner.made]]).toEqual([[], [], []]);
      await harness.stop();
    }
  });

  it('what fails is said, tried again, and given back to the scheduler', async () => {
    const provisioner = new FakeProvisioner();
    await start({ provisioner });
    await fast();
    await harness.create(
      StorageClass,
      draft(buildClass('late', { provisioner: 'example.com/fake', waits: true })),
    );
    await harness.create(Node, draft(buildNode('n1')) as Draft<Node>);
    provisioner.failure = new Error('disk full');
    await addClaim('c', { storageClass: 'fast' });
    const selected = { 'volume.kubernetes.io/selected-node': 'n1' };
    await addClaim('d', { storageClass: 'late', annotations: selected });
    await harness.rest();
    expect(told('ProvisioningFailed')).toEqual([
      'Failed to provision volume with StorageClass "fast": disk full',
      'Failed to provision volume with StorageClass "late": disk full',
    ]);
    expect((await claim('d'))?.metadata.annotations).not.toHaveProperty('volume.kubernetes.io/selected-node');
    provisioner.failure = null;
    await harness
      .client(PersistentVolumeClaim)
      .patch({ name: 'd', namespace: 'default' }, 'merge', { metadata: { annotations: selected } });
    await harness.advance(30_000);
    expect((await claims()).map((c) => c.status?.phase)).toEqual(['Bound', 'Bound']);
    const made = (await claim('d'))?.spec.volumeName ?? '';
    expect(provisioner.made.get(made)).toBe('n1');
  });

  it('a volume that cannot be deleted fails, or waits when it is in use, and is tried again', async () => {
    const provisioner = new FakeProvisioner();
    await start({ provisioner });
    await fast();
    await addClaim('c', { storageClass: 'fast' });
    await harness.advance(5000);
    provisioner.failure = new VolumeInUse('still mounted');
    await harness.client(PersistentVolumeClaim).delete('c', 'default');
    await harness.advance(5000);
    expect(told('VolumeDelete')).toEqual(['still mounted']);
    expect((await volumes())[0]?.status?.phase).toBe('Released');
    provisioner.failure = new Error('broken');
    await harness.advance(20_000);
    expect(told('VolumeFailedDelete')).toEqual(['broken']);
    expect((await volumes())[0]?.status).toMatchObject({ phase: 'Failed', message: 'broken' });
    provisioner.failure = null;
    await harness.advance(60_000);
    expect(await volumes()).toEqual([]);
  });

  it('refuses what it cannot do', async () => {
    const provisioner = new FakeProvisioner();
    await start({ provisioner });
    await fast();
    await harness.create(
      StorageClass,
      draft(buildClass('opts', { provisioner: 'example.com/fake', more: { mountOptions: ['ro', 'soft'] } })),
    );
    await harness.create(StorageClass, draft(buildClass('hand')));
    const dataSource = { kind: 'PersistentVolumeClaim', name: 'x' };
    await addClaim('a', { storageClass: 'fast', spec: { dataSource } });
    await addClaim('b', { storageClass: 'opts' });
    await addClaim('c', { storageClass: 'hand' });
    await addClaim('d', { storageClass: 'gone' });
    await harness.rest();
    expect(told('ProvisioningFailed').sort()).toEqual([
      'Mount options are not supported by the provisioner but StorageClass "opts" has mount options [ro soft]',
      'no volume plugin matched name: kubernetes.io/no-provisioner',
      'plugin "example.com/fake" is not a CSI plugin. Only CSI plugin can provision a claim with a datasource',
      'storageclass.storage.k8s.io "gone" not found',
    ]);
    expect(provisioner.made.size).toBe(0);
    await expectSilence();
  });
});

describe('protection', () => {
  const remove = (name: string) => harness.client(PersistentVolumeClaim).delete(name, 'default');
  const user = (name: string, node?: string) =>
    draft(
      buildPod(name, {
        ...(node !== undefined && { node }),
        spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'c' } }] },
      }),
    );

  it.each([1, 2, 3])('a claim outlives its pods, and a volume its claim (%d)', async (seed) => {
    await start({ seed });
    await addVolume('v');
    await addClaim('c', { storageClass: '' });
    await harness.create(Pod, user('p', 'n1'));
    await harness.create(Pod, user('waiting'));
    await harness.advance(10_000);
    await remove('c');
    await harness.client(PersistentVolume).delete('v');
    await harness.advance(10_000);
    expect((await claim('c'))?.metadata.finalizers).toEqual(['kubernetes.io/pvc-protection']);
    expect((await volume('v'))?.metadata.finalizers).toEqual(['kubernetes.io/pv-protection']);
    await expectSilence();
    await harness.client(Pod).delete('p', 'default', { gracePeriodSeconds: 0 });
    await harness.advance(10_000);
    expect([await claims(), await volumes()]).toEqual([[], []]);
    await expectSilence();
  });

  it('a pod that the cache does not show yet keeps the claim', async () => {
    await start();
    await addClaim('c', { storageClass: '' });
    await harness.rest();
    harness.transport.delivery = { lateMs: (kind) => (kind.kind === 'Pod' ? 30_000 : 0), twice: false };
    await harness.create(Pod, user('p', 'n1'));
    await remove('c');
    await harness.advance(10_000);
    expect(await claim('c')).toBeDefined();
  });
});
