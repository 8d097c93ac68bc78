// The arithmetic of a rollout: how many replicas each ReplicaSet of a Deployment should have next. Pure. The rules are those of
// Kubernetes' deployment controller (deployment_util), because people tune maxSurge and maxUnavailable by them.
import type { Deployment, ReplicaSet } from '../../api/index.ts';
import { scaled } from '../int-or-percent.ts';

export const revisionAnnotation = 'deployment.kubernetes.io/revision';
export const revisionHistoryAnnotation = 'deployment.kubernetes.io/revision-history';
export const desiredReplicasAnnotation = 'deployment.kubernetes.io/desired-replicas';
export const maxReplicasAnnotation = 'deployment.kubernetes.io/max-replicas';

export const specReplicas = (object: ReplicaSet | Deployment): number => object.spec.replicas ?? 1;

const total = (sets: readonly ReplicaSet[], count: (set: ReplicaSet) => number): number =>
  sets.reduce((sum, set) => sum + count(set), 0);
export const totalSpec = (sets: readonly ReplicaSet[]): number => total(sets, specReplicas);
export const totalAvailable = (sets: readonly ReplicaSet[]): number =>
  total(sets, (s) => s.status?.availableReplicas ?? 0);

export interface Fenceposts {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** Both as numbers of pods; never both zero in a rolling update, or nothing could move. */
export function fenceposts(deployment: Deployment): Fenceposts {
  const { strategy } = deployment.spec;
  if (strategy?.type === 'Recreate') return { maxSurge: 0, maxUnavailable: 0 };
  const wanted = specReplicas(deployment);
  const maxSurge = scaled(strategy?.rollingUpdate?.maxSurge ?? '25%', wanted, 'up');
  const maxUnavailable = scaled(strategy?.rollingUpdate?.maxUnavailable ?? '25%', wanted, 'down');
  return {
    maxSurge,
    maxUnavailable: Math.min(wanted, maxSurge === 0 && maxUnavailable === 0 ? 1 : maxUnavailable),
  };
}

/**
 * The size of the new ReplicaSet in this step. A set that was told to shrink holds its room until its pods are really going:
 * otherwise the surge would be exceeded for a moment.
 */
export function newSetReplicas(deployment: Deployment, all: readonly ReplicaSet[], current: number): number {
  const wanted = specReplicas(deployment);
  if (deployment.spec.strategy?.type === 'Recreate' || current >= wanted) return wanted;
  const held = total(all, (set) => Math.max(specReplicas(set), set.status?.replicas ?? 0));
  const room = wanted + fenceposts(deployment).maxSurge - held;
  return room <= 0 ? current : current + Math.min(room, wanted - current);
}

/** Oldest first; of the same second by name. */
export function byAge({ metadata: a }: ReplicaSet, { metadata: b }: ReplicaSet): number {
  const [left, right] =
    a.creationTimestamp === b.creationTimestamp
      ? [a.name, b.name]
      : [a.creationTimestamp, b.creationTimestamp];
  return left < right ? -1 : left > right ? 1 : 0;
}

/**
 * New sizes of the old ReplicaSets in this step of a rolling update, by uid. Empty = nothing may go yet.
 *
 * Counts of available pods come from statuses, which may be older than the sizes: a set that was shrunk a moment ago still tells of
 * the pods that it is about to lose. So no set counts for more than its size.
 */
export function shrinkOldSets(
  deployment: Deployment,
  newSet: ReplicaSet,
  old: readonly ReplicaSet[],
): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  if (totalSpec(old) === 0) return sizes;
  const available = (set: ReplicaSet) => Math.min(specReplicas(set), set.status?.availableReplicas ?? 0);
  const all = [...old, newSet];
  const minAvailable = specReplicas(deployment) - fenceposts(deployment).maxUnavailable;
  const newUnavailable = specReplicas(newSet) - available(newSet);
  let budget = totalSpec(all) - minAvailable - newUnavailable;
  if (budget <= 0) return sizes;

