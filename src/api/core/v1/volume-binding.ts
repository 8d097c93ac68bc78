// How claims and volumes find each other: the annotations in which binders speak to each other, and which volume serves which claim.
// Pure; the volume controller and the scheduler decide by the same rules, as two who bind must.
import {
  compareQuantity,
  compileLabelSelector,
  controllerOf,
  type LabelMatcher,
  labelRequirements,
  type Quantity,
} from '../../../machinery/index.ts';
import type {
  ObjectReference,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
} from '../../generated/core-v1.ts';
import type { StorageClass } from '../../generated/storage-v1.ts';
import { storageClassAnnotation } from './persistent-volume.ts';
import { quantityOrZero } from './pod/quantities.ts';

/** On a claim whose binding has been completed once; without its volume it is lost, not pending. */
export const bindCompletedAnnotation = 'pv.kubernetes.io/bind-completed';
/** On a claim or volume that a binder has bound to the other; without it the user did. */
export const boundByControllerAnnotation = 'pv.kubernetes.io/bound-by-controller';
/** On a volume that was made for a claim: by whom. */
export const provisionedByAnnotation = 'pv.kubernetes.io/provisioned-by';
/** On a volume or claim that a CSI driver has taken over from a plugin of old. */
export const migratedToAnnotation = 'pv.kubernetes.io/migrated-to';
/** On a claim that waited for its first consumer: the node on which the scheduler wants the volume. */
export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node';
/** On a claim for which somebody shall make a volume: who. The older name is written too, for provisioners that read it. */
export const storageProvisionerAnnotation = 'volume.kubernetes.io/storage-provisioner';
export const betaStorageProvisionerAnnotation = 'volume.beta.kubernetes.io/storage-provisioner';
/** The provisioner of classes whose volumes are made by hand. */
export const noProvisioner = 'kubernetes.io/no-provisioner';

export const volumeProtectionFinalizer = 'kubernetes.io/pv-protection';
export const claimProtectionFinalizer = 'kubernetes.io/pvc-protection';

/** '' = none. The annotation came before the field and still wins. */
export const storageClassOf = ({ metadata, spec }: PersistentVolume | PersistentVolumeClaim): string =>
  metadata.annotations?.[storageClassAnnotation] ?? spec.storageClassName ?? '';

/** Whether the claim says anything of a class, be it that it wants none (''). */
export const saysStorageClass = ({ metadata, spec }: PersistentVolumeClaim): boolean =>
  metadata.annotations?.[storageClassAnnotation] !== undefined || spec.storageClassName !== undefined;

export const waitsForConsumer = (storageClass: StorageClass | undefined): boolean =>
  storageClass?.volumeBindingMode === 'WaitForFirstConsumer';

/** The claim has its volume, and both sides have been written. */
export const isFullyBound = ({ metadata, spec }: PersistentVolumeClaim): boolean =>
  !!spec.volumeName && metadata.annotations?.[bindCompletedAnnotation] !== undefined;

/** Bound, or reserved by name for a claim that may not have been there yet. */
export function isMeantFor(volume: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const ref = volume.spec.claimRef;
  return (
    ref !== undefined &&
    ref.name === metadata.name &&
    ref.namespace === metadata.namespace &&
    (!ref.uid || ref.uid === metadata.uid)
  );
}

/** `namespace/name` of the claim that the volume belongs to or is reserved for. */
export const claimKeyOf = ({ spec: { claimRef } }: PersistentVolume): string | undefined =>
  claimRef === undefined ? undefined : `${claimRef.namespace ?? ''}/${claimRef.name ?? ''}`;

export const referenceToClaim = ({ metadata }: PersistentVolumeClaim): ObjectReference => ({
  kind: 'PersistentVolumeClaim',
  apiVersion: 'v1',
  namespace: metadata.namespace,
  name: metadata.name,
  uid: metadata.uid,
  resourceVersion: metadata.resourceVersion,
});

/** A merge patch that gives the volume to the claim; undefined = it is the claim's already. Refused when the volume has changed. */
export function patchToBindVolume(
  volume: PersistentVolume,
  claim: PersistentVolumeClaim,
): object | undefined {
  const mark =
    !isMeantFor(volume, claim) && volume.metadata.annotations?.[boundByControllerAnnotation] === undefined;
  if (volume.spec.claimRef?.uid === claim.metadata.uid && !mark) return undefined;
  return {
    metadata: {
      resourceVersion: volume.metadata.resourceVersion,
      ...(mark && { annotations: { [boundByControllerAnnotation]: 'yes' } }),
    },
    spec: { claimRef: referenceToClaim(claim) },
  };
}

/** What a claim asks of a volume, read once for many volumes. */
export interface ClaimNeeds {
  readonly claim: PersistentVolumeClaim;
  readonly size: Quantity;
  readonly accessModes: readonly string[];
  readonly volumeMode: string;
  readonly storageClass: string;
  readonly attributesClass: string;
  readonly labels: LabelMatcher | undefined;
}

const modeOf = (volumeMode: string | undefined): string => volumeMode ?? 'Filesystem';

export function needsOf(claim: PersistentVolumeClaim): ClaimNeeds {
  const { spec } = claim;
  return {
    claim,
    size: quantityOrZero(spec.resources?.requests?.['storage']),
    accessModes: spec.accessModes ?? [],
    volumeMode: modeOf(spec.volumeMode),
    storageClass: storageClassOf(claim),
    attributesClass: spec.volumeAttributesClassName ?? '',
    labels: spec.selector === undefined ? undefined : compileLabelSelector(labelRequirements(spec.selector)),
  };
}

