// What becomes of a claim on devices: pods that do not use it any more are taken out, with the last of them goes the allocation and
// what keeps the claim from going, and a claim that was made for a pod that has ended goes too. Pure.
import {
  deviceFinalizer,
  isTerminal,
  isTerminating,
  type Pod,
  type ResourceClaim,
  type resourceV1,
} from '../../api/index.ts';
import { controllerOf } from '../../machinery/index.ts';

type Consumer = resourceV1.ResourceClaimConsumerReference;

export interface ClaimPlan {
  /** The status as it shall be; undefined = as it is. */
  readonly status: resourceV1.ResourceClaimStatus | undefined;
  /** After that. */
  readonly dropFinalizer: boolean;
  /** At last. */
  readonly delete: boolean;
}

/** None of its containers runs or will ever run. */
export const isPodDone = (pod: Pod): boolean => isTerminal(pod) || (isTerminating(pod) && !pod.spec.nodeName);

/** Nobody but pods can be looked up here. */
export const isPodConsumer = ({ apiGroup = '', resource }: Consumer): boolean =>
  apiGroup === '' && resource === 'pods';

/** Whether the consumer may still use the claim, by what `pod` is there under its name now. */
export const stillUses = ({ uid }: Consumer, pod: Pod | undefined): boolean =>
  pod !== undefined && pod.metadata.uid === uid && !isPodDone(pod);

/** The pod that the claim was made for; undefined = it was made by somebody. */
export function ownerOf(claim: ResourceClaim): { readonly name: string; readonly uid: string } | undefined {
  const owner = controllerOf(claim);
  return owner?.kind === 'Pod' && owner.apiVersion === 'v1' ? owner : undefined;
}

/** `users`: those of its consumers that still use it. `owner`: the pod that has the name of whom it was made for; undefined = unknown. */
export function planClaim(
  claim: ResourceClaim,
  { users, owner }: { readonly users: readonly Consumer[]; readonly owner: Pod | undefined },
): ClaimPlan {
  const { metadata, status = {} } = claim;
  const held = metadata.finalizers?.includes(deviceFinalizer) === true;
  const deleted = metadata.deletionTimestamp !== undefined;
  const unused = users.length === 0;
  const left = users.length < (status.reservedFor ?? []).length;
  // Only who has stopped being used, or is to go, is deallocated: a claim may be allocated before anybody uses it.
  const free = held && unused && (left || deleted);
  const allocated = status.allocation !== undefined;
  const madeFor = ownerOf(claim);
  return {
    status: left || (free && allocated) ? statusOf(status, users, free) : undefined,
    dropFinalizer: held && (free || (left && !allocated)),
    // Its end is awaited already when it is deleted; what became of a pod that is not known, the garbage collector finds out.
    delete:
      unused &&
      !deleted &&
      madeFor !== undefined &&
      owner !== undefined &&
      (owner.metadata.uid !== madeFor.uid || isPodDone(owner)),
  };
}

function statusOf(
  status: resourceV1.ResourceClaimStatus,
  users: readonly Consumer[],
  free: boolean,
): resourceV1.ResourceClaimStatus {
  const { allocation, reservedFor: _, devices, ...rest } = status;
  return {
    ...rest,
    ...(users.length > 0 && { reservedFor: [...users] }),
    // What drivers say of devices is said of those that are allocated.
    ...(!free && allocation !== undefined && { allocation }),
    ...(!free && devices !== undefined && { devices }),
  };
}
