// Ephemeral volumes: makes the claims that pods bring with them. Its keys are the claims that pods ask for, so that pods without such
// volumes cost nothing, and a claim that somebody took away is made again.
import { claimsOfPod, PersistentVolumeClaim, Pod } from '../../api/index.ts';
import { isAlreadyExists } from '../../machinery/index.ts';
import { indexPodByClaim, podsByClaim } from '../claim-users.ts';
import { type Controller, defineController, maps, TerminalError } from '../framework/index.ts';
import { isNamespaceEnding } from '../pod-facts.ts';
import { planEphemeralClaim } from './plan.ts';

export const ephemeralVolumeController: Controller = defineController({
  name: 'ephemeral-volume',
  component: 'ephemeral_volume',
  reconciles: PersistentVolumeClaim,
  // Whose it is never changes while it exists.
  when: () => false,
  watches: [
    maps(Pod, (pod) => (pod.spec.volumes?.some((v) => v.ephemeral !== undefined) ? claimsOfPod(pod) : []), {
      when: () => false,
    }),
  ],
  concurrency: 5,

  build({ lister, informer, client, event }) {
    const claims = lister(PersistentVolumeClaim);
    const pods = informer(Pod);
    pods.addIndex(podsByClaim, indexPodByClaim);

    return async function reconcile(key) {
      for (const pod of pods.byIndex(podsByClaim, key)) {
        const plan = planEphemeralClaim(pod, key, claims.get(key));
        if (plan === undefined) continue;
        const tell = (what: string) =>
          event(pod, 'Warning', 'FailedBinding', `ephemeral volume ${plan.volume}: ${what}`);
        if (plan.conflict !== undefined) {
          tell(plan.conflict);
          // Only its end can help, and that wakes this key.
          throw new TerminalError(plan.conflict);
        }
        try {
          await client(PersistentVolumeClaim).create(plan.create);
        } catch (error) {
          // Somebody was faster: the cache will show who.
          if (isNamespaceEnding(error)) return;
          if (!isAlreadyExists(error))
            tell(`create PVC ${plan.create.metadata.name}: ${(error as Error).message}`);
          throw error;
        }
        return;
      }
    };
  },
});
