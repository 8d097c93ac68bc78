// What a Deployment needs next: at most one ReplicaSet to make, sizes to change, old ones to clear away, and its status. Pure.
import { type Deployment, isTerminal, type Pod, type ReplicaSet } from '../../api/index.ts';
import type { Draft, LabelMatcher } from '../../machinery/index.ts';
import { claim } from '../ownership.ts';
import { findNewSet, inStep, newSetDraft, revisionFor, revisionOf, sizeAnnotations } from './new-set.ts';
import {
  activeOrLatest,
  desiredOf,
  isSaturated,
  newSetReplicas,
  revisionAnnotation,
  shareScale,
  shrinkOldSets,
  specReplicas,
} from './rollout.ts';
import {
  baseStatus,
  conditionOf,
  isComplete,
  type ProgressReport,
  pauseCondition,
  rolloutStatus,
  withCondition,
} from './status.ts';

/** A ReplicaSet as it should be, and what to tell about it. */
export interface SetChange {
  readonly set: ReplicaSet;
  readonly next: ReplicaSet;
  /** Text of a ScalingReplicaSet event; undefined = only metadata changes. */
  readonly event: string | undefined;
}

export interface DeploymentPlan {
  readonly adopt: readonly ReplicaSet[];
  readonly release: readonly ReplicaSet[];
  readonly create: Draft<ReplicaSet> | undefined;
  /** To be made in this order. */
  readonly change: readonly SetChange[];
  readonly remove: readonly ReplicaSet[];
  /** The revision to note on the Deployment; undefined = it is there already. */
  readonly revision: string | undefined;
  readonly status: NonNullable<Deployment['status']>;
  readonly wakeInMs: number | undefined;
}

export interface DeploymentView {
  readonly deployment: Deployment;
  /** Everything of the namespace that the Deployment owns or that nobody owns. */
  readonly sets: readonly ReplicaSet[];
  readonly matches: LabelMatcher;
  readonly podsOf: (set: ReplicaSet) => readonly Pod[];
  readonly nowMs: number;
}

/** The view with the sets told apart. */
interface Sorted extends DeploymentView {
  readonly newSet: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
}

const nothing = {
  adopt: [],
  release: [],
  create: undefined,
  change: [],
  remove: [],
  revision: undefined,
} as const;

export function planDeployment(view: DeploymentView): DeploymentPlan {
  const { deployment, nowMs } = view;
  const { owned, adopt, release } = claim(deployment, view.sets, (set) => view.matches(set.metadata.labels));
  const newSet = findNewSet(deployment, owned);
  const sorted: Sorted = { ...view, newSet, old: owned.filter((set) => set !== newSet) };
  if (deployment.metadata.deletionTimestamp !== undefined)
    return { ...nothing, status: baseStatus(deployment, newSet, sorted.old, nowMs), wakeInMs: undefined };
  if (adopt.length > 0 || release.length > 0)
    return { ...nothing, adopt, release, status: deployment.status ?? {}, wakeInMs: 0 };
  const pause = pauseCondition(deployment);
  if (pause !== undefined) {
    const progressing = { type: 'Progressing', ...pause };
    const conditions = withCondition(deployment.status?.conditions ?? [], progressing, nowMs);
    return { ...nothing, status: { ...deployment.status, conditions }, wakeInMs: 0 };
  }
  if (deployment.spec.paused === true) return planScale(sorted);
  if (deployment.spec.strategy?.type === 'Recreate') return planRecreate(sorted);
  return scaleChanged(deployment, owned) ? planScale(sorted) : planRolling(sorted);
}

const scaleChanged = (deployment: Deployment, sets: readonly ReplicaSet[]): boolean =>
  sets.some((set) => {
    const desired = desiredOf(set);
    return specReplicas(set) > 0 && desired !== undefined && desired !== specReplicas(deployment);
  });

function planRolling(view: Sorted): DeploymentPlan {
  const { deployment, newSet, old } = view;
  if (newSet === undefined) return planFirst(view);
  const size = specReplicas(newSet);
  const next =
    size > specReplicas(deployment)
      ? specReplicas(deployment)
      : newSetReplicas(deployment, [...old, newSet], size);
  // Old ones shrink only when the new one has what it may have now.
  const sizes =
    next === size ? shrinkOldSets(deployment, newSet, old) : new Map([[newSet.metadata.uid, next]]);
  return finish(view, sizes);
}

function planRecreate(view: Sorted): DeploymentPlan {
  const { deployment, newSet, old, podsOf } = view;
  const shrink = old.filter((set) => specReplicas(set) > 0);
  if (shrink.length > 0) return finish(view, new Map(shrink.map((set) => [set.metadata.uid, 0])));
  const isRunning = (set: ReplicaSet) =>
    (set.status?.replicas ?? 0) > 0 || podsOf(set).some((pod) => !isTerminal(pod));
  if (old.some(isRunning)) return finish(view, new Map());
  if (newSet === undefined) return planFirst(view);
  return finish(view, new Map([[newSet.metadata.uid, specReplicas(deployment)]]));
}

