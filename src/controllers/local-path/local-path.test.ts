// Volumes that are directories of a node: what is promised of them, what is refused, and that a node which is away keeps them.
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  removedAnnotation,
  StorageClass,
} from '../../api/index.ts';
import { Scope, seededRandom, silentLog } from '../../base/index.ts';
import type { Draft, KubeObject } from '../../machinery/index.ts';
import {
  buildClaim,
  buildClass,
  buildNode,
  type ClaimParts,
  ControllerHarness,
  disorderly,
} from '../../testkit/index.ts';
import { persistentVolumeController } from '../persistent-volume-binder/controller.ts';
import { pvProtectionController } from '../pv-protection/controller.ts';
import { pvcProtectionController } from '../pvc-protection/controller.ts';
import { volumeExpandController } from '../volume-expand/controller.ts';
import { ensureLocalPathClass, startLocalPathClass } from './default-class.ts';
import { localPathProvisioner, planDirectoryVolume } from './provisioner.ts';

const node = (name: string, directory?: string, runtime = 'containerd://1.6'): Node => {
  const built = buildNode(name);
  return {
    ...built,
    metadata: {
      ...built.metadata,
      labels: { 'kubernetes.io/hostname': name },
      ...(directory !== undefined && { annotations: { 'volumes.jotasu.dev/directory': directory } }),
    },
    status: {
      ...built.status,
      conditions: [{ type: 'Ready', status: 'True' }],
      nodeInfo: { containerRuntimeVersion: runtime } as NonNullable<Node['status']>['nodeInfo'],
    },
  } as Node;
};
const storageClass = buildClass('local-path', {
  waits: true,
  provisioner: 'jotasu.dev/local-path',
  more: { allowVolumeExpansion: true },
});
const n1 = node('n1', '/srv/volumes');
const ask = (parts: ClaimParts, more: Partial<Parameters<typeof planDirectoryVolume>[0]> = {}) =>
  planDirectoryVolume({
    volumeName: 'pvc-1',
    claim: buildClaim('c', parts),
    storageClass,
    node: n1,
    ...more,
  });

describe('planDirectoryVolume', () => {
  it('names a directory of the node, which alone reaches it', () => {
    expect(ask({ size: '3Gi' })).toEqual({
      labels: { 'volumes.jotasu.dev/kept-by': 'n1' },
      spec: {
        capacity: { storage: '3Gi' },
        accessModes: ['ReadWriteOnce'],
        volumeMode: 'Filesystem',
        local: { path: '/srv/volumes/pvc-1_default_c' },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['n1'] }] },
            ],
          },
        },
      },
    });
  });

  it('a simulated node has it in name, and nobody keeps it', () => {
    const made = ask({}, { node: node('s1', undefined, 'simulation://1') });
    expect([made.labels, made.spec.local?.path]).toEqual([
      undefined,
      '/var/lib/jotasu/volumes/pvc-1_default_c',
    ]);
  });

  it('every name is one that file systems take', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z0-9]{1,253}$/),
        fc.stringMatching(/^[a-z0-9]{1,63}$/),
        (name, namespace) => {
          const path = ask({ meta: { name, namespace } }).spec.local?.path ?? '';
          const folder = path.slice('/srv/volumes/'.length);
          expect(folder.startsWith(`pvc-1_${namespace}_`)).toBe(true);
          expect(folder.length).toBeLessThanOrEqual(255);
          expect(folder).not.toContain('/');
        },
      ),
    );
  });

  it.each<[string, () => unknown, string]>([
    [
      'a block device',
      () => ask({ spec: { volumeMode: 'Block' } }),
      'jotasu.dev/local-path does not support block volume provisioning',
    ],
    ['a selector', () => ask({ spec: { selector: {} } }), 'claim.Spec.Selector is not supported'],
    [
      'many writers',
      () => ask({ modes: ['ReadWriteMany'] }),
      'NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes',
    ],
    [
      'a class that does not wait',
      () => ask({}, { node: undefined }),
      'configuration error, no node was specified',
    ],
    ['a node of another kind', () => ask({}, { node: node('n2') }), 'node "n2" has no directory for volumes'],
    [
      'a parameter',
      () => ask({}, { storageClass: { ...storageClass, parameters: { nodePath: '/x' } } }),
      'invalid parameter "nodePath" for jotasu.dev/local-path',
    ],
  ])('refuses %s', (_, what, message) => expect(what).toThrow(message));
});