const sizes = new WeakMap<PersistentVolume, Quantity>();

/** Objects never change, so that the text is read once. */
export function volumeSize(volume: PersistentVolume): Quantity {
  let size = sizes.get(volume);
  if (size === undefined) sizes.set(volume, (size = quantityOrZero(volume.spec.capacity?.['storage'])));
  return size;
}

/** Why a volume that the claim names cannot serve it, in the words of events; undefined = it can. */
export function volumeMismatch(needs: ClaimNeeds, volume: PersistentVolume): string | undefined {
  const { metadata, spec } = volume;
  if (metadata.deletionTimestamp !== undefined)
    return `the volume is marked for deletion ${JSON.stringify(metadata.name)}`;
  if (compareQuantity(volumeSize(volume), needs.size) < 0) return 'requested PV is too small';
  if (storageClassOf(volume) !== needs.storageClass) return 'storageClassName does not match';
  if ((spec.volumeAttributesClassName ?? '') !== needs.attributesClass)
    return 'volumeAttributesClassName does not match';
  if (hasOtherMode(volume, needs.claim)) return 'incompatible volumeMode';
  if (!needs.accessModes.every((mode) => spec.accessModes?.includes(mode))) return 'incompatible accessMode';
  return undefined;
}

export const hasOtherMode = (volume: PersistentVolume, claim: PersistentVolumeClaim): boolean =>
  modeOf(volume.spec.volumeMode) !== modeOf(claim.spec.volumeMode);

/** A volume that was reserved for the claim may be of another class, and need not have the labels. */
function servesAsReserved(needs: ClaimNeeds, volume: PersistentVolume): boolean {
  const { metadata, spec } = volume;
  return (
    isMeantFor(volume, needs.claim) &&
    metadata.deletionTimestamp === undefined &&
    compareQuantity(volumeSize(volume), needs.size) >= 0 &&
    (spec.volumeAttributesClassName ?? '') === needs.attributesClass &&
    !hasOtherMode(volume, needs.claim) &&
    needs.accessModes.every((mode) => spec.accessModes?.includes(mode))
  );
}

/** A volume that nobody has. One whose phase is not known yet is left until it is. */
const servesAsFree = (needs: ClaimNeeds, volume: PersistentVolume): boolean =>
  volume.spec.claimRef === undefined &&
  volume.status?.phase === 'Available' &&
  volumeMismatch(needs, volume) === undefined &&
  (needs.labels === undefined || needs.labels(volume.metadata.labels));

/** With a smaller offer of modes first, then the smaller one: what others may need more is left to them. Names make it certain. */
function isBetter(a: PersistentVolume, b: PersistentVolume): boolean {
  const modes = (a.spec.accessModes?.length ?? 0) - (b.spec.accessModes?.length ?? 0);
  if (modes !== 0) return modes < 0;
  const size = compareQuantity(volumeSize(a), volumeSize(b));
  return size === 0 ? a.metadata.name < b.metadata.name : size < 0;
}

/** The volume that is reserved for the claim; `reserved` holds those that name it. */
export function findReserved(
  needs: ClaimNeeds,
  reserved: Iterable<PersistentVolume>,
): PersistentVolume | undefined {
  for (const volume of reserved) if (servesAsReserved(needs, volume)) return volume;
  return undefined;
}

/** The best of the volumes that nobody has. `usable` is asked last, since it may be the dearest question. */
export function findFree(
  needs: ClaimNeeds,
  volumes: Iterable<PersistentVolume>,
  usable: (volume: PersistentVolume) => boolean,
): PersistentVolume | undefined {
  let best: PersistentVolume | undefined;
  for (const volume of volumes)
    if (servesAsFree(needs, volume) && (best === undefined || isBetter(volume, best)) && usable(volume))
      best = volume;
  return best;
}

/** `namespace/name` of each claim that the pod uses, those made for its ephemeral volumes included. */
export function claimsOfPod({ metadata, spec }: Pod): readonly string[] {
  if (spec.volumes === undefined) return [];
  const out: string[] = [];
  for (const { name, persistentVolumeClaim, ephemeral } of spec.volumes) {
    if (persistentVolumeClaim !== undefined)
      out.push(`${metadata.namespace}/${persistentVolumeClaim.claimName}`);
    else if (ephemeral !== undefined)
      out.push(`${metadata.namespace}/${ephemeralClaimName(metadata.name, name)}`);
  }
  return out;
}

export const ephemeralClaimName = (pod: string, volume: string): string => `${pod}-${volume}`;

/** A claim of the name of an ephemeral volume's that somebody else made is not the pod's. */
export const isMadeFor = (pod: Pod, claim: PersistentVolumeClaim): boolean =>
  claim.metadata.namespace === pod.metadata.namespace && controllerOf(claim)?.uid === pod.metadata.uid;

/** What the pod is told when it is not. */
export const notMadeFor = ({ metadata: pod }: Pod, { metadata: claim }: PersistentVolumeClaim): string =>
  `PVC ${claim.namespace}/${claim.name} was not created for pod ${pod.namespace}/${pod.name} (pod is not owner)`;