/** Only the scale changed, or the Deployment is paused: sizes move, templates do not. */
function planScale(view: Sorted): DeploymentPlan {
  const { deployment, newSet, old, nowMs } = view;
  return {
    ...nothing,
    change: changes(view, scaledSizes(view)),
    remove: deployment.spec.paused === true ? expendable(deployment, old) : [],
    revision: revisionToNote(view),
    status: baseStatus(deployment, newSet, old, nowMs),
    wakeInMs: undefined,
  };
}

function scaledSizes({ deployment, newSet, old }: Sorted): ReadonlyMap<string, number> {
  const one = activeOrLatest(newSet, old);
  if (one !== undefined) return new Map([[one.metadata.uid, specReplicas(deployment)]]);
  const active = old.filter((set) => specReplicas(set) > 0);
  if (isSaturated(deployment, newSet)) return new Map(active.map((set) => [set.metadata.uid, 0]));
  if (deployment.spec.strategy?.type === 'Recreate') return new Map();
  return shareScale(deployment, newSet === undefined ? old : [...old, newSet]);
}

function finish(view: Sorted, sizes: ReadonlyMap<string, number>): DeploymentPlan {
  const { deployment, newSet, old, nowMs } = view;
  // A set that was there all along starts the rollout's story when nobody has told it yet.
  const report: ProgressReport | undefined =
    newSet !== undefined && conditionOf(deployment.status, 'Progressing') === undefined
      ? {
          status: 'True',
          reason: 'FoundNewReplicaSet',
          message: `Found new replica set "${newSet.metadata.name}"`,
        }
      : undefined;
  const { status, wakeInMs } = rolloutStatus({ deployment, newSet, old, nowMs, report });
  return {
    ...nothing,
    change: changes(view, sizes),
    remove: isComplete(deployment, status) ? expendable(deployment, old) : [],
    revision: revisionToNote(view),
    status,
    wakeInMs,
  };
}

/** The template has no set yet. */
function planFirst({ deployment, old, nowMs }: Sorted): DeploymentPlan {
  const create = newSetDraft(deployment, old);
  const report: ProgressReport = {
    status: 'True',
    reason: 'NewReplicaSetCreated',
    message: `Created new replica set "${create.metadata.name}"`,
  };
  const { status, wakeInMs } = rolloutStatus({ deployment, newSet: undefined, old, nowMs, report });
  const revision = create.metadata.annotations![revisionAnnotation]!;
  return { ...nothing, create, revision: unlessNoted(deployment, revision), status, wakeInMs };
}

const unlessNoted = (deployment: Deployment, revision: string): string | undefined =>
  deployment.metadata.annotations?.[revisionAnnotation] === revision ? undefined : revision;

const revisionToNote = ({ deployment, newSet, old }: Sorted): string | undefined =>
  newSet === undefined ? undefined : unlessNoted(deployment, revisionFor(newSet, old));

/** What differs when the sets have these sizes (by uid; others keep theirs) and the new one is in step; the new one first. */
function changes({ deployment, newSet, old }: Sorted, sizes: ReadonlyMap<string, number>): SetChange[] {
  const out: SetChange[] = [];
  for (const set of newSet === undefined ? old : [newSet, ...old]) {
    const base = set === newSet ? inStep(deployment, set, old) : set;
    const size = sizes.get(set.metadata.uid);
    const change =
      size === undefined ? { set, next: base, event: undefined } : resized(deployment, { set, base }, size);
    if (change.next !== set) out.push(change);
  }
  return out;
}

function resized(
  deployment: Deployment,
  { set, base }: { set: ReplicaSet; base: ReplicaSet },
  size: number,
): SetChange {
  const from = specReplicas(set);
  const annotations = sizeAnnotations(deployment);
  const isNoted = Object.entries(annotations).every(
    ([name, value]) => set.metadata.annotations?.[name] === value,
  );
  if (from === size && isNoted) return { set, next: base, event: undefined };
  const next: ReplicaSet = {
    ...base,
    metadata: { ...base.metadata, annotations: { ...base.metadata.annotations, ...annotations } },
    spec: { ...base.spec, replicas: size },
  };
  const way = size > from ? 'up' : 'down';
  const event =
    from === size ? undefined : `Scaled ${way} replica set ${set.metadata.name} from ${from} to ${size}`;
  return { set, next, event };
}

/** Old sets beyond the history limit that are empty and settled. */
function expendable(deployment: Deployment, old: readonly ReplicaSet[]): readonly ReplicaSet[] {
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  const alive = old
    .filter((set) => set.metadata.deletionTimestamp === undefined)
    .sort((a, b) => Number(revisionOf(a) - revisionOf(b)));
  return alive
    .slice(0, Math.max(0, alive.length - limit))
    .filter(
      (set) =>
        specReplicas(set) === 0 &&
        (set.status?.replicas ?? 0) === 0 &&
        (set.metadata.generation ?? 0) <= (set.status?.observedGeneration ?? 0),
    );
}
