// What a volume needs next. Pure, like claim-plan.ts: the claim's side does the binding, this side says what phase the volume is in and
// what becomes of it when its claim is gone.
import {
  boundByControllerAnnotation,
  hasOtherMode,
  migratedToAnnotation,
  type PersistentVolume,
  type PersistentVolumeClaim,
  provisionedByAnnotation,
} from '../../api/index.ts';
import type { Saying } from './claim-plan.ts';

/** Keeps a volume that one of our provisioners made until what is behind it has been deleted too. */
export const deletionFinalizer = 'kubernetes.io/pv-controller';

export type VolumePhase = 'Available' | 'Bound' | 'Released' | 'Failed';

export type VolumePlan =
  | { readonly step: 'phase'; readonly phase: 'Available' | 'Bound' }
  /** Its claim is gone, or has another volume: to be confirmed by the server when it is the first time that this is said. */
  | { readonly step: 'release' }
  /** It was bound for a claim that took another volume: the next may have it. */
  | { readonly step: 'unbind' }
  /** The claim's side completes the binding. */
  | { readonly step: 'leave'; readonly say: { volume: Saying; claim: Saying } | undefined };

export function planVolume(volume: PersistentVolume, named: PersistentVolumeClaim | undefined): VolumePlan {
  const ref = volume.spec.claimRef;
  if (ref === undefined || !ref.uid) return { step: 'phase', phase: 'Available' };
  // A claim of the same name that was made after ours is not ours.
  if (named === undefined || named.metadata.uid !== ref.uid) return { step: 'release' };
  const { volumeName } = named.spec;
  if (!volumeName) {
    if (!hasOtherMode(volume, named)) return { step: 'leave', say: undefined };
    const say = (message: string): Saying => ({ type: 'Warning', reason: 'VolumeMismatch', message });
    return {
      step: 'leave',
      say: {
        volume: say(
          `Cannot bind PersistentVolume to requested PersistentVolumeClaim ${JSON.stringify(named.metadata.name)} due to incompatible volumeMode.`,
        ),
        claim: say(
          `Cannot bind PersistentVolume ${JSON.stringify(volume.metadata.name)} to requested PersistentVolumeClaim due to incompatible volumeMode.`,
        ),
      },
    };
  }
  if (volumeName === volume.metadata.name) return { step: 'phase', phase: 'Bound' };
  const made = volume.metadata.annotations?.[provisionedByAnnotation] !== undefined;
  return made && volume.spec.persistentVolumeReclaimPolicy === 'Delete'
    ? { step: 'release' }
    : { step: 'unbind' };
}

/** A merge patch: what a binder reserved is free again, what its author reserved stays reserved by name. */
export function patchToUnbind({ metadata, spec }: PersistentVolume): object {
  const { resourceVersion } = metadata;
  if (metadata.annotations?.[boundByControllerAnnotation] === undefined)
    return { metadata: { resourceVersion }, spec: { claimRef: { ...spec.claimRef, uid: null } } };
  return {
    metadata: { resourceVersion, annotations: { [boundByControllerAnnotation]: null } },
    spec: { claimRef: null },
  };
}

/** A merge patch of the status; undefined = it is in that phase. A reason of before is void. */
export const phasePatch = (
  { metadata, status }: PersistentVolume,
  phase: VolumePhase,
  message = '',
): object | undefined =>
  status?.phase === phase
    ? undefined
    : {
        metadata: { resourceVersion: metadata.resourceVersion },
        status: { phase, message: message === '' ? null : message },
      };

export type Reclaim =
  | { readonly how: 'keep' }
  /** By one of our provisioners. */
  | { readonly how: 'delete'; readonly provisioner: string }
  /** Refused for good: nobody here can do it. */
  | { readonly how: 'fail'; readonly say: Saying };

/** What is done with a released volume. `isOurs` = a provisioner of that name is built in. */
export function planReclaim(volume: PersistentVolume, isOurs: (provisioner: string) => boolean): Reclaim {
  const { name, annotations } = volume.metadata;
  if (annotations?.[migratedToAnnotation]) return { how: 'keep' };
  const fail = (reason: string, message: string): Reclaim => ({
    how: 'fail',
    say: { type: 'Warning', reason, message },
  });
  switch (volume.spec.persistentVolumeReclaimPolicy) {
    case 'Retain':
      return { how: 'keep' };
    case 'Recycle':
      return fail('VolumeFailedRecycle', 'No recycler plugin found for the volume!');
    case 'Delete': {
      const maker = annotations?.[provisionedByAnnotation] ?? '';
      if (maker !== '' && isOurs(maker)) return { how: 'delete', provisioner: maker };
      if (maker === '')
        return fail(
          'VolumeFailedDelete',
          `error getting deleter volume plugin for volume ${JSON.stringify(name)}: no deletable volume plugin matched`,
        );
      return isBuiltInName(maker)
        ? fail('VolumeFailedDelete', `no volume plugin matched name: ${maker}`)
        : { how: 'keep' };
    }
    default:
      return fail('VolumeUnknownReclaimPolicy', 'Volume has unrecognized PersistentVolumeReclaimPolicy');
  }
}

/** Names that no provisioner outside may have. */
export const isBuiltInName = (provisioner: string): boolean => provisioner.startsWith('kubernetes.io/');

/**
 * The finalizers that a volume should have; undefined = those that it has. Only a volume that one of ours made and that is to be deleted
 * with its claim is kept for that; who changes the policy lets it go.
 */
export function plannedFinalizers(
  { metadata, spec }: PersistentVolume,
  isOurs: (provisioner: string) => boolean,
): readonly string[] | undefined {
  const maker = metadata.annotations?.[provisionedByAnnotation];
  const finalizers = metadata.finalizers ?? [];
  const has = finalizers.includes(deletionFinalizer);
  if (maker === undefined || !isOurs(maker)) return undefined;
  if (spec.persistentVolumeReclaimPolicy === 'Delete')
    return has || metadata.deletionTimestamp !== undefined ? undefined : [...finalizers, deletionFinalizer];
  return has ? finalizers.filter((one) => one !== deletionFinalizer) : undefined;
}
