// Volumes in a whole cluster: claims, volumes, the pods that use them, and what is protected from whom.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type coreV1,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StatefulSet,
  StorageClass,
} from '../../src/api/index.ts';
import { VolumeInUse, type VolumeProvisioner } from '../../src/controllers/index.ts';
import type { Draft, KubeObject } from '../../src/machinery/index.ts';
import {
  buildClaim,
  buildClass,
  buildVolume,
  type ClaimParts,
  type ClassParts,
  ControlPlane,
  type VolumeParts,
} from '../../src/testkit/index.ts';

/** Makes volumes that only their node reaches; deletes them once nobody has them mounted. */
class LocalProvisioner implements VolumeProvisioner {
  readonly name = 'example.com/local';
  readonly supportsMountOptions = false;
  readonly made = new Map<string, string | undefined>();
  readonly mounted = new Set<string>();
  /** Nodes without room. */
  readonly full = new Set<string>();

  async provision({ volumeName, claim, node }: Parameters<VolumeProvisioner['provision']>[0]) {
    const host = node?.metadata.name;
    if (host !== undefined && this.full.has(host)) throw new Error(`no space left on ${host}`);
    this.made.set(volumeName, host);
    const storage = claim.spec.resources?.requests?.['storage'] ?? '';
    return {
      spec: {
        capacity: { storage },
        accessModes: [...(claim.spec.accessModes ?? [])],
        hostPath: { path: `/made/${volumeName}` },
        ...(host !== undefined && { nodeAffinity: reachedFrom(host) }),
      },
    };
  }

  async delete({ metadata: { name } }: PersistentVolume): Promise<void> {
    if (this.mounted.has(name)) throw new VolumeInUse(`${name} is mounted`);
    this.made.delete(name);
  }
}

const reachedFrom = (host: string): coreV1.VolumeNodeAffinity => ({
  required: {
    nodeSelectorTerms: [
      { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [host] }] },
    ],
  },
});

let plane: ControlPlane;
let provisioner: LocalProvisioner;
beforeEach(async () => {
  provisioner = new LocalProvisioner();
  plane = await ControlPlane.start({ volumeProvisioners: [provisioner] });
});
afterEach(() => plane.stop());

function draft<T extends KubeObject>({ metadata, ...rest }: T): Draft<T> {
  const { uid: _, resourceVersion: __, creationTimestamp: ___, ...kept } = metadata;
  return { ...rest, metadata: kept } as unknown as Draft<T>;
}
const addVolume = (name: string, parts: VolumeParts = {}) =>
  plane.client(PersistentVolume).create(draft(buildVolume(name, parts)));
const addClaim = (name: string, parts: ClaimParts = {}) =>
  plane.client(PersistentVolumeClaim).create(draft(buildClaim(name, parts)));
const addClass = (name: string, parts: ClassParts = {}) =>
  plane.client(StorageClass).create(draft(buildClass(name, parts)));
const late = () => addClass('late', { waits: true, provisioner: 'example.com/local' });
const uses = (claimName: string): coreV1.Volume => ({ name: 'data', persistentVolumeClaim: { claimName } });
const addPod = (name: string, volumes: coreV1.Volume[], more: Partial<coreV1.PodSpec> = {}) =>
  plane.client(Pod).create({
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'c', image: 'i' }], volumes, ...more },
  });

const claim = (name: string) => plane.client(PersistentVolumeClaim).get(name, 'default');
const volume = (name: string) => plane.client(PersistentVolume).get(name);
const volumes = async () => (await plane.client(PersistentVolume).list()).items;
const isBound = async (name: string) => (await claim(name)).status?.phase === 'Bound';
const nodeOf = async (name: string) => (await plane.client(Pod).get(name, 'default')).spec.nodeName;
const isRunning = async (name: string) =>
  (await plane.client(Pod).get(name, 'default')).status?.phase === 'Running';
const isGone = (kind: typeof PersistentVolume | typeof PersistentVolumeClaim, name: string) => async () =>
  !(await plane.client(kind as typeof PersistentVolumeClaim).list()).items.some(
    ({ metadata }) => metadata.name === name,
  );
