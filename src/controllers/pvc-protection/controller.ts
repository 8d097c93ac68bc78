// Claim protection: a claim that is deleted while pods use it goes when the last of them has gone. Before it lets go it asks the
// server, since a pod may have been placed that the cache does not show yet.
import {
  claimsOfPod,
  claimProtectionFinalizer as finalizer,
  PersistentVolumeClaim,
  Pod,
} from '../../api/index.ts';
import { isNotFound } from '../../machinery/index.ts';
import { indexPodByClaim, podsByClaim, usesClaim } from '../claim-users.ts';
import { type Controller, defineController, maps } from '../framework/index.ts';
import { finalizersPatch, planProtection, withFinalizer, withoutFinalizer } from '../protection.ts';
import { SharedReads } from './shared-reads.ts';

export const pvcProtectionController: Controller = defineController({
  name: 'pvc-protection',
  reconciles: PersistentVolumeClaim,
  watches: [
    maps(Pod, claimsOfPod, {
      // Deletion is told besides; else a pod stops to use a claim only by becoming a shell.
      when: (old, pod) => old.metadata.deletionGracePeriodSeconds !== pod.metadata.deletionGracePeriodSeconds,
    }),
  ],
  // Those that are worked on at once share one list of pods.
  concurrency: 20,

  build({ lister, informer, client, log }) {
    const claims = lister(PersistentVolumeClaim);
    const pods = informer(Pod);
    pods.addIndex(podsByClaim, indexPodByClaim);
    const livePods = new SharedReads(async (namespace) => (await client(Pod).list({ namespace })).items);

    return async function reconcile(key, signal) {
      const claim = claims.get(key);
      if (claim === undefined) return;
      const { name, namespace } = claim.metadata;
      const plan = planProtection(claim, finalizer, () =>
        pods.byIndex(podsByClaim, key).some((pod) => usesClaim(pod, claim)),
      );
      if (plan === 'nothing') return;
      if (plan === 'release') {
        const live = await livePods.read(namespace ?? '');
        // Whoever uses it is on the way into the cache, and wakes this claim when gone.
        if (live.some((pod) => usesClaim(pod, claim))) return;
        signal.throwIfAborted();
      }
      const finalizers =
        plan === 'release' ? withoutFinalizer(claim, finalizer) : withFinalizer(claim, finalizer);
      await client(PersistentVolumeClaim)
        .patch({ name, namespace }, 'merge', finalizersPatch(claim, finalizers))
        .catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      if (plan === 'release') log.info('claim is unused and may go', { claim: key });
    };
  },
});
