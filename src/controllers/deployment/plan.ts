// What a Deployment needs next: at most one ReplicaSet to make, sizes to change, old ones to clear away, and its status. Pure.
import type { Deployment, Pod, ReplicaSet } from '../../api/index.ts';
import { controllerOf, controllerRef, type Draft, semanticEqual } from '../../machinery/index.ts';
import {
  activeOrLatest,
  desiredOf,
  desiredReplicasAnnotation,
  fenceposts,
  isSaturated,
  maxReplicasAnnotation,
  newSetReplicas,
  revisionAnnotation,
  revisionHistoryAnnotation,
  shareScale,
  shrinkOldSets,
  specReplicas,
} from './rollout.ts';
import {
  baseStatus,
  conditionOf,
  isComplete,
  pauseCondition,
  rolloutStatus,
  withCondition,
} from './status.ts';
import { templateHash } from './template-hash.ts';

export const hashLabel = 'pod-template-hash';

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
  readonly matches: (labels: Record<string, string>) => boolean;
  readonly podsOf: (set: ReplicaSet) => readonly Pod[];
  readonly nowMs: number;
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
  const { owned, adopt, release } = claim(view);
  if (deployment.metadata.deletionTimestamp !== undefined) {
    return { ...nothing, status: baseStatus(deployment, undefined, owned, nowMs), wakeInMs: undefined };
  }
  if (adopt.length > 0 || release.length > 0) {
    return { ...nothing, adopt, release, status: deployment.status ?? {}, wakeInMs: 0 };
  }
  const newSet = owned.filter((s) => sameTemplate(s, deployment)).sort(oldestFirst)[0];
  const old = owned.filter((s) => s !== newSet);
  const pause = pauseCondition(deployment);
  if (pause !== undefined) {
    const status = {
      ...deployment.status,
      conditions: withCondition(
        deployment.status?.conditions ?? [],
        { type: 'Progressing', ...pause },
        nowMs,
      ),
    };
    return { ...nothing, status, wakeInMs: 0 };
  }
  if (deployment.spec.paused === true || scaleChanged(deployment, owned)) return planScale(view, newSet, old);
  return deployment.spec.strategy?.type === 'Recreate'
    ? planRecreate(view, newSet, old)
    : planRolling(view, newSet, old);
}

function claim({ deployment, sets, matches }: DeploymentView): {
  owned: ReplicaSet[];
  adopt: ReplicaSet[];
  release: ReplicaSet[];
} {
  const owned: ReplicaSet[] = [];
  const adopt: ReplicaSet[] = [];
  const release: ReplicaSet[] = [];
  for (const set of sets) {
    const owner = controllerOf(set);
    const fits = matches(set.metadata.labels ?? {});
    if (owner?.uid === deployment.metadata.uid) (fits ? owned : release).push(set);
    else if (owner === undefined && fits && set.metadata.deletionTimestamp === undefined) adopt.push(set);
  }
  return { owned, adopt, release: release.filter((s) => s.metadata.deletionTimestamp === undefined) };
}

const oldestFirst = (a: ReplicaSet, b: ReplicaSet): number =>
  a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1;

/** The hash label is ours, not the author's. */
function sameTemplate(set: ReplicaSet, deployment: Deployment): boolean {
  return semanticEqual(withoutHash(set.spec.template), withoutHash(deployment.spec.template));
}

function withoutHash(template: ReplicaSet['spec']['template']) {
  if (template?.metadata?.labels?.[hashLabel] === undefined) return template;
  const { [hashLabel]: _, ...labels } = template.metadata.labels;
  return { ...template, metadata: { ...template.metadata, labels } };
}

const scaleChanged = (deployment: Deployment, sets: readonly ReplicaSet[]): boolean =>
  sets.some(
    (s) => specReplicas(s) > 0 && desiredOf(s) !== undefined && desiredOf(s) !== specReplicas(deployment),
  );

