// Devices that a pod has claims on, before its sandbox is made. No driver of devices can register with this node, so what is found is why
// the pod cannot start, in the kubelet's words and order (pkg/kubelet/cm/dra): a claim that is not the pod's to use comes first.
import {
  claimAwaited,
  claimReference,
  isClaimOfPod,
  isReservedForPod,
  notClaimOfPod,
  type Pod,
  ResourceClaim,
} from '../../api/index.ts';
import type { Client } from '../../client/index.ts';

/** Resolves when every claim of the pod is ready on this node; rejects with the reason why one is not. */
export async function prepareDevices(client: Client, pod: Pod): Promise<void> {
  const { name: podName, namespace, uid } = pod.metadata;
  for (const entry of pod.spec.resourceClaims ?? []) {
    const reference = claimReference(pod, entry);
    if (reference === 'none') continue;
    if (reference === 'awaited') throw new Error(claimAwaited(pod));
    const { name, ofPod } = reference;
    const claim = await fetchClaim(client, name, namespace);
    if (ofPod && !isClaimOfPod(pod, claim)) throw new Error(notClaimOfPod(pod, claim));
    if (!isReservedForPod(pod, claim))
      throw new Error(
        `pod ${podName} (${uid}) is not allowed to use ResourceClaim ${name} (${claim.metadata.uid})`,
      );
    const allocation = claim.status?.allocation;
    if (allocation === undefined) throw new Error(`ResourceClaim ${name}: not allocated`);
    for (const { driver } of allocation.devices?.results ?? [])
      throw new Error(`DRA driver ${driver} is not registered`);
  }
}

async function fetchClaim(
  client: Client,
  name: string,
  namespace: string | undefined,
): Promise<ResourceClaim> {
  try {
    return await client(ResourceClaim).get(name, namespace);
  } catch (cause) {
    throw new Error(`fetch ResourceClaim ${name}: ${(cause as Error).message}`, { cause });
  }
}
