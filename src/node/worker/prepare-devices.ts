// Devices that a pod has claims on, before its sandbox is made. No driver of devices can register with this node, so what is found is why
// the pod cannot start: a claim that is not the pod's to use comes first.
import { claimAwaited, claimReference, type Pod, ResourceClaim } from '../../api/index.ts';
import type { Client } from '../../client/index.ts';
import { whyNotUsable } from '../plan/device-claims.ts';

/** Resolves when every claim of the pod is ready on this node; rejects with the reason why one is not. */
export async function prepareDevices(client: Client, pod: Pod): Promise<void> {
  const { namespace } = pod.metadata;
  for (const entry of pod.spec.resourceClaims ?? []) {
    const reference = claimReference(pod, entry);
    if (reference === 'none') continue;
    if (reference === 'awaited') throw new Error(claimAwaited(pod));
    const claim = await fetchClaim(client, reference.name, namespace);
    const why = whyNotUsable(pod, claim, reference);
    if (why !== undefined) throw new Error(why);
    for (const { driver } of claim.status?.allocation?.devices?.results ?? [])
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
