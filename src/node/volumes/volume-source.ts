// What is to be mounted for a volume of a pod, and what nobody here can mount. Pure; refusals are the kubelet's, with the kind by name.
import {
  compileNodeSelectorTerms,
  type coreV1,
  ephemeralClaimName,
  isMadeFor,
  isMeantFor,
  notMadeFor,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type SelectableNode,
} from '../../api/index.ts';
import { VolumeError } from './volume-error.ts';

/** Kinds whose files are made of objects of the API. */
export const objectKinds = ['configMap', 'secret', 'downwardAPI', 'projected'] as const;
export type ObjectKind = (typeof objectKinds)[number];

export type VolumeSource =
  | { readonly how: 'objects'; readonly kind: ObjectKind }
  | { readonly how: 'emptyDir'; readonly emptyDir: coreV1.EmptyDirVolumeSource }
  | {
      readonly how: 'hostPath';
      readonly hostPath: coreV1.HostPathVolumeSource;
      readonly volume: PersistentVolume | undefined;
      readonly readOnly: boolean;
    }
  | { readonly how: 'local'; readonly volume: PersistentVolume; readonly readOnly: boolean };

const objectPlugins: Readonly<Record<ObjectKind, string>> = {
  configMap: 'configmap',
  secret: 'secret',
  downwardAPI: 'downward-api',
  projected: 'projected',
};
const plugins = { emptyDir: 'empty-dir', hostPath: 'host-path', local: 'local-volume' } as const;

/** What the kubelet calls the part that makes such a volume. */
export const pluginOf = (source: VolumeSource): string =>
  `kubernetes.io/${source.how === 'objects' ? objectPlugins[source.kind] : plugins[source.how]}`;

/** Plugins of old whose volumes CSI drivers took over. */
const migrated: Readonly<Record<string, string>> = {
  awsElasticBlockStore: 'ebs.csi.aws.com',
  azureDisk: 'disk.csi.azure.com',
  azureFile: 'file.csi.azure.com',
  cinder: 'cinder.csi.openstack.org',
  gcePersistentDisk: 'pd.csi.storage.gke.io',
  portworxVolume: 'pxd.portworx.com',
  vsphereVolume: 'csi.vsphere.vmware.com',
};

/** The kind of a volume: the one member besides its name. No source at all is an emptyDir. */
export function volumeKind(volume: coreV1.Volume): string {
  for (const [key, value] of Object.entries(volume)) if (key !== 'name' && value !== undefined) return key;
  return 'emptyDir';
}

const notSources = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
]);

function persistentKind({ spec }: PersistentVolume): string {
  for (const [key, value] of Object.entries(spec))
    if (!notSources.has(key) && value !== undefined) return key;
  return 'nothing';
}

function refuse(kind: string, { source, driver }: { source: string; driver: string | undefined }): never {
  const csi = driver ?? migrated[kind];
  if (csi !== undefined)
    throw new VolumeError(
      `kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name ${csi} not found in the list of registered CSI drivers`,
    );
  throw new VolumeError(
    `failed to get Plugin from volumeSpec for volume "${source}" err=no volume plugin matched: volumes of kind ${kind} are not supported by this node`,
    'process',
  );
}

/** The claim that a volume names, or that the pod brings with it; undefined = it is no such volume. */
export function claimOfVolume(
  pod: Pod,
  volume: coreV1.Volume,
): { readonly name: string; readonly readOnly: boolean } | undefined {
  const { persistentVolumeClaim: source } = volume;
  if (source !== undefined) return { name: source.claimName, readOnly: source.readOnly === true };
  if (volume.ephemeral === undefined) return undefined;
  return { name: ephemeralClaimName(pod.metadata.name, volume.name), readOnly: false };
}

/** Of a volume that is no claim. Throws a VolumeError when this node cannot mount its kind. */
export function planVolume(volume: coreV1.Volume): VolumeSource {
  const kind = volumeKind(volume);
  const objects = objectKinds.find((one) => one === kind);
  if (objects !== undefined) return { how: 'objects', kind: objects };
  if (kind === 'emptyDir') return { how: 'emptyDir', emptyDir: volume.emptyDir ?? {} };
  if (volume.hostPath !== undefined)
    return { how: 'hostPath', hostPath: volume.hostPath, volume: undefined, readOnly: false };
  return refuse(kind, { source: volume.name, driver: volume.csi?.driver });
}

