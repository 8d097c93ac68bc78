// What a StatefulSet needs next: the steps, in the order in which they may be taken, and its status. Pure.
//
// OrderedReady: one step at a time. A pod is made when all before it are available, deleted when all are and none after it is left, and
// an update begins when there is nothing else to do. A pod that never gets ready blocks all of this until somebody deletes it.
// Parallel: everything that is missing or too many at once; only updates keep to maxUnavailable.
import {
  isAvailable,
  isReady,
  isTerminal,
  isTerminating,
  type Pod,
  type StatefulSet,
} from '../../api/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { templateOf } from '../controller-revision/history.ts';
import { scaled } from '../int-or-percent.ts';
import { nextAvailableInMs } from '../pod-facts.ts';
import { type ClaimChanges, hasStaleClaim, planClaims } from './claims.ts';
import { ordinalOf, podDraft, rangeOf, revisionOf, withIdentity } from './identity.ts';
import { planStatus } from './status.ts';
import type { StatefulSetView } from './view.ts';

export type StatefulStep =
  | { readonly do: 'create'; readonly pod: Draft<Pod>; readonly claims: ClaimChanges }
  /** Claims of a pod that waits for them. */
  | { readonly do: 'claims'; readonly pod: Pod; readonly claims: ClaimChanges }
  /** The pod with its identity, and its claims with their owners. */
  | { readonly do: 'repair'; readonly pod: Pod; readonly next: Pod; readonly claims: ClaimChanges }
  /** Claims of a pod that is to go. */
  | { readonly do: 'hand over'; readonly pod: Pod; readonly claims: ClaimChanges }
  | { readonly do: 'delete'; readonly pod: Pod };

export interface StatefulSetPlan {
  readonly steps: readonly StatefulStep[];
  readonly status: NonNullable<StatefulSet['status']>;
  /** When a ready pod becomes available without any further change. */
  readonly wakeInMs: number | undefined;
}

/** The place of an ordinal that is wanted. */
interface Place {
  readonly ordinal: number;
  readonly pod: Pod | undefined;
}

export function planStatefulSet(view: StatefulSetView): StatefulSetPlan {
  const { set, pods, nowMs } = view;
  const taken = set.metadata.deletionTimestamp === undefined ? [...steps(view)] : [];
  const leaving = new Set(taken.flatMap((step) => (step.do === 'delete' ? [step.pod] : [])));
  return {
    steps: taken,
    status: planStatus(view, leaving),
    wakeInMs: nextAvailableInMs(pods, set.spec.minReadySeconds ?? 0, nowMs),
  };
}

const isOrdered = ({ set }: StatefulSetView): boolean => set.spec.podManagementPolicy !== 'Parallel';

/** Stops where the policy wants one thing done before the next. */
function* steps(view: StatefulSetView): Iterable<StatefulStep> {
  const { places, condemned } = sorted(view);
  for (const place of places) if (yield* placeSteps(view, place)) return;
  for (const { ordinal, pod } of condemned) {
    const claims = planClaims({ ...view, ordinal, pod });
    if (claims.update.length > 0) yield { do: 'hand over', pod, claims };
  }
  for (const { pod } of condemned) if (yield* condemnedSteps(view, pod, { places, condemned })) return;
  if (view.set.spec.updateStrategy?.type !== 'OnDelete') yield* updateSteps(view, places);
}

interface Sorted {
  readonly places: readonly Place[];
  /** The highest first. */
  readonly condemned: readonly (Place & { readonly pod: Pod })[];
}

function sorted({ set, pods }: StatefulSetView): Sorted {
  const { start, end } = rangeOf(set);
  const byOrdinal = new Map<number, Pod>();
  for (const pod of pods) {
    const ordinal = ordinalOf(set, pod.metadata.name);
    if (ordinal !== undefined) byOrdinal.set(ordinal, pod);
  }
  const places: Place[] = [];
  for (let ordinal = start; ordinal < end; ordinal++) places.push({ ordinal, pod: byOrdinal.get(ordinal) });
  const condemned = [...byOrdinal]
    .filter(([ordinal]) => ordinal < start || ordinal >= end)
    .map(([ordinal, pod]) => ({ ordinal, pod }))
    .sort((a, b) => b.ordinal - a.ordinal);
  return { places, condemned };
}

