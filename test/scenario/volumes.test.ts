// Claims and volumes in a whole cluster: how they find each other, who makes and deletes volumes.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PersistentVolume } from '../../src/api/index.ts';
import { buildClaim } from '../../src/testkit/index.ts';
import { startVolumeWorld, uses, type VolumeWorld } from './volume-world.ts';

let w: VolumeWorld;
beforeEach(async () => {
  w = await startVolumeWorld();
});
afterEach(() => w.plane.stop());

describe('volumes that are there', () => {
  it('a claim gets the smallest that fits; both say so, and keep saying so', async () => {
    await w.addVolume('big', { size: '10Gi' });
    await w.addVolume('small', { size: '2Gi' });
    await w.addClaim('c', { storageClass: '' });
    await w.plane.until('bound', () => w.isBound('c'));
    expect(await w.claim('c')).toMatchObject({
      metadata: {
        annotations: {
          'pv.kubernetes.io/bind-completed': 'yes',
          'pv.kubernetes.io/bound-by-controller': 'yes',
        },
        finalizers: ['kubernetes.io/pvc-protection'],
      },
      spec: { volumeName: 'small' },
      status: { phase: 'Bound', capacity: { storage: '2Gi' }, accessModes: ['ReadWriteOnce'] },
    });
    expect(await w.volume('small')).toMatchObject({
      metadata: { finalizers: ['kubernetes.io/pv-protection'] },
      spec: { claimRef: { kind: 'PersistentVolumeClaim', namespace: 'default', name: 'c' } },
      status: { phase: 'Bound' },
    });
    expect((await w.volume('big')).status?.phase).toBe('Available');
    expect(await w.isQuiet()).toBe(true);
  });

  it('a claim waits until there is one, and says why', async () => {
    await w.addClaim('c', { storageClass: '' });
    await w.plane.advance(1000);
    expect((await w.claim('c')).status?.phase).toBe('Pending');
    expect(await w.plane.events('FailedBinding')).toEqual([
      'no persistent volumes available for this claim and no storage class is set',
    ]);
    await w.addVolume('v');
    await w.plane.until('bound', () => w.isBound('c'));
  });

  it.each(['Retain', 'Recycle'] as const)(
    'a volume of a claim that has gone is not given away: %s',
    async (policy) => {
      await w.addVolume('v', { policy });
      await w.addClaim('c', { storageClass: '' });
      await w.plane.until('bound', () => w.isBound('c'));
      await w.removeClaim('c');
      const phase = policy === 'Retain' ? 'Released' : 'Failed';
      await w.plane.until(phase, async () => (await w.volume('v')).status?.phase === phase);
      await w.addClaim('c', { storageClass: '' });
      await w.plane.advance(3000);
      expect((await w.claim('c')).status?.phase).toBe('Pending');
      expect((await w.volume('v')).status?.phase).toBe(phase);
      if (policy === 'Recycle')
        expect(await w.plane.events('VolumeFailedRecycle')).toEqual([
          'No recycler plugin found for the volume!',
        ]);
      // Its owner gives it back.
      await w.plane.client(PersistentVolume).patch({ name: 'v' }, 'merge', { spec: { claimRef: null } });
      await w.plane.until('bound', () => w.isBound('c'));
    },
  );

  it('a claim that names a volume and a volume that names a claim find each other', async () => {
    await w.addVolume('v', { claim: 'c', size: '5Gi' });
    await w.addVolume('w', { claim: 'd' });
    await w.addVolume('free');
    await w.addClaim('c', { storageClass: '' });
    await w.addClaim('d', { storageClass: '', volume: 'w' });
    await w.addClaim('e', { storageClass: '', volume: 'w' });
    await w.plane.until('bound', async () => (await w.isBound('c')) && (await w.isBound('d')));
    expect([(await w.claim('c')).spec.volumeName, (await w.claim('d')).spec.volumeName]).toEqual(['v', 'w']);
    expect((await w.volume('v')).metadata.annotations).toBeUndefined();
    expect(await w.isBound('e')).toBe(false);
    expect(await w.plane.events('FailedBinding')).toEqual(['volume "w" already bound to a different claim.']);
    expect(await w.isQuiet()).toBe(true);
  });

  it('a claim whose volume is lost says so', async () => {
    await w.addVolume('v');
    await w.addClaim('c', { storageClass: '' });
    await w.plane.until('bound', () => w.isBound('c'));
    await w.plane.client(PersistentVolume).patch({ name: 'v' }, 'merge', { metadata: { finalizers: null } });
    await w.plane.client(PersistentVolume).delete('v');
    await w.plane
      .client(PersistentVolume)
      .patch({ name: 'v' }, 'merge', { metadata: { finalizers: null } })
      .catch(() => {});
    await w.plane.until('lost', async () => (await w.claim('c')).status?.phase === 'Lost');
    await w.plane.advance(500);
    expect(await w.plane.events('ClaimLost')).toEqual([
      'Bound claim has lost its PersistentVolume. Data on the volume is lost!',
    ]);
    await w.plane.addNode('n1');
    await w.addPod('p', [uses('c')]);
    await w.plane.advance(1000);
    expect((await w.plane.events('FailedScheduling')).at(-1)).toContain(
      'persistentvolumeclaim "c" bound to non-existent persistentvolume "v"',
    );
  });
});