export interface ClaimedVolume {
  readonly pod: Pod;
  readonly volume: coreV1.Volume;
  readonly claim: PersistentVolumeClaim;
  /** Whether the pod has had it before: a claim that is going is kept for those who use it. */
  readonly inUse: boolean;
}

/** The name of the volume that the claim has. Throws a VolumeError when it has none for this pod. */
export function volumeNameOf({ pod, volume, claim, inUse }: ClaimedVolume): string {
  if (volume.ephemeral !== undefined && !isMadeFor(pod, claim)) throw about(claim, notMadeFor(pod, claim));
  if (claim.metadata.deletionTimestamp !== undefined && !inUse) throw about(claim, 'PVC is being deleted');
  if (claim.status?.phase !== 'Bound') throw about(claim, 'PVC is not bound');
  if (!claim.spec.volumeName) throw about(claim, 'PVC has empty pvc.Spec.VolumeName');
  return claim.spec.volumeName;
}

export interface BoundVolume {
  readonly pod: Pod;
  readonly volume: coreV1.Volume;
  readonly claim: PersistentVolumeClaim;
  readonly found: PersistentVolume;
  readonly node: SelectableNode | undefined;
}

/** Of the volume that a claim has. Throws a VolumeError when it is not the claim's, or this node cannot reach or mount it. */
export function planPersistentVolume({ pod, volume, claim, found, node }: BoundVolume): VolumeSource {
  const { name } = found.metadata;
  const { claimRef, volumeMode = 'Filesystem', nodeAffinity, local, hostPath } = found.spec;
  if (claimRef === undefined)
    throw about(
      claim,
      `found PV object ${name} but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim`,
    );
  if (!claimRef.uid || !isMeantFor(found, claim))
    throw about(
      claim,
      `found PV object ${name} but its pv.Spec.ClaimRef.UID ${claimRef.uid ?? ''} does not point to claim.UID ${claim.metadata.uid}`,
    );
  const { mounts, devices } = volumesInUse(pod);
  if (mounts.has(volume.name) && volumeMode !== 'Filesystem')
    throw new VolumeError(
      `volume ${volume.name} has volumeMode ${volumeMode}, but is specified in volumeMounts`,
      'process',
    );
  if (devices.has(volume.name) && volumeMode !== 'Block')
    throw new VolumeError(
      `volume ${volume.name} has volumeMode ${volumeMode}, but is specified in volumeDevices`,
      'process',
    );
  if (volumeMode === 'Block')
    throw new VolumeError(
      `volume ${volume.name} has volumeMode Block, which is not supported by this node`,
      'process',
    );
  const terms = nodeAffinity?.required?.nodeSelectorTerms;
  if (terms !== undefined && node !== undefined && !compileNodeSelectorTerms(terms)(node))
    throw new VolumeError('no matching NodeSelectorTerms', 'MountVolume.NodeAffinity check');
  const readOnly = claimOfVolume(pod, volume)?.readOnly === true;
  if (local !== undefined) return { how: 'local', volume: found, readOnly };
  if (hostPath !== undefined) {
    if ((found.spec.mountOptions ?? []).length > 0)
      throw new VolumeError('Mount options are not supported for volume of kind hostPath');
    return { how: 'hostPath', hostPath, volume: found, readOnly };
  }
  return refuse(persistentKind(found), { source: name, driver: found.spec.csi?.driver });
}

const about = ({ metadata }: PersistentVolumeClaim, why: string): VolumeError =>
  new VolumeError(`error processing PVC ${metadata.namespace}/${metadata.name}: ${why}`, 'process');

/** Names of the volumes that containers mount, and that they have as devices. Others are not set up at all. */
export function volumesInUse({ spec }: Pod): { mounts: ReadonlySet<string>; devices: ReadonlySet<string> } {
  const mounts = new Set<string>();
  const devices = new Set<string>();
  for (const one of [
    ...(spec.initContainers ?? []),
    ...spec.containers,
    ...(spec.ephemeralContainers ?? []),
  ]) {
    for (const { name } of one.volumeMounts ?? []) mounts.add(name);
    for (const { name } of one.volumeDevices ?? []) devices.add(name);
  }
  return { mounts, devices };
}