function planRolling(
  view: DeploymentView,
  existing: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): DeploymentPlan {
  const { deployment } = view;
  const made = existing === undefined ? newSetDraft(view, old) : undefined;
  if (made !== undefined) return created(view, made, old);
  const newSet = existing!;
  const settled = settle(view, newSet, old);
  const change: SetChange[] = [];
  const size =
    specReplicas(newSet) > specReplicas(deployment)
      ? specReplicas(deployment)
      : newSetReplicas(deployment, [...old, newSet], specReplicas(newSet));
  const grown = resized(deployment, settled.next, size);
  if (grown.event !== undefined || settled.changed) change.push({ ...grown, set: newSet });
  // Old ones shrink only when the new one has what it may have now.
  if (grown.event === undefined) {
    const sizes = shrinkOldSets(deployment, newSet, old);
    for (const set of old) {
      const next = sizes.get(set.metadata.uid);
      if (next !== undefined && next !== specReplicas(set)) change.push(resized(deployment, set, next));
    }
  }
  return finish(view, newSet, old, change, settled.extra);
}

function planRecreate(
  view: DeploymentView,
  existing: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): DeploymentPlan {
  const { deployment, podsOf } = view;
  const shrink = old.filter((s) => specReplicas(s) > 0).map((s) => resized(deployment, s, 0));
  if (shrink.length > 0) return finish(view, existing, old, shrink);
  const stillRunning = old.some((s) =>
    podsOf(s).some((p) => p.status?.phase !== 'Failed' && p.status?.phase !== 'Succeeded'),
  );
  if (stillRunning) return finish(view, existing, old, []);
  const made = existing === undefined ? newSetDraft(view, old) : undefined;
  if (made !== undefined) return created(view, made, old);
  const settled = settle(view, existing!, old);
  const grown = resized(deployment, settled.next, specReplicas(deployment));
  return finish(
    view,
    existing,
    old,
    grown.event !== undefined || settled.changed ? [{ ...grown, set: existing! }] : [],
    settled.extra,
  );
}

/** Only the scale changed, or the Deployment is paused: sizes move, templates do not. */
function planScale(
  view: DeploymentView,
  newSet: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): DeploymentPlan {
  const { deployment, nowMs } = view;
  const change: SetChange[] = [];
  const to = (set: ReplicaSet, size: number) => {
    const next = resized(deployment, set, size);
    if (next.event !== undefined || !semanticEqual(next.next.metadata.annotations, set.metadata.annotations))
      change.push(next);
  };
  const one = activeOrLatest(newSet, old);
  if (one !== undefined) to(one, specReplicas(deployment));
  else if (isSaturated(deployment, newSet))
    for (const set of old)
      if (specReplicas(set) > 0) to(set, 0);
      else if (deployment.spec.strategy?.type !== 'Recreate') {
        const all = newSet === undefined ? old : [...old, newSet];
        for (const [uid, size] of shareScale(deployment, all))
          to(all.find((s) => s.metadata.uid === uid)!, size);
      }
  const status = baseStatus(deployment, newSet, old, nowMs);
  const remove = deployment.spec.paused === true ? expendable(view, old) : [];
  return { ...nothing, change, remove, status, wakeInMs: undefined };
}

function finish(
  view: DeploymentView,
  newSet: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  change: readonly SetChange[],
  extra?: Parameters<typeof rolloutStatus>[4],
): DeploymentPlan {
  const { deployment, nowMs } = view;
  const { status, wakeInMs } = rolloutStatus(deployment, newSet, old, nowMs, extra);
  const remove = isComplete(deployment, status) ? expendable(view, old) : [];
  return {
    ...nothing,
    change,
    remove,
    revision: newSet === undefined ? undefined : revisionToNote(deployment, revisionFor(newSet, old)),
    status,
    wakeInMs,
  };
}

function created(
  view: DeploymentView,
  create: Draft<ReplicaSet>,
  old: readonly ReplicaSet[],
): DeploymentPlan {
  const { deployment, nowMs } = view;
  const extra = {
    status: 'True',
    reason: 'NewReplicaSetCreated',
    message: `Created new replica set "${create.metadata.name}"`,
  };
  const { status, wakeInMs } = rolloutStatus(deployment, undefined, old, nowMs, extra);
  return {
    ...nothing,
    create,
    revision: revisionToNote(deployment, create.metadata.annotations![revisionAnnotation]!),
    status,
    wakeInMs,
  };
}

const revisionOf = (set: ReplicaSet): number => {
  const text = set.metadata.annotations?.[revisionAnnotation];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : 0;
};

const nextRevision = (old: readonly ReplicaSet[]): number => Math.max(0, ...old.map(revisionOf)) + 1;

/** The new set's revision is above all others': rolling back makes an old set the newest again. */
const revisionFor = (newSet: ReplicaSet, old: readonly ReplicaSet[]): string =>
  String(Math.max(revisionOf(newSet), nextRevision(old)));

