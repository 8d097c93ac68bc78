// Who uses a claim: the index of pods by claim, and when a pod counts as a user. Pure.
import {
  claimsOfPod,
  ephemeralClaimName,
  isMadeFor,
  type PersistentVolumeClaim,
  type Pod,
} from '../api/index.ts';

/** The name of the index of pods by the claims (`namespace/name`) that they use. */
export const podsByClaim = 'byClaim';

/** One function for all who ask for that index. */
export const indexPodByClaim = (pod: Pod): readonly string[] => claimsOfPod(pod);

/**
 * A pod uses a claim from when it has a node until its object is gone, whether it still runs or not; as Kubernetes: its node may
 * still be unmounting. A claim that was made for the pod does not wait for what only waits for its own finalizers.
 */
export function usesClaim(pod: Pod, claim: PersistentVolumeClaim): boolean {
  if (!pod.spec.nodeName) return false;
  return (pod.spec.volumes ?? []).some(
    ({ name, persistentVolumeClaim, ephemeral }) =>
      persistentVolumeClaim?.claimName === claim.metadata.name ||
      (ephemeral !== undefined &&
        ephemeralClaimName(pod.metadata.name, name) === claim.metadata.name &&
        isMadeFor(pod, claim) &&
        !isShutDown(pod)),
  );
}

const isShutDown = ({ metadata }: Pod): boolean =>
  metadata.deletionTimestamp !== undefined && metadata.deletionGracePeriodSeconds === 0;
