// The volume controller: claims find volumes, volumes get and lose claims. One queue for both sides, since each step of one is a change
// that the other waits for; keys of claims have a slash, those of volumes have none.
import {
  claimKeyOf,
  claimsOfPod,
  isDefaultClass,
  needsOf,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
  storageClassOf,
  volumeMismatch,
} from '../../api/index.ts';
import { keyOf } from '../../machinery/index.ts';
import { type Controller, type ControllerContext, defineController, maps } from '../framework/index.ts';
import { ClaimSide } from './claim-side.ts';
import type { VolumeProvisioner } from './provisioner.ts';
import { Provisioning } from './provisioning.ts';
import { claimsByVolume, isClaimKey, Storage, unboundByClass, volumesByClaim } from './storage.ts';
import { VolumeSide } from './volume-side.ts';

export interface VolumeBinderOptions {
  /** Those built in; classes that name another are left to provisioners outside. */
  readonly provisioners: readonly VolumeProvisioner[];
}

export const persistentVolumeController = ({ provisioners }: VolumeBinderOptions): Controller =>
  defineController({
    // Its events come from persistentvolume-controller, as Kubernetes'.
    name: 'persistentvolume',
    reconciles: PersistentVolumeClaim,
    watches: [
      maps(PersistentVolume, keysOfVolume),
      maps(StorageClass, (storageClass, lister) =>
        unboundOf(lister, [storageClass.metadata.name, ...(isDefaultClass(storageClass) ? [''] : [])]),
      ),
      // Who waits for a pod says for which.
      maps(Pod, (pod) => (pod.spec.nodeName ? [] : claimsOfPod(pod)), { when: () => false }),
    ],
    // Provisioners take their time.
    concurrency: 10,

    build(context) {
      const storage = new Storage(context);
      const provisioning = new Provisioning(context, storage, provisioners);
      const claimSide = new ClaimSide(storage, provisioning);
      const volumeSide = new VolumeSide(context, storage, provisioning);

      return async function reconcile(key, signal) {
        if (!isClaimKey(key)) {
          const volume = storage.volumes.get(key);
          if (volume !== undefined) await volumeSide.reconcile(volume, signal);
          return;
        }
        // A claim that has changed, or has gone, decides the phase of the volumes that name it.
        for (const { metadata } of storage.volumes.byIndex(volumesByClaim, key))
          context.enqueue(metadata.name);
        const claim = storage.claims.get(key);
        if (claim !== undefined) await claimSide.reconcile(claim, signal);
      };
    },
  });

type ListerOf = ControllerContext['lister'];

/** The volume, the claim it names, the claims that name it, and those that it may serve. */
function keysOfVolume(volume: PersistentVolume, lister: ListerOf): readonly string[] {
  const { name } = volume.metadata;
  const keys = [name, ...lister(PersistentVolumeClaim).byIndex(claimsByVolume, name).map(keyOf)];
  const named = claimKeyOf(volume);
  if (named !== undefined) keys.push(named);
  else if (volume.status?.phase === 'Available')
    for (const claim of lister(PersistentVolumeClaim).byIndex(unboundByClass, storageClassOf(volume)))
      if (volumeMismatch(needsOf(claim), volume) === undefined) keys.push(keyOf(claim));
  return keys;
}

const unboundOf = (lister: ListerOf, classes: readonly string[]): readonly string[] =>
  classes.flatMap((name) => lister(PersistentVolumeClaim).byIndex(unboundByClass, name).map(keyOf));
