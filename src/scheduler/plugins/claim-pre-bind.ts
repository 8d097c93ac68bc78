// Before a pod is bound, what was decided about its claims on devices is written: the devices that each gets, and that the pod uses it.
// And the other way round, when the pod was not bound after all.
import {
  consumerReference,
  deviceFinalizer,
  isReservedForPod,
  type Pod,
  ResourceClaim,
  type resourceV1,
} from '../../api/index.ts';
import type { Client } from '../../client/index.ts';
import { isConflict, isNotFound, keyOf } from '../../machinery/index.ts';

const tries = 5;

/**
 * Notes the pod in the claim, and `allocation` if there is one to note. Harmless changes of others are taken in. Rejects with a text
 * for people when it cannot be so any more.
 */
export async function bindClaim(
  client: Client,
  {
    claim,
    pod,
    allocation,
  }: { claim: ResourceClaim; pod: Pod; allocation: resourceV1.AllocationResult | undefined },
  signal: AbortSignal,
): Promise<ResourceClaim> {
  let now = claim;
  for (let left = tries; ; left--)
    try {
      signal.throwIfAborted();
      return await write(client, { claim: now, pod, allocation });
    } catch (error) {
      if (!(error instanceof Refused) || !isConflict(error.cause) || left <= 1) throw error;
      const { name, namespace } = claim.metadata;
      now = await client(ResourceClaim)
        .get(name, namespace)
        .catch(refused(`get updated claim ${keyOf(claim)} after conflict`));
    }
}

class Refused extends Error {}

const refused =
  (doing: string) =>
  (cause: unknown): never => {
    throw new Refused(`${doing}: ${(cause as Error).message}`, { cause });
  };

async function write(
  client: Client,
  given: { claim: ResourceClaim; pod: Pod; allocation: resourceV1.AllocationResult | undefined },
): Promise<ResourceClaim> {
  const { pod, allocation } = given;
  let { claim } = given;
  const key = keyOf(claim);
  const { finalizers = [], deletionTimestamp } = claim.metadata;
  if (deletionTimestamp !== undefined) throw new Error(`claim ${key} got deleted in the meantime`);
  if (isReservedForPod(pod, claim)) return claim;
  if (allocation !== undefined) {
    if (claim.status?.allocation !== undefined)
      throw new Error(`claim ${key} got allocated elsewhere in the meantime`);
    if (!finalizers.includes(deviceFinalizer)) {
      const metadata = { ...claim.metadata, finalizers: [...finalizers, deviceFinalizer] };
      claim = await client(ResourceClaim)
        .update({ ...claim, metadata })
        .catch(refused(`add finalizer to claim ${key}`));
    }
  }
  const status = {
    ...claim.status,
    ...(allocation !== undefined && { allocation }),
    reservedFor: [...(claim.status?.reservedFor ?? []), consumerReference(pod)],
  };
  const what = allocation === undefined ? 'reservation' : 'allocation and reservation';
  return await client(ResourceClaim)
    .updateStatus({ ...claim, status })
    .catch(refused(`add ${what} to claim ${key}`));
}

/** The pod does not use the claim after all. */
export async function unreserveClaim(client: Client, claim: ResourceClaim, pod: Pod): Promise<void> {
  const { name, namespace, uid } = claim.metadata;
  const gone = { $patch: 'delete', uid: pod.metadata.uid };
  try {
    await client(ResourceClaim).patch({ name, namespace, subresource: 'status' }, 'strategic', {
      metadata: { uid },
      status: { reservedFor: [gone] },
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Nobody uses it, and where its devices are no pod can go: it shall get others. */
export async function deallocateClaim(client: Client, claim: ResourceClaim): Promise<void> {
  const { allocation: _, reservedFor: _users, devices: _devices, ...status } = claim.status ?? {};
  await client(ResourceClaim).updateStatus({ ...claim, status });
}
