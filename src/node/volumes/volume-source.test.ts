// What is mounted for which volume, and what is refused in which words.
import { describe, expect, it } from 'vitest';
import type { coreV1, PersistentVolumeClaim, Pod } from '../../api/index.ts';
import { controllerRef } from '../../machinery/index.ts';
import { buildClaim, buildPod, buildVolume, type VolumeParts } from '../../testkit/index.ts';
import { failedMount } from './volume-error.ts';
import {
  type ClaimedVolume,
  planPersistentVolume,
  planVolume,
  volumeNameOf,
  volumesInUse,
} from './volume-source.ts';

const refusal = (what: () => unknown, source = 'v'): string => {
  try {
    what();
  } catch (error) {
    return failedMount(error, { volume: 'data', source });
  }
  return 'nothing was refused';
};

describe('volumes of pods', () => {
  it.each<[object, object]>([
    [{}, { how: 'emptyDir', emptyDir: {} }],
    [{ emptyDir: { medium: 'Memory' } }, { how: 'emptyDir', emptyDir: { medium: 'Memory' } }],
    [{ configMap: { name: 'c' } }, { how: 'objects', kind: 'configMap' }],
    [{ projected: { sources: [] } }, { how: 'objects', kind: 'projected' }],
    [
      { hostPath: { path: '/x' } },
      { how: 'hostPath', hostPath: { path: '/x' }, volume: undefined, readOnly: false },
    ],
  ])('%j', (source, want) => {
    expect(planVolume({ name: 'data', ...source } as coreV1.Volume)).toEqual(want);
  });

  it.each<[object, string]>([
    [
      { nfs: { server: 's', path: '/' } },
      'Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[data]: failed to get Plugin from volumeSpec for volume "data" err=no volume plugin matched: volumes of kind nfs are not supported by this node',
    ],
    [
      { csi: { driver: 'a.b' } },
      'MountVolume.SetUp failed for volume "v" : kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name a.b not found in the list of registered CSI drivers',
    ],
    [
      { awsElasticBlockStore: { volumeID: 'x' } },
      'MountVolume.SetUp failed for volume "v" : kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name ebs.csi.aws.com not found in the list of registered CSI drivers',
    ],
  ])('%j is refused', (source, message) => {
    expect(refusal(() => planVolume({ name: 'data', ...source } as coreV1.Volume))).toBe(message);
  });

  it.each(['iscsi', 'rbd', 'cephfs', 'fc', 'glusterfs', 'flexVolume', 'gitRepo', 'image'])(
    '%s by name',
    (kind) => {
      expect(refusal(() => planVolume({ name: 'data', [kind]: {} } as unknown as coreV1.Volume))).toMatch(
        new RegExp(`no volume plugin matched: volumes of kind ${kind} are not supported by this node$`),
      );
    },
  );
});

const volume: coreV1.Volume = { name: 'data', persistentVolumeClaim: { claimName: 'c' } };
const podWith = (
  more: Partial<coreV1.Container> = { volumeMounts: [{ name: 'data', mountPath: '/d' }] },
): Pod => buildPod('p', { spec: { volumes: [volume], containers: [{ name: 'c', image: 'i', ...more }] } });
const bound = buildClaim('c', { bound: true, volume: 'v' });

describe('the claim of a volume', () => {
  const name = (claim: PersistentVolumeClaim, more: Partial<ClaimedVolume> = {}) =>
    volumeNameOf({ pod: podWith(), volume, claim, inUse: false, ...more });
  const why = (claim: PersistentVolumeClaim, more: Partial<ClaimedVolume> = {}) =>
    refusal(() => name(claim, more)).replace(/^.*failed to process volumes=\[data\]: /, '');

  it('has a volume', () => expect(name(bound)).toBe('v'));

  it('that is going is for those who have it', () => {
    const going = buildClaim('c', { bound: true, volume: 'v', meta: { deletionTimestamp: 'now' } });
    expect(why(going)).toBe('error processing PVC default/c: PVC is being deleted');
    expect(name(going, { inUse: true })).toBe('v');
  });

  it('that has none is refused', () => {
    expect(why(buildClaim('c'))).toBe('error processing PVC default/c: PVC is not bound');
    expect(why(buildClaim('c', { bound: true }))).toBe(
      'error processing PVC default/c: PVC has empty pvc.Spec.VolumeName',
    );
  });

  it('of an ephemeral volume is the pod’s own', () => {
    const own: coreV1.Volume = { name: 'data', ephemeral: { volumeClaimTemplate: { spec: bound.spec } } };
    const pod = podWith();
    const owned = buildClaim('p-data', {
      bound: true,
      volume: 'v',
      meta: { ownerReferences: [controllerRef(pod)] },
    });
    expect(name(owned, { pod, volume: own })).toBe('v');
    expect(why(buildClaim('p-data', { bound: true, volume: 'v' }), { pod, volume: own })).toBe(
      'error processing PVC default/p-data: PVC default/p-data was not created for pod default/p (pod is not owner)',
    );
  });
});