const remove = (name: string) => plane.client(PersistentVolumeClaim).delete(name, 'default');
async function expectSilence(): Promise<void> {
  const before = (await plane.client(PersistentVolume).list()).resourceVersion;
  const writes = async () => [
    (await volumes()).map((v) => v.metadata.resourceVersion),
    (await plane.list(PersistentVolumeClaim)).map((c) => c.metadata.resourceVersion),
  ];
  const state = await writes();
  await plane.advance(20_000);
  expect(await writes()).toEqual(state);
  expect(Number(before)).toBeGreaterThan(0);
}

describe('volumes that are there', () => {
  it('a claim gets the smallest that fits; both say so, and keep saying so', async () => {
    await addVolume('big', { size: '10Gi' });
    await addVolume('small', { size: '2Gi' });
    await addClaim('c', { storageClass: '' });
    await plane.until('bound', () => isBound('c'));
    expect(await claim('c')).toMatchObject({
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
    expect(await volume('small')).toMatchObject({
      metadata: { finalizers: ['kubernetes.io/pv-protection'] },
      spec: { claimRef: { kind: 'PersistentVolumeClaim', namespace: 'default', name: 'c' } },
      status: { phase: 'Bound' },
    });
    expect((await volume('big')).status?.phase).toBe('Available');
    await expectSilence();
  });

  it('a claim waits until there is one, and says why', async () => {
    await addClaim('c', { storageClass: '' });
    await plane.advance(1000);
    expect((await claim('c')).status?.phase).toBe('Pending');
    expect(await plane.events('FailedBinding')).toEqual([
      'no persistent volumes available for this claim and no storage class is set',
    ]);
    await addVolume('v');
    await plane.until('bound', () => isBound('c'));
  });

  it.each(['Retain', 'Recycle'] as const)(
    'a volume of a claim that has gone is not given away: %s',
    async (policy) => {
      await addVolume('v', { policy });
      await addClaim('c', { storageClass: '' });
      await plane.until('bound', () => isBound('c'));
      await remove('c');
      const phase = policy === 'Retain' ? 'Released' : 'Failed';
      await plane.until(phase, async () => (await volume('v')).status?.phase === phase);
      await addClaim('c', { storageClass: '' });
      await plane.advance(3000);
      expect((await claim('c')).status?.phase).toBe('Pending');
      expect((await volume('v')).status?.phase).toBe(phase);
      if (policy === 'Recycle')
        expect(await plane.events('VolumeFailedRecycle')).toEqual([
          'No recycler plugin found for the volume!',
        ]);
      // Its owner gives it back.
      await plane.client(PersistentVolume).patch({ name: 'v' }, 'merge', { spec: { claimRef: null } });
      await plane.until('bound', () => isBound('c'));
    },
  );

  it('a claim that names a volume and a volume that names a claim find each other', async () => {
    await addVolume('v', { claim: 'c', size: '5Gi' });
    await addVolume('w', { claim: 'd' });
    await addVolume('free');
    await addClaim('c', { storageClass: '' });
    await addClaim('d', { storageClass: '', volume: 'w' });
    await addClaim('e', { storageClass: '', volume: 'w' });
    await plane.until('bound', async () => (await isBound('c')) && (await isBound('d')));
    expect([(await claim('c')).spec.volumeName, (await claim('d')).spec.volumeName]).toEqual(['v', 'w']);
    expect((await volume('v')).metadata.annotations).toBeUndefined();
    expect(await isBound('e')).toBe(false);
    expect(await plane.events('FailedBinding')).toEqual(['volume "w" already bound to a different claim.']);
    await expectSilence();
  });

  it('a claim whose volume is lost says so', async () => {
    await addVolume('v');
    await addClaim('c', { storageClass: '' });
    await plane.until('bound', () => isBound('c'));
    await plane.client(PersistentVolume).patch({ name: 'v' }, 'merge', { metadata: { finalizers: null } });
    await plane.client(PersistentVolume).delete('v');
    await plane
      .client(PersistentVolume)
      .patch({ name: 'v' }, 'merge', { metadata: { finalizers: null } })
      .catch(() => {});
    await plane.until('lost', async () => (await claim('c')).status?.phase === 'Lost');
    await plane.advance(500);
    expect(await plane.events('ClaimLost')).toEqual([
      'Bound claim has lost its PersistentVolume. Data on the volume is lost!',
    ]);
    await plane.addNode('n1');
    await addPod('p', [uses('c')]);
    await plane.advance(1000);
    expect((await plane.events('FailedScheduling')).at(-1)).toContain(
      'persistentvolumeclaim "c" bound to non-existent persistentvolume "v"',
    );
  });
});

describe('classes', () => {
  it('a claim without class gets the default one that comes later, and a volume of it', async () => {
    await addClaim('c');
    await plane.advance(1000);
    await addClass('usual', { isDefault: true, provisioner: 'example.com/local' });
    await plane.until('bound', () => isBound('c'));
    expect((await claim('c')).spec.storageClassName).toBe('usual');
    expect([...provisioner.made.values()]).toEqual([undefined]);
  });

  it('a provisioner outside is told, and its volume taken', async () => {
    await addClass('csi', { provisioner: 'csi.example.com' });
    const { metadata } = await addClaim('c', { storageClass: 'csi' });
    await plane.advance(1000);
    expect((await claim('c')).metadata.annotations).toEqual({
      'volume.kubernetes.io/storage-provisioner': 'csi.example.com',
      'volume.beta.kubernetes.io/storage-provisioner': 'csi.example.com',
    });
    expect(await plane.events('ExternalProvisioning')).toEqual([
      "Waiting for a volume to be created either by the external provisioner 'csi.example.com' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.",
    ]);
    await addVolume('pvc-x', {
      storageClass: 'csi',
      policy: 'Delete',
      claim: buildClaim('c', { meta: { uid: metadata.uid } }),
      annotations: { 'pv.kubernetes.io/provisioned-by': 'csi.example.com' },
    });
    await plane.until('bound', () => isBound('c'));
    // What it made it also deletes, once the volume is released.
    await remove('c');
    await plane.until('released', async () => (await volume('pvc-x')).status?.phase === 'Released');
    await plane.advance(5000);
    expect((await volume('pvc-x')).metadata.deletionTimestamp).toBeUndefined();
  });

  it('a volume that we made goes with its claim, after its last user', async () => {
    await addClass('fast', { provisioner: 'example.com/local' });
    await addClaim('c', { storageClass: 'fast' });
    await plane.until('bound', () => isBound('c'));
    const { volumeName = '' } = (await claim('c')).spec;
    provisioner.mounted.add(volumeName);
    await remove('c');
    await plane.until('claim gone', isGone(PersistentVolumeClaim, 'c'));
    await plane.advance(2000);
    expect((await volume(volumeName)).status?.phase).toBe('Released');
    expect(await plane.events('VolumeDelete')).toContain(`${volumeName} is mounted`);
    provisioner.mounted.clear();
    await plane.until('volume gone', isGone(PersistentVolume, volumeName));
    expect(provisioner.made.size).toBe(0);
  });

  it('a volume that is deleted before its claim is still deleted behind, in the end', async () => {
    await addClass('fast', { provisioner: 'example.com/local' });
    await addClaim('c', { storageClass: 'fast' });
    await plane.until('bound', () => isBound('c'));
    const { volumeName = '' } = (await claim('c')).spec;
    await plane.client(PersistentVolume).delete(volumeName);
    await plane.advance(2000);
    expect([(await volume(volumeName)).status?.phase, provisioner.made.size]).toEqual(['Bound', 1]);
    await remove('c');
    await plane.until('volume gone', isGone(PersistentVolume, volumeName));
    expect(provisioner.made.size).toBe(0);
  });
});

describe('pods and their claims', () => {
  it('a claim that is in use outlives its deletion until the pod has gone', async () => {
    await plane.addNode('n1');
    await addVolume('v');
    await addClaim('c', { storageClass: '' });
    await addPod('p', [uses('c')]);
    await plane.until('running', () => isRunning('p'));
    await remove('c');
    await plane.advance(5000);
    expect((await claim('c')).metadata.deletionTimestamp).toBeDefined();
    // Nobody else may begin to use it.
    await addPod('q', [uses('c')]);
    await plane.advance(1000);
    expect((await plane.events('FailedScheduling')).at(-1)).toContain(
      'persistentvolumeclaim "c" is being deleted',
    );
    await plane.client(Pod).delete('p', 'default');
    await plane.until('claim gone', isGone(PersistentVolumeClaim, 'c'));
    expect((await volume('v')).status?.phase).toBe('Released');
  });

  it('a pod waits for its claim, and for its volume', async () => {
    await plane.addNode('n1');
    await addPod('p', [uses('c')]);
    await plane.advance(500);
    expect((await plane.events('FailedScheduling'))[0]).toContain(
      '0/1 nodes are available: persistentvolumeclaim "c" not found',
    );
    await addClaim('c', { storageClass: '' });
    await plane.advance(3000);
    expect((await plane.events('FailedScheduling')).at(-1)).toContain(
      '0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims',
    );
    await addVolume('v');
    await plane.until('running', () => isRunning('p'), 15_000);
  });

  it('a pod goes where its volume is', async () => {
    for (const name of ['n1', 'n2', 'n3']) await plane.addNode(name);
    await addVolume('v', { nodeLabel: 'kubernetes.io/hostname=n2' });
    await addVolume('w', { size: '2Gi', nodeLabel: 'kubernetes.io/hostname=n9' });
    await addClaim('c', { storageClass: '' });
    await addPod('p', [uses('c')]);
    await plane.until('running', () => isRunning('p'));
    expect(await nodeOf('p')).toBe('n2');
    await addClaim('d', { storageClass: '', size: '2Gi' });
    await plane.until('bound', () => isBound('d'));
    await addPod('q', [uses('d')]);
    await plane.advance(1000);
    expect((await plane.events('FailedScheduling')).at(-1)).toContain(
      '0/3 nodes are available: 3 node(s) had volume node affinity conflict',
    );
    await plane.addNode('n9');
    await plane.until('running', () => isRunning('q'), 15_000);
  });

  it('a claim that waits for its consumer gets a volume of the node, also when that is found only by trying', async () => {
    await addClass('hand', { waits: true });
    for (const name of ['n1', 'n2', 'n3']) await plane.addNode(name);
    await addVolume('v1', { storageClass: 'hand', nodeLabel: 'kubernetes.io/hostname=n1' });
    await addVolume('v3', { storageClass: 'hand', nodeLabel: 'kubernetes.io/hostname=n3' });
    for (const name of ['c', 'd', 'e']) await addClaim(name, { storageClass: 'hand' });
    await plane.advance(1000);
    expect(await plane.events('WaitForFirstConsumer')).toEqual(
      Array(3).fill('waiting for first consumer to be created before binding'),
    );
    await addPod('p', [uses('c')]);
    await addPod('q', [uses('d')]);
    await plane.until('running', async () => (await isRunning('p')) && (await isRunning('q')));
    expect([await nodeOf('p'), await nodeOf('q')].sort()).toEqual(['n1', 'n3']);
    await addPod('r', [uses('e')]);
    await plane.advance(1000);
    expect((await plane.events('FailedScheduling')).at(-1)).toContain(
      "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind",
    );
    await addVolume('v2', { storageClass: 'hand', nodeLabel: 'kubernetes.io/hostname=n2' });
    await plane.until('running', () => isRunning('r'), 15_000);
    expect(await nodeOf('r')).toBe('n2');
    await expectSilence();
  });

  it('a volume is made on the node that the scheduler chose, or on another when that one cannot', async () => {
    await late();
    for (const name of ['n1', 'n2']) await plane.addNode(name);
    provisioner.full.add('n1').add('n2');
    await addClaim('c', { storageClass: 'late' });
    await addPod('p', [uses('c')]);
    await plane.advance(3000);
    expect(await plane.events('ProvisioningFailed')).toContainEqual(
      expect.stringMatching(/^Failed to provision volume with StorageClass "late": no space left on n[12]$/),
    );
    expect(await plane.events('FailedScheduling')).toContain(
      'running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "c"',
    );
    // Nothing binds the claim to the node that failed.
    await plane.client(Node).patch({ name: 'n1' }, 'merge', { spec: { unschedulable: true } });
    provisioner.full.delete('n2');
    await plane.until('running', () => isRunning('p'), 30_000);
    expect(await nodeOf('p')).toBe('n2');
    expect([...provisioner.made.values()]).toEqual(['n2']);
  });

  it('pods that wait for volumes keep no others waiting', async () => {
    await addClass('slow', { waits: true, provisioner: 'csi.example.com' });
    await plane.addNode('n1');
    for (let i = 0; i < 80; i++) {
      await addClaim(`c${i}`, { storageClass: 'slow' });
      await addPod(`p${i}`, [uses(`c${i}`)]);
    }
    await plane.advance(1000);
    expect((await claim('c79')).metadata.annotations).toMatchObject({
      'volume.kubernetes.io/selected-node': 'n1',
    });
    await addPod('q', []);
    await plane.until('running', () => isRunning('q'), 3000);
  });

  it('a pod that moves finds its local volume where it left it', async () => {
    await late();
    for (const name of ['n1', 'n2', 'n3']) await plane.addNode(name);
    const template: coreV1.PodTemplateSpec = {
      metadata: { labels: { app: 'db' } } as never,
      spec: { containers: [{ name: 'c', image: 'i' }] } as coreV1.PodSpec,
    };
    await plane.client(StatefulSet).create({
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
      const pods = await plane.pods({ app: 'db' });
      return pods.length === 3 && pods.every((p) => p.status?.phase === 'Running');
    };
    await plane.until('running', allRun, 30_000);
    const places = () => Promise.all([0, 1, 2].map((i) => nodeOf(`db-${i}`)));
    const before = await places();
    for (const i of [0, 1, 2]) await plane.client(Pod).delete(`db-${i}`, 'default');
    await plane.advance(2000);
    await plane.until('running again', allRun, 30_000);
    expect(await places()).toEqual(before);
    expect(await volumes()).toHaveLength(3);
  });

  it('one pod at a time has a ReadWriteOncePod claim', async () => {
    for (const name of ['n1', 'n2']) await plane.addNode(name);
    await addVolume('v', { modes: ['ReadWriteOncePod'] });
    await addClaim('c', { storageClass: '', modes: ['ReadWriteOncePod'] });
    await addPod('p', [uses('c')]);
    await plane.until('running', () => isRunning('p'));
    await addPod('q', [uses('c')]);
    await plane.advance(1000);
    expect((await plane.events('FailedScheduling')).at(-1)).toContain(
      'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode',
    );
    await plane.client(Pod).delete('p', 'default');
    await plane.until('running', () => isRunning('q'), 20_000);
  });

  it('a claim made for an ephemeral volume lives as long as its pod', async () => {
    await late();
    await plane.addNode('n1');
    const spec = { ...buildClaim('x', { storageClass: 'late' }).spec };
    const scratch: coreV1.Volume = {
      name: 'scratch',
      ephemeral: { volumeClaimTemplate: { metadata: { labels: { a: 'b' } }, spec } },
    };
    await addPod('p', [scratch]);
    await plane.until('running', () => isRunning('p'));
    expect((await claim('p-scratch')).metadata).toMatchObject({
      labels: { a: 'b' },
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Pod', name: 'p', controller: true, blockOwnerDeletion: true },
      ],
    });
    await plane.client(Pod).delete('p', 'default');
    await plane.until('claim gone', isGone(PersistentVolumeClaim, 'p-scratch'));
    await plane.until('volume gone', async () => (await volumes()).length === 0);
    expect(provisioner.made.size).toBe(0);
    // A claim of that name that is not the pod's is left alone.
    await addClaim('q-scratch', { storageClass: 'late' });
    await addPod('q', [scratch]);
    await plane.advance(1000);
    expect(await plane.events('FailedBinding')).toEqual([
      'ephemeral volume scratch: PVC default/q-scratch was not created for pod default/q (pod is not owner)',
    ]);
    await remove('q-scratch');
    await plane.until('running', () => isRunning('q'), 20_000);
  });

  it('a restart in the middle loses nothing and makes nothing twice', async () => {
    await late();
    for (const name of ['n1', 'n2']) await plane.addNode(name);
    for (let i = 0; i < 6; i++) {
      await addClaim(`c${i}`, { storageClass: 'late' });
      await addPod(`p${i}`, [uses(`c${i}`)]);
      if (i % 2 === 1) await plane.restart(500);
    }
    await plane.until(
      'running',
      async () => (await plane.pods()).every((pod) => pod.status?.phase === 'Running'),
      60_000,
    );
    expect(await volumes()).toHaveLength(6);
    expect(provisioner.made.size).toBe(6);
    await expectSilence();
  });
});
