// Which pods a job that goes on needs, and which it has too many of. Pure.
import { isTerminal, isTerminating, type Job, type Pod } from '../../api/index.ts';
import { chooseVictims } from '../replicaset/victims.ts';
import { firstMissing, indexSetOf, union } from './index-set.ts';
import { indexOf, isIndexed, replacesOnlyFailed } from './job-pod.ts';
import { backoffLeftMs, indexBackoffLeftMs, type PodBackoff } from './pod-backoff.ts';
import type { Tally } from './tally.ts';

/** As Kubernetes: never creates or deletes more in one go. */
export const burst = 500;

export interface PodOrder {
  /** Undefined unless the job is indexed. */
  readonly index?: number;
  /** The failed pod of the same index that it comes after. */
  readonly after?: Pod | undefined;
}

export interface ScalePlan {
  readonly create: readonly PodOrder[];
  /** Deleted without counting: the job has changed its mind, the pods have not failed. */
  readonly giveUp: readonly Pod[];
  /** When more can be made without any further change. */
  readonly wakeInMs: number | undefined;
}

const nothing: ScalePlan = { create: [], giveUp: [], wakeInMs: undefined };

export function planScale(
  job: Job,
  tally: Tally,
  { backoff, nowMs }: { readonly backoff: PodBackoff; readonly nowMs: number },
): ScalePlan {
  const { spec } = job;
  const { active } = tally;
  if (spec.suspend === true) return { ...nothing, giveUp: active.slice(0, burst) };
  const wanted = wantedActive(job, tally);
  const giveUp = surplus(job, active, { wanted, nowMs });
  if (giveUp.length > 0) return { ...nothing, giveUp: giveUp.slice(0, burst) };
  const held = replacesOnlyFailed(job) ? tally.terminating.length : 0;
  const missing = Math.min(burst, wanted - held - active.length);
  if (missing <= 0) return nothing;
  if (spec.backoffLimitPerIndex === undefined) {
    const leftMs = backoffLeftMs(backoff, nowMs);
    if (leftMs > 0) return { ...nothing, wakeInMs: leftMs };
  }
  if (!isIndexed(job)) return { ...nothing, create: Array.from({ length: missing }, () => ({})) };
  return orderIndexes(pendingIndexes(job, tally, missing), tally, nowMs);
}

/** Never more than are still to succeed. */
function wantedActive({ spec }: Job, { succeeded, active }: Tally): number {
  const parallelism = spec.parallelism ?? 1;
  if (spec.completions === undefined) return succeeded > 0 ? active.length : parallelism;
  return Math.max(0, Math.min(parallelism, spec.completions - succeeded));
}

/** Of an indexed job also those without a place, and all but one of those that share an index. */
function surplus(
  job: Job,
  active: readonly Pod[],
  { wanted, nowMs }: { readonly wanted: number; readonly nowMs: number },
): readonly Pod[] {
  const choose = (pods: readonly Pod[], count: number): readonly Pod[] =>
    chooseVictims(pods, { count, related: [], nowMs });
  const out: Pod[] = [];
  let rest = active;
  if (isIndexed(job)) {
    const byIndex = new Map<number, Pod[]>();
    for (const pod of active) {
      const index = indexOf(pod, job.spec.completions ?? 0);
      if (index === undefined) out.push(pod);
      else byIndex.set(index, [...(byIndex.get(index) ?? []), pod]);
    }
    for (const pods of byIndex.values()) if (pods.length > 1) out.push(...choose(pods, pods.length - 1));
    if (out.length > 0) rest = active.filter((pod) => !out.includes(pod));
  }
  const more = rest.length - wanted;
  if (more > 0) out.push(...choose(rest, more));
  return out;
}

/** The first that neither run nor have ended; with pods replaced only when failed, neither those that are on their way out. */
function pendingIndexes(job: Job, tally: Tally, count: number): readonly number[] {
  const completions = job.spec.completions ?? 0;
  const keeps = (pod: Pod): boolean => !isTerminal(pod) && (!isTerminating(pod) || replacesOnlyFailed(job));
  const kept = indexSetOf(tally.pods.filter(keeps).flatMap((pod) => indexOf(pod, completions) ?? []));
  const taken = union(union(tally.completedIndexes, tally.failedIndexes ?? []), kept);
  return firstMissing(taken, { count, completions });
}

function orderIndexes(indexes: readonly number[], { awaited }: Tally, nowMs: number): ScalePlan {
  const create: PodOrder[] = [];
  let wakeInMs: number | undefined;
  for (const index of indexes) {
    const after = awaited.get(index);
    const leftMs = after === undefined ? 0 : indexBackoffLeftMs(after, nowMs);
    if (leftMs === 0) create.push({ index, after });
    else wakeInMs = Math.min(wakeInMs ?? leftMs, leftMs);
  }
  return { create, giveUp: [], wakeInMs };
}