describe('PersistentVolumes', () => {
  const local = (spec: Partial<coreV1.PersistentVolumeSpec> = {}, parts: VolumeParts = {}) =>
    buildVolume('v', {
      claim: bound,
      nodeLabel: 'kubernetes.io/hostname=n1',
      spec: { hostPath: undefined, local: { path: '/x' }, ...spec },
      ...parts,
    });
  const node = { name: 'n1', labels: { 'kubernetes.io/hostname': 'n1' } };
  const plan = (found: ReturnType<typeof local>, more: object = {}) =>
    planPersistentVolume({ pod: podWith(), volume, claim: bound, found, node, ...more });

  it('of kinds local and hostPath are mounted', () => {
    expect(plan(local())).toMatchObject({ how: 'local', readOnly: false });
    const hostPath = { path: '/y', type: 'Directory' };
    expect(plan(local({ local: undefined, hostPath }))).toMatchObject({ how: 'hostPath', hostPath });
    const reading = { name: 'data', persistentVolumeClaim: { claimName: 'c', readOnly: true } };
    expect(plan(local(), { volume: reading })).toMatchObject({ readOnly: true });
  });

  const csi = { driver: 'd.csi', volumeHandle: 'h' };
  const devices = podWith({ volumeDevices: [{ name: 'data', devicePath: '/dev/x' }] });
  it.each<[string, () => unknown, string]>([
    [
      'of another claim',
      () => plan(local({}, { claim: buildClaim('c', { bound: true, meta: { uid: 'before' } }) })),
      'error processing PVC default/c: found PV object v but its pv.Spec.ClaimRef.UID before does not point to claim.UID uid-c',
    ],
    [
      'of no claim',
      () => plan(buildVolume('v')),
      'error processing PVC default/c: found PV object v but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim',
    ],
    [
      'of another node',
      () => plan(local(), { node: { name: 'n2', labels: { 'kubernetes.io/hostname': 'n2' } } }),
      'MountVolume.NodeAffinity check failed for volume "v" : no matching NodeSelectorTerms',
    ],
    [
      'that are devices, mounted',
      () => plan(local({ volumeMode: 'Block' })),
      'volume data has volumeMode Block, but is specified in volumeMounts',
    ],
    [
      'that are no devices, as devices',
      () => plan(local(), { pod: devices }),
      'volume data has volumeMode Filesystem, but is specified in volumeDevices',
    ],
    [
      'that are devices',
      () => plan(local({ volumeMode: 'Block' }), { pod: devices }),
      'volume data has volumeMode Block, which is not supported by this node',
    ],
    [
      'of a driver',
      () => plan(local({ local: undefined, csi })),
      'MountVolume.SetUp failed for volume "v" : kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name d.csi not found in the list of registered CSI drivers',
    ],
    [
      'of kind nfs',
      () => plan(local({ local: undefined, nfs: { server: 's', path: '/' } })),
      'failed to get Plugin from volumeSpec for volume "v" err=no volume plugin matched: volumes of kind nfs are not supported by this node',
    ],
    [
      'of kind hostPath with options',
      () => plan(local({ local: undefined, hostPath: { path: '/x' }, mountOptions: ['ro'] })),
      'MountVolume.SetUp failed for volume "v" : Mount options are not supported for volume of kind hostPath',
    ],
  ])('%s are refused', (_, what, message) => {
    expect(refusal(what).replace(/^.*failed to process volumes=\[data\]: /, '')).toBe(message);
  });
});

it('only volumes that a container uses are set up', () => {
  const pod = buildPod('p', {
    spec: {
      initContainers: [{ name: 'i', image: 'i', volumeMounts: [{ name: 'a', mountPath: '/a' }] }],
      containers: [{ name: 'c', image: 'i', volumeDevices: [{ name: 'b', devicePath: '/b' }] }],
      volumes: ['a', 'b', 'c'].map((name) => ({ name })),
    },
  });
  expect(volumesInUse(pod)).toEqual({ mounts: new Set(['a']), devices: new Set(['b']) });
});