let harness: ControllerHarness;
afterEach(() => harness?.stop());

function draft<T extends KubeObject>({ metadata, ...rest }: T): Draft<T> {
  const { uid: _, resourceVersion: __, creationTimestamp: ___, ...kept } = metadata;
  return { ...rest, metadata: kept } as unknown as Draft<T>;
}
async function start(seed?: number): Promise<void> {
  harness = new ControllerHarness(
    seed === undefined ? {} : { seed, delivery: disorderly(seededRandom(seed), { maxMs: 800, twice: true }) },
  );
  const provisioners = [localPathProvisioner(harness)];
  await harness.start(
    persistentVolumeController({ provisioners }),
    volumeExpandController({ provisioners }),
    pvProtectionController,
    pvcProtectionController,
  );
  await harness.create(StorageClass, draft(storageClass));
  await harness.create(Node, draft(n1));
}
const addClaim = (name: string, onNode = 'n1') =>
  harness.create(
    PersistentVolumeClaim,
    draft(
      buildClaim(name, {
        storageClass: 'local-path',
        annotations: { 'volume.kubernetes.io/selected-node': onNode },
      }),
    ),
  );
const volumes = () => harness.list(PersistentVolume);
const onlyVolume = async () => {
  const all = await volumes();
  expect(all).toHaveLength(1);
  return all[0]!;
};
const claim = async () => (await harness.list(PersistentVolumeClaim))[0]!;
const told = (reason: string) => harness.events.filter((e) => e.reason === reason).map((e) => e.message);
/** As the node's agent does. */
const markRemoved = (name: string) =>
  harness
    .client(PersistentVolume)
    .patch({ name }, 'merge', { metadata: { annotations: { [removedAnnotation]: 'yes' } } });

describe('the life of a volume', () => {
  it.each([undefined, 1, 2, 3])(
    'is made, and goes once its node has removed the directory (%s)',
    async (seed) => {
      await start(seed);
      await addClaim('c');
      await harness.advance(10_000);
      const { metadata, spec, status } = await onlyVolume();
      expect(metadata.annotations).toEqual({
        'pv.kubernetes.io/bound-by-controller': 'yes',
        'pv.kubernetes.io/provisioned-by': 'jotasu.dev/local-path',
      });
      expect([metadata.finalizers, spec.persistentVolumeReclaimPolicy, status?.phase]).toEqual([
        expect.arrayContaining(['kubernetes.io/pv-controller']),
        'Delete',
        'Bound',
      ]);
      expect((await claim()).metadata.annotations).toMatchObject({
        'volume.kubernetes.io/storage-provisioner': 'jotasu.dev/local-path',
        'volume.beta.kubernetes.io/storage-provisioner': 'jotasu.dev/local-path',
        'volume.kubernetes.io/selected-node': 'n1',
      });
      await harness.client(PersistentVolumeClaim).delete('c', 'default');
      await harness.advance(10_000);
      expect((await onlyVolume()).status?.phase).toBe('Released');
      // It waits without asking again.
      const calls = harness.transport.calls.length;
      await harness.advance(3_600_000);
      expect(harness.transport.calls.length).toBe(calls);
      expect(told('VolumeDelete')).toEqual([]);
      await markRemoved(metadata.name);
      await harness.advance(10_000);
      expect(await volumes()).toEqual([]);
    },
  );

  it('a node that is gone is waited for, and said so', async () => {
    await start();
    await addClaim('c');
    await harness.rest();
    const { metadata } = await onlyVolume();
    await harness.client(Node).delete('n1');
    await harness.client(PersistentVolumeClaim).delete('c', 'default');
    await harness.advance(86_400_000);
    expect((await onlyVolume()).status?.phase).toBe('Released');
    expect(told('VolumeDelete')).toEqual([
      `directory /srv/volumes/${metadata.name}_default_c is removed when node "n1" is back: it does not exist`,
    ]);
    await markRemoved(metadata.name);
    await harness.rest();
    expect(await volumes()).toEqual([]);
  });

  it('what is to be kept is kept', async () => {
    await start();
    await addClaim('c');
    await harness.rest();
    const { name } = (await onlyVolume()).metadata;
    const spec = { persistentVolumeReclaimPolicy: 'Retain' };
    await harness.client(PersistentVolume).patch({ name }, 'merge', { spec });
    await harness.client(PersistentVolumeClaim).delete('c', 'default');
    await harness.advance(60_000);
    expect((await onlyVolume()).status?.phase).toBe('Released');
    await harness.client(PersistentVolume).delete(name);
    await harness.advance(60_000);
    expect(await volumes()).toEqual([]);
  });

  it('on a simulated node it goes at once', async () => {
    await start();
    await harness.create(Node, draft(node('s1', undefined, 'simulation://1')));
    await addClaim('c', 's1');
    await harness.rest();
    expect((await onlyVolume()).status?.phase).toBe('Bound');
    await harness.client(PersistentVolumeClaim).delete('c', 'default');
    await harness.advance(1_000);
    expect(await volumes()).toEqual([]);
  });

  it('a class that does not wait gets nothing, and hears why', async () => {
    await start();
    const immediate = buildClass('now', { provisioner: 'jotasu.dev/local-path' });
    await harness.create(StorageClass, draft(immediate));
    await harness.create(PersistentVolumeClaim, draft(buildClaim('c', { storageClass: 'now' })));
    await harness.advance(1_000);
    expect(told('ProvisioningFailed')).toEqual([
      'Failed to provision volume with StorageClass "now": configuration error, no node was specified',
    ]);
    expect([(await claim()).status?.phase, await volumes()]).toEqual(['Pending', []]);
  });

  it.each([undefined, 4, 5])('grows at once, first the volume and then the claim (%s)', async (seed) => {
    await start(seed);
    await addClaim('c');
    await harness.advance(10_000);
    const resources = { requests: { storage: '5Gi' } };
    await harness
      .client(PersistentVolumeClaim)
      .patch({ name: 'c', namespace: 'default' }, 'merge', { spec: { resources } });
    await harness.advance(10_000);
    expect((await onlyVolume()).spec.capacity).toEqual({ storage: '5Gi' });
    const { status } = await claim();
    expect(status).toMatchObject({
      phase: 'Bound',
      capacity: { storage: '5Gi' },
      allocatedResources: { storage: '5Gi' },
    });
    expect(status?.conditions).toBeUndefined();
    expect(told('VolumeResizeSuccessful')).toEqual(['ExpandVolume succeeded for volume default/c']);
  });
});

