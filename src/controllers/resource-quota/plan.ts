// What the status of a quota should say. Pure.
//
// A write is charged to its quota a moment before its object can be seen. A recount in that moment would miss the object and give its
// share away twice. So a difference is looked at twice, `settleMs` apart: what was charged before the first look is visible at the
// second, and what was charged in between is added to the count. At worst some of it is counted double, which the next recount, that
// follows at once, puts right. Never is more given away than there is.
import {
  amountsOf,
  excessOf,
  isSame,
  isSameList,
  listOf,
  only,
  type QuotaAmounts,
  type ResourceQuota,
  sumOf,
} from '../../api/index.ts';

/** How long a write that was charged may take until every cache shows its object. */
export const settleMs = 200;

/** What was used, and since when a difference to the count is known. */
export interface FirstLook {
  readonly atMs: number;
  readonly used: QuotaAmounts;
}

export interface RecountInput {
  readonly quota: ResourceQuota;
  /** What the objects of the namespace use, by names. Names that nothing counts are not in it. */
  readonly counted: QuotaAmounts;
  readonly firstLook: FirstLook | undefined;
  readonly nowMs: number;
}

export interface RecountPlan {
  /** undefined = nothing is to be written. */
  readonly status: NonNullable<ResourceQuota['status']> | undefined;
  /** To be handed in again at the next look; undefined = there was no difference. */
  readonly firstLook: FirstLook | undefined;
  /** undefined = when something changes. */
  readonly lookAgainInMs: number | undefined;
}

export function planRecount({ quota, counted, firstLook, nowMs }: RecountInput): RecountPlan {
  const hard = quota.spec.hard ?? {};
  const names = Object.keys(hard);
  const before = quota.status;
  const charged = only(amountsOf(before?.used), names);
  const known = only(counted, names);
  const plan = (used: QuotaAmounts, next: FirstLook | undefined): RecountPlan => {
    const status = { hard, used: listOf(used) };
    const same = isSameList(before?.hard, hard) && isSameList(before?.used, status.used);
    const lookAgainInMs = next === undefined ? undefined : Math.max(1, next.atMs + settleMs - nowMs);
    return { status: same ? undefined : status, firstLook: next, lookAgainInMs };
  };
  // What was not limited before cannot have been charged.
  const fresh = only(
    known,
    names.filter((name) => !charged.has(name)),
  );
  const all = sumOf(charged, fresh);
  if (isSame(all, known)) {
    const plain = plan(all, undefined);
    // What was made before there was a limit was not charged, and may not be seen yet.
    return fresh.size === 0 ? plain : { ...plain, lookAgainInMs: settleMs };
  }
  if (firstLook === undefined || nowMs < firstLook.atMs + settleMs)
    return plan(all, firstLook ?? { atMs: nowMs, used: charged });
  const since = only(excessOf(charged, firstLook.used), [...known.keys()]);
  const used = sumOf(known, since);
  return plan(used, since.size === 0 ? undefined : { atMs: nowMs, used });
}
