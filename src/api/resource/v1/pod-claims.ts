// Which claims on devices a pod has, and who may use a claim. As Kubernetes' dynamic-resource-allocation/resourceclaim.
import { controllerOf } from '../../../machinery/index.ts';
import type { Pod, PodResourceClaim } from '../../generated/core-v1.ts';
import type { ResourceClaim, ResourceClaimConsumerReference } from '../../generated/resource-v1.ts';

/** Keeps an allocated claim until its devices are free. */
export const deviceFinalizer = 'resource.kubernetes.io/delete-protection';
/** On a claim that was made for a pod: the entry of the pod's resourceClaims. */
export const podClaimAnnotation = 'resource.kubernetes.io/pod-claim-name';
/** A claim serves so many at once. */
export const maxClaimConsumers = 256;

export type ClaimReference =
  /** `ofPod` = it must have been made for the pod. */
  | { readonly name: string; readonly ofPod: boolean }
  /** None was needed: the entry is to be passed over. */
  | 'none'
  /** One is to be made from a template and has not been yet. */
  | 'awaited';

/** The claim of an entry of the pod's resourceClaims. */
export function claimReference(pod: Pod, entry: PodResourceClaim): ClaimReference {
  if (entry.resourceClaimName !== undefined) return { name: entry.resourceClaimName, ofPod: false };
  const status = (pod.status?.resourceClaimStatuses ?? []).find(({ name }) => name === entry.name);
  if (status === undefined) return 'awaited';
  return status.resourceClaimName === undefined ? 'none' : { name: status.resourceClaimName, ofPod: true };
}

/** What is said while a claim is awaited. */
export const claimAwaited = ({ metadata: { namespace, name } }: Pod): string =>
  `pod "${namespace}/${name}": ResourceClaim not created yet`;

/** `namespace/name` of the claims that are known by name. */
export function deviceClaimsOf(pod: Pod): readonly string[] {
  const out: string[] = [];
  for (const entry of pod.spec.resourceClaims ?? []) {
    const reference = claimReference(pod, entry);
    if (typeof reference === 'object') out.push(`${pod.metadata.namespace}/${reference.name}`);
  }
  return out;
}

/** Whether the claim is the one that was made for this pod, and not for one before it. */
export const isClaimOfPod = (pod: Pod, claim: ResourceClaim): boolean =>
  claim.metadata.namespace === pod.metadata.namespace && controllerOf(claim)?.uid === pod.metadata.uid;

/** What the pod is told when it is not. */
export const notClaimOfPod = ({ metadata: pod }: Pod, { metadata: claim }: ResourceClaim): string =>
  `ResourceClaim ${claim.namespace}/${claim.name} was not created for pod ${pod.namespace}/${pod.name} (pod is not owner)`;

export const isReservedForPod = (pod: Pod, claim: ResourceClaim): boolean =>
  (claim.status?.reservedFor ?? []).some(({ uid }) => uid === pod.metadata.uid);

export const canBeReserved = ({ status }: ResourceClaim): boolean =>
  (status?.reservedFor ?? []).length < maxClaimConsumers;

/** How a pod stands among those that use a claim. */
export const consumerReference = ({ metadata: { name, uid } }: Pod): ResourceClaimConsumerReference => ({
  resource: 'pods',
  name,
  uid,
});