describe('classes', () => {
  it('a claim without class gets the default one that comes later, and a volume of it', async () => {
    await w.addClaim('c');
    await w.plane.advance(1000);
    await w.addClass('usual', { isDefault: true, provisioner: 'example.com/local' });
    await w.plane.until('bound', () => w.isBound('c'));
    expect((await w.claim('c')).spec.storageClassName).toBe('usual');
    expect([...w.provisioner.made.values()]).toEqual([undefined]);
  });

  it('a provisioner outside is told, and its volume taken', async () => {
    await w.addClass('csi', { provisioner: 'csi.example.com' });
    const { metadata } = await w.addClaim('c', { storageClass: 'csi' });
    await w.plane.advance(1000);
    expect((await w.claim('c')).metadata.annotations).toEqual({
      'volume.kubernetes.io/storage-provisioner': 'csi.example.com',
      'volume.beta.kubernetes.io/storage-provisioner': 'csi.example.com',
    });
    expect(await w.plane.events('ExternalProvisioning')).toEqual([
      "Waiting for a volume to be created either by the external provisioner 'csi.example.com' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.",
    ]);
    await w.addVolume('pvc-x', {
      storageClass: 'csi',
      policy: 'Delete',
      claim: buildClaim('c', { meta: { uid: metadata.uid } }),
      annotations: { 'pv.kubernetes.io/provisioned-by': 'csi.example.com' },
    });
    await w.plane.until('bound', () => w.isBound('c'));
    // What it made it also deletes, once the volume is released.
    await w.removeClaim('c');
    await w.plane.until('released', async () => (await w.volume('pvc-x')).status?.phase === 'Released');
    await w.plane.advance(5000);
    expect((await w.volume('pvc-x')).metadata.deletionTimestamp).toBeUndefined();
  });

  it('a volume that we made goes with its claim, after its last user', async () => {
    await w.addClass('fast', { provisioner: 'example.com/local' });
    await w.addClaim('c', { storageClass: 'fast' });
    await w.plane.until('bound', () => w.isBound('c'));
    const { volumeName = '' } = (await w.claim('c')).spec;
    w.provisioner.mounted.add(volumeName);
    await w.removeClaim('c');
    await w.plane.until('claim gone', w.claimIsGone('c'));
    await w.plane.advance(2000);
    expect((await w.volume(volumeName)).status?.phase).toBe('Released');
    expect(await w.plane.events('VolumeDelete')).toContain(`${volumeName} is mounted`);
    w.provisioner.mounted.clear();
    await w.plane.until('volume gone', w.volumeIsGone(volumeName));
    expect(w.provisioner.made.size).toBe(0);
  });

  it('a volume that is deleted before its claim is still deleted behind, in the end', async () => {
    await w.addClass('fast', { provisioner: 'example.com/local' });
    await w.addClaim('c', { storageClass: 'fast' });
    await w.plane.until('bound', () => w.isBound('c'));
    const { volumeName = '' } = (await w.claim('c')).spec;
    await w.plane.client(PersistentVolume).delete(volumeName);
    await w.plane.advance(2000);
    expect([(await w.volume(volumeName)).status?.phase, w.provisioner.made.size]).toEqual(['Bound', 1]);
    await w.removeClaim('c');
    await w.plane.until('volume gone', w.volumeIsGone(volumeName));
    expect(w.provisioner.made.size).toBe(0);
  });
});
