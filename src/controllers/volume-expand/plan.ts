// What a claim needs that asks for more than its volume has. Pure; one step at a time, the volume first, so that whoever comes after a
// crash goes on from there.
import {
  compareQuantities,
  type PersistentVolume,
  type PersistentVolumeClaim,
  provisionedByAnnotation,
} from '../../api/index.ts';

export type GrowthPlan =
  | { readonly step: 'nothing' }
  /** Somebody outside does it; users are told that they wait. */
  | { readonly step: 'external' }
  /** By one of our provisioners: what is behind the volume, then its size, then what the claim says of it. */
  | { readonly step: 'grow'; readonly provisioner: string; readonly size: string };

const finished = ['Resizing', 'FileSystemResizePending', 'ControllerResizeError', 'NodeResizeError'];

const storageOf = (list: Readonly<Record<string, string>> | undefined): string => list?.['storage'] ?? '0';

/** `grows` = whether a provisioner of that name is built in and its volumes grow. */
export function planGrowth(
  claim: PersistentVolumeClaim,
  volume: PersistentVolume | undefined,
  grows: (provisioner: string) => boolean,
): GrowthPlan {
  const { metadata, spec, status } = claim;
  const size = storageOf(spec.resources?.requests);
  if (status?.phase !== 'Bound' || metadata.deletionTimestamp !== undefined) return { step: 'nothing' };
  if (compareQuantities(size, storageOf(status.capacity)) <= 0) return { step: 'nothing' };
  if (volume === undefined || volume.spec.claimRef?.uid !== metadata.uid) return { step: 'nothing' };
  const provisioner = volume.metadata.annotations?.[provisionedByAnnotation] ?? '';
  return grows(provisioner) ? { step: 'grow', provisioner, size } : { step: 'external' };
}

/** A merge patch of the volume; undefined = it is as large already. */
export const volumeSizePatch = ({ metadata, spec }: PersistentVolume, size: string): object | undefined =>
  compareQuantities(storageOf(spec.capacity), size) >= 0
    ? undefined
    : { metadata: { resourceVersion: metadata.resourceVersion }, spec: { capacity: { storage: size } } };

/** A merge patch of the claim's status: it has what it asked for, and nothing is under way. */
export const grownStatusPatch = ({ metadata, status }: PersistentVolumeClaim, size: string): object => ({
  metadata: { resourceVersion: metadata.resourceVersion },
  status: {
    capacity: { storage: size },
    allocatedResources: { storage: size },
    allocatedResourceStatuses: null,
    conditions: keptConditions(status?.conditions),
  },
});

function keptConditions(conditions: NonNullable<PersistentVolumeClaim['status']>['conditions']) {
  const kept = (conditions ?? []).filter(({ type }) => !finished.includes(type));
  return kept.length === 0 ? null : kept;
}
