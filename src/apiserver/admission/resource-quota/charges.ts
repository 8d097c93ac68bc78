// What a write takes from the quotas of its namespace, and whether there is room. Pure.
import {
  amountsOf,
  exceededBy,
  excessOf,
  isInScopes,
  only,
  type Pod,
  type QuotaAmounts,
  quotaResourcesOf,
  quotaUsage,
  type ResourceQuota,
  shownAmounts,
  sumOf,
  unsaidResources,
} from '../../../api/index.ts';
import { forbidden, type StatusError } from '../../../machinery/index.ts';
import { refOf } from '../../registry/core.ts';
import type { AdmissionRequest } from '../admission.ts';

type Write = Pick<AdmissionRequest, 'kind' | 'name' | 'object' | 'old'>;

const refuse = ({ kind, name }: Write, why: string): StatusError => forbidden(refOf(kind), name, why);

/**
 * What `write` takes from this quota; empty = nothing. Throws 403 when the quota cannot tell: the object leaves open what is limited, or
 * nobody has counted yet what is used.
 */
export function chargeOf(write: Write, quota: ResourceQuota, nowMs: number): QuotaAmounts {
  const { kind, object, old } = write;
  const { name } = quota.metadata;
  const names = quotaResourcesOf(kind, Object.keys(quota.status?.hard ?? {}));
  if (names.length === 0 || object === null || !isInScopes(quota.spec, kind, object)) return new Map();
  if (kind.kind === 'Pod' && kind.group === '') {
    const unsaid = unsaidResources(object as Pod, names);
    if (unsaid !== '') throw refuse(write, `failed quota: ${name}: must specify ${unsaid}`);
  }
  if (names.some((one) => quota.status?.used?.[one] === undefined))
    throw refuse(write, `status unknown for quota: ${name}, resources: ${[...names].sort().join(',')}`);
  const usage = quotaUsage(kind, object, nowMs);
  const negative = [...usage].filter(([, amount]) => amount.unscaled < 0n).map(([resource]) => resource);
  if (negative.length > 0)
    throw refuse(write, `quota usage is negative for resource(s): ${negative.sort().join(',')}`);
  const before = old !== null && isInScopes(quota.spec, kind, old) ? quotaUsage(kind, old, nowMs) : new Map();
  return only(excessOf(usage, before), names);
}

/** What is used after the charge. Throws 403 when that is more than the quota allows. */
export function usedAfter(
  write: Write,
  quota: ResourceQuota,
  { used, charge }: { readonly used: QuotaAmounts; readonly charge: QuotaAmounts },
): QuotaAmounts {
  const hard = quota.status?.hard ?? {};
  const after = sumOf(used, charge);
  const exceeded = exceededBy(only(after, [...charge.keys()]), hard);
  if (exceeded.length === 0) return after;
  const shown = (amounts: QuotaAmounts): string => shownAmounts(only(amounts, exceeded));
  throw refuse(
    write,
    `exceeded quota: ${quota.metadata.name}, requested: ${shown(charge)}, used: ${shown(used)}, limited: ${shown(amountsOf(hard))}`,
  );
}