describe('the class of a new cluster', () => {
  const made = async (...there: StorageClass[]) => {
    harness = new ControllerHarness();
    for (const one of there) await harness.create(StorageClass, draft(one));
    await ensureLocalPathClass(harness.client);
    await ensureLocalPathClass(harness.client);
    return (await harness.list(StorageClass)).map(({ metadata, provisioner }) => [
      metadata.name,
      provisioner,
      metadata.annotations?.['storageclass.kubernetes.io/is-default-class'],
    ]);
  };

  it('is the default', async () => {
    expect(await made()).toEqual([['local-path', 'jotasu.dev/local-path', 'true']]);
    expect((await harness.list(StorageClass))[0]).toMatchObject({
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'WaitForFirstConsumer',
      allowVolumeExpansion: true,
    });
  });

  it('leaves another default alone', async () => {
    const other = buildClass('other', { provisioner: 'a/b', isDefault: true });
    expect(await made(other)).toEqual([
      ['local-path', 'jotasu.dev/local-path', 'false'],
      ['other', 'a/b', 'true'],
    ]);
  });

  it('is made when nobody refuses it any more', async () => {
    harness = new ControllerHarness();
    let refusals = 3;
    harness.transport.failWith = ({ verb }) =>
      verb === 'create' && refusals-- > 0 ? new Error('the webhook is not up') : null;
    const scope = new Scope(silentLog);
    startLocalPathClass({ client: harness.client, clock: harness.clock, log: silentLog, scope });
    await harness.advance(14_000);
    expect(await harness.list(StorageClass)).toEqual([]);
    await harness.advance(2_000);
    expect(await harness.list(StorageClass)).toHaveLength(1);
    await scope.stop();
  });

  it('leaves one of its name alone', async () => {
    expect(await made(buildClass('local-path', { provisioner: 'rancher.io/local-path' }))).toEqual([
      ['local-path', 'rancher.io/local-path', undefined],
    ]);
  });
});
