// Whether a pod may have what its claims on devices were given, in the kubelet's words and order (pkg/kubelet/cm/dra). Pure.
import {
  claimAwaited,
  claimReference,
  isClaimOfPod,
  isReservedForPod,
  notClaimOfPod,
  type Pod,
  type ResourceClaim,
} from '../../api/index.ts';

/** Why the pod may not use a claim that it names, or that must have been made for it (`ofPod`); undefined = it may. */
export function whyNotUsable(
  pod: Pod,
  claim: ResourceClaim,
  { ofPod }: { readonly ofPod: boolean },
): string | undefined {
  const { name, uid } = claim.metadata;
  if (ofPod && !isClaimOfPod(pod, claim)) return notClaimOfPod(pod, claim);
  if (!isReservedForPod(pod, claim))
    return `pod ${pod.metadata.name} (${pod.metadata.uid}) is not allowed to use ResourceClaim ${name} (${uid})`;
  return claim.status?.allocation === undefined ? `ResourceClaim ${name}: not allocated` : undefined;
}

/** Why one of the pod's claims cannot be used; undefined = all can. */
export function whyNoDevices(
  pod: Pod,
  claimOf: (name: string) => ResourceClaim | undefined,
): string | undefined {
  for (const entry of pod.spec.resourceClaims ?? []) {
    const reference = claimReference(pod, entry);
    if (reference === 'none') continue;
    if (reference === 'awaited') return claimAwaited(pod);
    const { name } = reference;
    const claim = claimOf(name);
    if (claim === undefined)
      return `fetch ResourceClaim ${name}: resourceclaims.resource.k8s.io ${JSON.stringify(name)} not found`;
    const why = whyNotUsable(pod, claim, reference);
    if (why !== undefined) return why;
  }
  return undefined;
}