  const size = (set: ReplicaSet) => sizes.get(set.metadata.uid) ?? specReplicas(set);
  const oldestFirst = [...old].sort(byAge);
  // What does not serve anyway goes first.
  for (const set of oldestFirst) {
    const unhealthy = Math.min(budget, specReplicas(set) - available(set));
    if (unhealthy <= 0) continue;
    sizes.set(set.metadata.uid, specReplicas(set) - unhealthy);
    budget -= unhealthy;
  }
  let spare = total(all, available) - minAvailable;
  for (const set of oldestFirst) {
    const less = Math.min(size(set), spare);
    if (less <= 0) continue;
    sizes.set(set.metadata.uid, size(set) - less);
    spare -= less;
  }
  return sizes;
}

/** The one ReplicaSet that a change of scale concerns; undefined = several are active, the change is shared out. */
export function activeOrLatest(
  newSet: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): ReplicaSet | undefined {
  const all = newSet === undefined ? old : [...old, newSet];
  const active = all.filter((s) => specReplicas(s) > 0);
  if (active.length === 1) return active[0];
  if (active.length > 1) return undefined;
  return newSet ?? [...old].sort(byAge).at(-1);
}

const annotatedNumber = (set: ReplicaSet, name: string): number | undefined => {
  const text = set.metadata.annotations?.[name];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
};

export const desiredOf = (set: ReplicaSet): number | undefined =>
  annotatedNumber(set, desiredReplicasAnnotation);

/** The new ReplicaSet has everything the Deployment wants, and it works. */
export function isSaturated(deployment: Deployment, set: ReplicaSet | undefined): boolean {
  if (set === undefined) return false;
  const wanted = specReplicas(deployment);
  return (
    specReplicas(set) === wanted &&
    desiredOf(set) === wanted &&
    (set.status?.availableReplicas ?? 0) === wanted
  );
}

/** New sizes when the scale changes in the middle of a rollout: every active ReplicaSet gets its share. */
export function shareScale(deployment: Deployment, sets: readonly ReplicaSet[]): ReadonlyMap<string, number> {
  const active = sets.filter((s) => specReplicas(s) > 0);
  const wanted = specReplicas(deployment);
  const { maxSurge } = fenceposts(deployment);
  const toAdd = (wanted > 0 ? wanted + maxSurge : 0) - totalSpec(active);
  // Growing favours large and new sets, shrinking large and old ones.
  const ordered = [...active].sort((a, b) => {
    if (specReplicas(a) !== specReplicas(b)) return specReplicas(b) - specReplicas(a);
    return toAdd > 0 ? byAge(b, a) : byAge(a, b);
  });
  const sizes = new Map<string, number>();
  let added = 0;
  for (const set of ordered) {
    const share = proportion(deployment, set, toAdd, added);
    sizes.set(set.metadata.uid, specReplicas(set) + share);
    added += share;
  }
  const first = ordered[0];
  if (first !== undefined && toAdd !== 0) {
    sizes.set(first.metadata.uid, Math.max(0, sizes.get(first.metadata.uid)! + toAdd - added));
  }
  return sizes;
}

function proportion(deployment: Deployment, set: ReplicaSet, toAdd: number, added: number): number {
  const size = specReplicas(set);
  if (size === 0 || toAdd === 0 || toAdd === added) return 0;
  const allowed = toAdd - added;
  const fraction = shareOf(deployment, set, size);
  return toAdd > 0 ? Math.min(fraction, allowed) : Math.max(fraction, allowed);
}

function shareOf(deployment: Deployment, set: ReplicaSet, size: number): number {
  if (specReplicas(deployment) === 0) return -size;
  const before = annotatedNumber(set, maxReplicasAnnotation) || (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  const after = specReplicas(deployment) + fenceposts(deployment).maxSurge;
  return roundHalfAway((size * after) / before) - size;
}

const roundHalfAway = (n: number): number => (n < 0 ? Math.ceil(n - 0.5) : Math.floor(n + 0.5));