const revisionToNote = (deployment: Deployment, revision: string): string | undefined =>
  deployment.metadata.annotations?.[revisionAnnotation] === revision ? undefined : revision;

const notCopied = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  'deprecated.deployment.rollback.to',
]);

function copiedAnnotations(deployment: Deployment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(deployment.metadata.annotations ?? {}).filter(([name]) => !notCopied.has(name)),
  );
}

const sizeAnnotations = (deployment: Deployment): Record<string, string> => ({
  [desiredReplicasAnnotation]: String(specReplicas(deployment)),
  [maxReplicasAnnotation]: String(specReplicas(deployment) + fenceposts(deployment).maxSurge),
});

/** The ReplicaSet for the current template. */
function newSetDraft({ deployment }: DeploymentView, old: readonly ReplicaSet[]): Draft<ReplicaSet> {
  const hash = templateHash(deployment.spec.template, deployment.status?.collisionCount ?? 0);
  const template = structuredClone(deployment.spec.template);
  template.metadata = { ...template.metadata, labels: { ...template.metadata?.labels, [hashLabel]: hash } };
  const { selector, minReadySeconds } = deployment.spec;
  return {
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace,
      labels: { ...template.metadata.labels },
      annotations: {
        ...copiedAnnotations(deployment),
        [revisionAnnotation]: String(nextRevision(old)),
        ...sizeAnnotations(deployment),
      },
      ownerReferences: [controllerRef(deployment)],
    },
    spec: {
      replicas: newSetReplicas(deployment, old, 0),
      ...(minReadySeconds !== undefined && { minReadySeconds }),
      selector: { ...structuredClone(selector), matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
      template,
    },
  };
}

/** An existing new set takes over the Deployment's annotations, revision and minReadySeconds. */
function settle(
  { deployment }: DeploymentView,
  newSet: ReplicaSet,
  old: readonly ReplicaSet[],
): { next: ReplicaSet; changed: boolean; extra: Parameters<typeof rolloutStatus>[4] } {
  const annotations: Record<string, string> = {
    ...newSet.metadata.annotations,
    ...copiedAnnotations(deployment),
  };
  const revision = revisionFor(newSet, old);
  const before = annotations[revisionAnnotation];
  if (before !== revision) {
    if (before !== undefined) {
      const history = annotations[revisionHistoryAnnotation];
      annotations[revisionHistoryAnnotation] = history === undefined ? before : `${history},${before}`;
    }
    annotations[revisionAnnotation] = revision;
  }
  const next: ReplicaSet = {
    ...newSet,
    metadata: { ...newSet.metadata, annotations },
    spec: { ...newSet.spec, minReadySeconds: deployment.spec.minReadySeconds },
  };
  const changed =
    !semanticEqual(annotations, newSet.metadata.annotations) ||
    (newSet.spec.minReadySeconds ?? 0) !== (deployment.spec.minReadySeconds ?? 0);
  const extra =
    conditionOf(deployment.status, 'Progressing') === undefined
      ? {
          status: 'True',
          reason: 'FoundNewReplicaSet',
          message: `Found new replica set "${newSet.metadata.name}"`,
        }
      : undefined;
  return { next, changed, extra };
}

function resized(deployment: Deployment, set: ReplicaSet, size: number): SetChange {
  const from = specReplicas(set);
  const next: ReplicaSet = {
    ...set,
    metadata: {
      ...set.metadata,
      annotations: { ...set.metadata.annotations, ...sizeAnnotations(deployment) },
    },
    spec: { ...set.spec, replicas: size },
  };
  const event =
    from === size
      ? undefined
      : `Scaled ${size > from ? 'up' : 'down'} replica set ${set.metadata.name} from ${from} to ${size}`;
  return { set, next, event };
}

/** Old sets beyond the history limit that are empty and settled. */
function expendable({ deployment }: DeploymentView, old: readonly ReplicaSet[]): readonly ReplicaSet[] {
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  const alive = old
    .filter((s) => s.metadata.deletionTimestamp === undefined)
    .sort((a, b) => revisionOf(a) - revisionOf(b));
  return alive
    .slice(0, Math.max(0, alive.length - limit))
    .filter(
      (s) =>
        specReplicas(s) === 0 &&
        (s.status?.replicas ?? 0) === 0 &&
        (s.metadata.generation ?? 0) <= (s.status?.observedGeneration ?? 0),
    );
}
