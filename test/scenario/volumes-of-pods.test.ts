// Pods and their volumes: where they go, what they wait for, and what outlives its deletion for them.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type coreV1, Node, type PersistentVolumeClaim, Pod, StatefulSet } from '../../src/api/index.ts';
import type { Draft } from '../../src/machinery/index.ts';
import { buildClaim } from '../../src/testkit/index.ts';
import { draft, startVolumeWorld, uses, type VolumeWorld } from './volume-world.ts';

let w: VolumeWorld;
beforeEach(async () => {
  w = await startVolumeWorld();
});
afterEach(() => w.plane.stop());

describe('pods and their claims', () => {
  it('a claim that is in use outlives its deletion until the pod has gone', async () => {
    await w.plane.addNode('n1');
    await w.addVolume('v');
    await w.addClaim('c', { storageClass: '' });
    await w.addPod('p', [uses('c')]);
    await w.plane.until('running', () => w.isRunning('p'));
    await w.removeClaim('c');
    await w.plane.advance(5000);
    expect((await w.claim('c')).metadata.deletionTimestamp).toBeDefined();
    // Nobody else may begin to use it.
    await w.addPod('q', [uses('c')]);
    await w.plane.advance(1000);
    expect((await w.plane.events('FailedScheduling')).at(-1)).toContain(
      'persistentvolumeclaim "c" is being deleted',
    );
    await w.plane.client(Pod).delete('p', 'default');
    await w.plane.until('claim gone', w.claimIsGone('c'));
    expect((await w.volume('v')).status?.phase).toBe('Released');
  });

  it('a pod waits for its claim, and for its volume', async () => {
    await w.plane.addNode('n1');
    await w.addPod('p', [uses('c')]);
    await w.plane.advance(500);
    expect((await w.plane.events('FailedScheduling'))[0]).toContain(
      '0/1 nodes are available: persistentvolumeclaim "c" not found',
    );
    await w.addClaim('c', { storageClass: '' });
    await w.plane.advance(3000);
    expect((await w.plane.events('FailedScheduling')).at(-1)).toContain(
      '0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims',
    );
    await w.addVolume('v');
    await w.plane.until('running', () => w.isRunning('p'), 15_000);
  });

  it('a pod goes where its volume is', async () => {
    for (const name of ['n1', 'n2', 'n3']) await w.plane.addNode(name);
    await w.addVolume('v', { nodeLabel: 'kubernetes.io/hostname=n2' });
    await w.addVolume('w', { size: '2Gi', nodeLabel: 'kubernetes.io/hostname=n9' });
    await w.addClaim('c', { storageClass: '' });
    await w.addPod('p', [uses('c')]);
    await w.plane.until('running', () => w.isRunning('p'));
    expect(await w.nodeOf('p')).toBe('n2');
    await w.addClaim('d', { storageClass: '', size: '2Gi' });
    await w.plane.until('bound', () => w.isBound('d'));
    await w.addPod('q', [uses('d')]);
    await w.plane.advance(1000);
    expect((await w.plane.events('FailedScheduling')).at(-1)).toContain(
      '0/3 nodes are available: 3 node(s) had volume node affinity conflict',
    );
    await w.plane.addNode('n9');
    await w.plane.until('running', () => w.isRunning('q'), 15_000);
  });

  it('a claim that waits for its consumer gets a volume of the node, also when that is found only by trying', async () => {
    await w.addClass('hand', { waits: true });
    for (const name of ['n1', 'n2', 'n3']) await w.plane.addNode(name);
    await w.addVolume('v1', { storageClass: 'hand', nodeLabel: 'kubernetes.io/hostname=n1' });
    await w.addVolume('v3', { storageClass: 'hand', nodeLabel: 'kubernetes.io/hostname=n3' });
    for (const name of ['c', 'd', 'e']) await w.addClaim(name, { storageClass: 'hand' });
    await w.plane.advance(1000);
    expect(await w.plane.events('WaitForFirstConsumer')).toEqual(
      Array(3).fill('waiting for first consumer to be created before binding'),
    );
    await w.addPod('p', [uses('c')]);
    await w.addPod('q', [uses('d')]);
    await w.plane.until('running', async () => (await w.isRunning('p')) && (await w.isRunning('q')));
    expect([await w.nodeOf('p'), await w.nodeOf('q')].sort()).toEqual(['n1', 'n3']);
    await w.addPod('r', [uses('e')]);
    await w.plane.advance(1000);
    expect((await w.plane.events('FailedScheduling')).at(-1)).toContain(
      "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind",
    );
    await w.addVolume('v2', { storageClass: 'hand', nodeLabel: 'kubernetes.io/hostname=n2' });
    await w.plane.until('running', () => w.isRunning('r'), 15_000);
    expect(await w.nodeOf('r')).toBe('n2');
    expect(await w.isQuiet()).toBe(true);
  });

  it('a volume is made on the node that the scheduler chose, or on another when that one cannot', async () => {
    await w.addLate();
    for (const name of ['n1', 'n2']) await w.plane.addNode(name);
    w.provisioner.full.add('n1').add('n2');
    await w.addClaim('c', { storageClass: 'late' });
    await w.addPod('p', [uses('c')]);
    await w.plane.advance(3000);
    expect(await w.plane.events('ProvisioningFailed')).toContainEqual(
      expect.stringMatching(/^Failed to provision volume with StorageClass "late": no space left on n[12]$/),
    );
    expect(await w.plane.events('FailedScheduling')).toContain(
      'running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "c"',
    );
    // Nothing binds the claim to the node that failed.
    await w.plane.client(Node).patch({ name: 'n1' }, 'merge', { spec: { unschedulable: true } });
    w.provisioner.full.delete('n2');
    await w.plane.until('running', () => w.isRunning('p'), 30_000);
    expect(await w.nodeOf('p')).toBe('n2');
    expect([...w.provisioner.made.values()]).toEqual(['n2']);
  });

  it('pods that wait for volumes keep no others waiting', async () => {
    await w.addClass('slow', { waits: true, provisioner: 'csi.example.com' });
    await w.plane.addNode('n1');
    for (let i = 0; i < 80; i++) {
      await w.addClaim(`c${i}`, { storageClass: 'slow' });
      await w.addPod(`p${i}`, [uses(`c${i}`)]);
    }
    await w.plane.advance(1000);
    expect((await w.claim('c79')).metadata.annotations).toMatchObject({
      'volume.kubernetes.io/selected-node': 'n1',
    });
    await w.addPod('q', []);
    await w.plane.until('running', () => w.isRunning('q'), 3000);
  });

  it('a pod that moves finds its local volume where it left it', async () => {
    await w.addLate();
    for (const name of ['n1', 'n2', 'n3']) await w.plane.addNode(name);
    const template: coreV1.PodTemplateSpec = {
      metadata: { labels: { app: 'db' } } as never,
      spec: { containers: [{ name: 'c', image: 'i' }] } as coreV1.PodSpec,
    };
    await w.plane.client(StatefulSet).create({
      metadata: { name: 'db', namespace: 'default' },
      spec: {
        replicas: 3,
        serviceName: 'db',
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: { app: 'db' } },
        template,
        volumeClaimTemplates: [draft(buildClaim('data', { storageClass: 'late' })) as PersistentVolumeClaim],
      },
    } as Draft<StatefulSet>);
    const allRun = async () => {
      const pods = await w.plane.pods({ app: 'db' });
      return pods.length === 3 && pods.every((p) => p.status?.phase === 'Running');
    };
    await w.plane.until('running', allRun, 30_000);
    const places = () => Promise.all([0, 1, 2].map((i) => w.nodeOf(`db-${i}`)));
    const before = await places();
    for (const i of [0, 1, 2]) await w.plane.client(Pod).delete(`db-${i}`, 'default');
    await w.plane.advance(2000);
    await w.plane.until('running again', allRun, 30_000);
    expect(await places()).toEqual(before);
    expect(await w.volumes()).toHaveLength(3);
  });

  it('one pod at a time has a ReadWriteOncePod claim', async () => {
    for (const name of ['n1', 'n2']) await w.plane.addNode(name);
    await w.addVolume('v', { modes: ['ReadWriteOncePod'] });
    await w.addClaim('c', { storageClass: '', modes: ['ReadWriteOncePod'] });
    await w.addPod('p', [uses('c')]);
    await w.plane.until('running', () => w.isRunning('p'));
    await w.addPod('q', [uses('c')]);
    await w.plane.advance(1000);
    expect((await w.plane.events('FailedScheduling')).at(-1)).toContain(
      'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode',
    );
    await w.plane.client(Pod).delete('p', 'default');
    await w.plane.until('running', () => w.isRunning('q'), 20_000);
  });

  it('a claim made for an ephemeral volume lives as long as its pod', async () => {
    await w.addLate();
    await w.plane.addNode('n1');
    const spec = { ...buildClaim('x', { storageClass: 'late' }).spec };
    const scratch: coreV1.Volume = {
      name: 'scratch',
      ephemeral: { volumeClaimTemplate: { metadata: { labels: { a: 'b' } }, spec } },
    };
    await w.addPod('p', [scratch]);
    await w.plane.until('running', () => w.isRunning('p'));
    expect((await w.claim('p-scratch')).metadata).toMatchObject({
      labels: { a: 'b' },
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Pod', name: 'p', controller: true, blockOwnerDeletion: true },
      ],
    });
    await w.plane.client(Pod).delete('p', 'default');
    await w.plane.until('claim gone', w.claimIsGone('p-scratch'));
    await w.plane.until('volume gone', async () => (await w.volumes()).length === 0);
    expect(w.provisioner.made.size).toBe(0);
    // A claim of that name that is not the pod's is left alone.
    await w.addClaim('q-scratch', { storageClass: 'late' });
    await w.addPod('q', [scratch]);
    await w.plane.advance(1000);
    expect(await w.plane.events('FailedBinding')).toEqual([
      'ephemeral volume scratch: PVC default/q-scratch was not created for pod default/q (pod is not owner)',
    ]);
    await w.removeClaim('q-scratch');
    await w.plane.until('running', () => w.isRunning('q'), 20_000);
  });

  it('a restart in the middle loses nothing and makes nothing twice', async () => {
    await w.addLate();
    for (const name of ['n1', 'n2']) await w.plane.addNode(name);
    for (let i = 0; i < 6; i++) {
      await w.addClaim(`c${i}`, { storageClass: 'late' });
      await w.addPod(`p${i}`, [uses(`c${i}`)]);
      if (i % 2 === 1) await w.plane.restart(500);
    }
    await w.plane.until(
      'running',
      async () => (await w.plane.pods()).every((pod) => pod.status?.phase === 'Running'),
      60_000,
    );
    expect(await w.volumes()).toHaveLength(6);
    expect(w.provisioner.made.size).toBe(6);
    expect(await w.isQuiet()).toBe(true);
  });
});
