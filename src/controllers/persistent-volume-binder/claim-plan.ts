// What a claim needs next. Pure: one step at a time, decided from what is there, so that it does not matter who took the step before
// or whether anybody saw it through.
import {
  bindCompletedAnnotation,
  boundByControllerAnnotation,
  isMeantFor,
  needsOf,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
  saysStorageClass,
  selectedNodeAnnotation,
  storageClassOf,
  volumeMismatch,
  waitsForConsumer,
} from '../../api/index.ts';
import type { EventType } from '../../client/index.ts';
import { semanticEqual } from '../../machinery/index.ts';

export interface Saying {
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
}

export type ClaimPlan =
  | { readonly step: 'bind'; readonly volume: PersistentVolume }
  /** Nothing to be had now. `say` tells why. */
  | { readonly step: 'wait'; readonly say: Saying | undefined }
  /** What it had is gone; to be confirmed by the server before it is said. */
  | { readonly step: 'lose'; readonly say: Saying }
  | { readonly step: 'assignClass'; readonly name: string }
  /** Somebody shall make a volume. undefined = there is no such class. */
  | { readonly step: 'provision'; readonly storageClass: StorageClass | undefined };

/** What the plan may look at. All from memory. */
export interface ClaimSurroundings {
  volume(name: string): PersistentVolume | undefined;
  /** The volume that is reserved for the claim, or the best of the free ones unless `reservedOnly`. */
  match(claim: PersistentVolumeClaim, reservedOnly: boolean): PersistentVolume | undefined;
  storageClass(name: string): StorageClass | undefined;
  defaultClass(): StorageClass | undefined;
  /** Names of pods that use the claim and have no node yet. */
  waitingPods(): readonly string[];
}

export function planClaim(claim: PersistentVolumeClaim, around: ClaimSurroundings): ClaimPlan {
  if (claim.metadata.annotations?.[bindCompletedAnnotation] !== undefined)
    return planOnceBound(claim, around);
  return claim.spec.volumeName ? planPreBound(claim, around) : planUnbound(claim, around);
}

function planUnbound(claim: PersistentVolumeClaim, around: ClaimSurroundings): ClaimPlan {
  const className = storageClassOf(claim);
  const storageClass = className === '' ? undefined : around.storageClass(className);
  const delayed = waitsForConsumer(storageClass);
  const ending = claim.metadata.deletionTimestamp !== undefined;
  // Where the pod goes decides which volume it gets, so only the scheduler picks one of the free.
  const volume = around.match(claim, delayed || ending);
  if (volume !== undefined) return { step: 'bind', volume };
  if (ending) return { step: 'wait', say: undefined };
  if (!saysStorageClass(claim)) {
    const name = around.defaultClass()?.metadata.name;
    if (name !== undefined) return { step: 'assignClass', name };
  }
  if (delayed && claim.metadata.annotations?.[selectedNodeAnnotation] === undefined)
    return { step: 'wait', say: sayDelayed(around.waitingPods()) };
  if (className !== '') return { step: 'provision', storageClass };
  return {
    step: 'wait',
    say: {
      type: 'Normal',
      reason: 'FailedBinding',
      message: 'no persistent volumes available for this claim and no storage class is set',
    },
  };
}

function sayDelayed(pods: readonly string[]): Saying {
  if (pods.length === 0)
    return {
      type: 'Normal',
      reason: 'WaitForFirstConsumer',
      message: 'waiting for first consumer to be created before binding',
    };
  return {
    type: 'Normal',
    reason: 'WaitForPodScheduled',
    message: `waiting for pod${pods.length > 1 ? 's' : ''} ${pods.join(',')} to be scheduled`,
  };
}