const isUnavailable = ({ set, nowMs }: StatefulSetView, pod: Pod | undefined): boolean =>
  pod === undefined || isTerminating(pod) || !isAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs);

const serves = ({ set, nowMs }: StatefulSetView, pod: Pod): boolean =>
  pod.status?.phase === 'Running' && isReady(pod) && isAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs);

/** Returns whether nothing else may be done for now. */
function* placeSteps(view: StatefulSetView, { ordinal, pod }: Place): Generator<StatefulStep, boolean> {
  const { set } = view;
  const claimView = { ...view, ordinal, pod };
  if (pod === undefined) {
    if (hasStaleClaim(claimView)) return isOrdered(view);
    yield {
      do: 'create',
      pod: podDraft(set, ordinal, versionOf(view, ordinal)),
      claims: planClaims(claimView),
    };
    return isOrdered(view);
  }
  if (isTerminal(pod)) {
    // Whatever its exit codes: a pod of a set runs for ever. The new one comes when this one is gone.
    if (!isTerminating(pod)) yield { do: 'delete', pod };
    return isOrdered(view);
  }
  const claims = planClaims(claimView);
  if (pod.status?.phase === 'Pending' && claims.create.length + claims.update.length > 0) {
    yield { do: 'claims', pod, claims };
  }
  if (isOrdered(view) && (isTerminating(pod) || !serves(view, pod))) return true;
  const next = withIdentity(set, pod, ordinal);
  if (pod.status?.phase !== 'Pending' && (next !== pod || claims.update.length > 0))
    yield { do: 'repair', pod, next, claims };
  return false;
}

/** Pods below the partition are made as they were. */
function versionOf({ set, current, update }: StatefulSetView, ordinal: number) {
  const { type, rollingUpdate } = set.spec.updateStrategy ?? {};
  const kept =
    rollingUpdate === undefined ? (set.status?.currentReplicas ?? 0) : (rollingUpdate.partition ?? 0);
  const isKept = type === 'RollingUpdate' && ordinal < rangeOf(set).start + kept;
  const revision = isKept ? current : update;
  // The present template is at hand; a former one comes from its revision.
  const template = revision === update ? set.spec.template : templateOf(revision);
  return { template, revision: revision.metadata.name };
}

function* condemnedSteps(
  view: StatefulSetView,
  pod: Pod,
  { places, condemned }: Sorted,
): Generator<StatefulStep, boolean> {
  if (isTerminating(pod)) return isOrdered(view);
  // One that has ended will never serve again, so there is nothing to wait for.
  if (isOrdered(view) && !isTerminal(pod) && !serves(view, pod)) {
    const firstUnavailable = [...places, ...[...condemned].reverse()].find((place) =>
      isUnavailable(view, place.pod),
    );
    if (firstUnavailable?.pod !== pod) return true;
  }
  yield { do: 'delete', pod };
  return isOrdered(view);
}

/**
 * From the highest ordinal down to the partition. As many pods are under way (going, missing, or new and not yet available) as may be
 * unavailable, and no pod that serves goes while more than that do not. So a former pod that is broken is replaced first instead of
 * blocking the update that would mend it.
 */
function* updateSteps(view: StatefulSetView, places: readonly Place[]): Iterable<StatefulStep> {
  const { set, update } = view;
  const isOld = (pod: Pod) => revisionOf(pod) !== update.metadata.name;
  const partition = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
  const limit = maxUnavailable(set);
  let unavailable = 0;
  let underWay = 0;
  for (const { pod } of places) {
    if (!isUnavailable(view, pod)) continue;
    unavailable++;
    if (pod === undefined || isTerminating(pod) || isTerminal(pod) || !isOld(pod)) underWay++;
  }
  for (const { pod } of places.slice(partition).reverse()) {
    if (underWay >= limit) return;
    if (pod === undefined || isTerminating(pod) || isTerminal(pod) || !isOld(pod)) continue;
    if (!isUnavailable(view, pod)) {
      if (unavailable >= limit) continue;
      unavailable++;
    }
    underWay++;
    yield { do: 'delete', pod };
  }
}

/** A percentage of the replicas is rounded down, to at least one. */
export function maxUnavailable({ spec }: StatefulSet): number {
  const value = spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1;
  return Math.max(1, scaled(value, spec.replicas ?? 1, 'down'));
}