/** The claim names a volume, be it that its author did or that the binding was cut off half-way. */
function planPreBound(claim: PersistentVolumeClaim, around: ClaimSurroundings): ClaimPlan {
  const volume = around.volume(claim.spec.volumeName ?? '');
  if (volume === undefined) return { step: 'wait', say: undefined };
  if (volume.spec.claimRef === undefined) {
    const why = volumeMismatch(needsOf(claim), volume);
    if (why === undefined) return { step: 'bind', volume };
    const message = `Cannot bind to requested volume ${JSON.stringify(volume.metadata.name)}: ${why}`;
    return { step: 'wait', say: { type: 'Warning', reason: 'VolumeMismatch', message } };
  }
  if (isMeantFor(volume, claim)) return { step: 'bind', volume };
  const message = `volume ${JSON.stringify(volume.metadata.name)} already bound to a different claim.`;
  return { step: 'wait', say: { type: 'Warning', reason: 'FailedBinding', message } };
}

function planOnceBound(claim: PersistentVolumeClaim, around: ClaimSurroundings): ClaimPlan {
  const lose = (reason: string, message: string): ClaimPlan => ({
    step: 'lose',
    say: { type: 'Warning', reason, message },
  });
  if (!claim.spec.volumeName)
    return lose(
      'ClaimLost',
      'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!',
    );
  const volume = around.volume(claim.spec.volumeName);
  if (volume === undefined)
    return lose('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  const ref = volume.spec.claimRef;
  if (ref === undefined || ref.uid === claim.metadata.uid) return { step: 'bind', volume };
  return lose('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
}

/** A merge patch that notes the volume on the claim and that this has been done; undefined = it is noted. */
export function patchToBindClaim(
  { metadata, spec }: PersistentVolumeClaim,
  { metadata: volume }: PersistentVolume,
): object | undefined {
  const named = spec.volumeName === volume.name;
  const completed = metadata.annotations?.[bindCompletedAnnotation] !== undefined;
  if (named && completed) return undefined;
  const mark = !named && metadata.annotations?.[boundByControllerAnnotation] === undefined;
  return {
    metadata: {
      resourceVersion: metadata.resourceVersion,
      annotations: {
        [bindCompletedAnnotation]: 'yes',
        ...(mark && { [boundByControllerAnnotation]: 'yes' }),
      },
    },
    ...(!named && { spec: { volumeName: volume.name } }),
  };
}

/** Holds what a volume that is being grown had before, for a claim that was not yet told. */
const preResizeCapacityAnnotation = 'volume.alpha.kubernetes.io/pre-resize-capacity';

/** A merge patch of the status of a claim with a volume; undefined = it says so already. */
export function boundStatus(
  { metadata, status = {} }: PersistentVolumeClaim,
  { metadata: volumeMeta, spec }: PersistentVolume,
): object | undefined {
  const becomes = status.phase !== 'Bound';
  const accessModes = spec.accessModes ?? [];
  if (!becomes && semanticEqual(status.accessModes ?? [], accessModes)) return undefined;
  const preResize = volumeMeta.annotations?.[preResizeCapacityAnnotation];
  const capacity = preResize === undefined ? (spec.capacity ?? {}) : { ...spec.capacity, storage: preResize };
  const attributesClass = spec.volumeAttributesClassName;
  return {
    metadata: { resourceVersion: metadata.resourceVersion },
    status: {
      phase: 'Bound',
      accessModes,
      // What a bound claim says of its size is the business of whoever grows it.
      ...(becomes && { capacity }),
      ...(becomes && attributesClass !== undefined && { currentVolumeAttributesClassName: attributesClass }),
    },
  };
}

/** A merge patch of the status of a claim without one; undefined = it says so already. */
export function unboundStatus(
  { metadata, status = {} }: PersistentVolumeClaim,
  phase: 'Pending' | 'Lost',
): object | undefined {
  const { accessModes, capacity, currentVolumeAttributesClassName } = status;
  if (
    status.phase === phase &&
    accessModes === undefined &&
    capacity === undefined &&
    currentVolumeAttributesClassName === undefined
  )
    return undefined;
  return {
    metadata: { resourceVersion: metadata.resourceVersion },
    status: { phase, accessModes: null, capacity: null, currentVolumeAttributesClassName: null },
  };
}
