// The status of a Deployment: counts from its ReplicaSets, and the conditions that `kubectl rollout status` waits for. Pure.
import type { appsV1, Deployment, ReplicaSet } from '../../api/index.ts';
import { formatTime, parseTime } from '../../machinery/index.ts';
import { nonZero } from '../status-counts.ts';
import { fenceposts, specReplicas, totalAvailable, totalSpec } from './rollout.ts';

type Status = NonNullable<Deployment['status']>;
type DeploymentCondition = appsV1.DeploymentCondition;

const sum = (sets: readonly ReplicaSet[], count: (set: ReplicaSet) => number | undefined): number =>
  sets.reduce((n, s) => n + (count(s) ?? 0), 0);

export const conditionOf = (status: Status | undefined, type: string): DeploymentCondition | undefined =>
  status?.conditions?.find((c) => c.type === type);

const hasDeadline = ({ spec }: Deployment): boolean =>
  spec.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds !== 2147483647;

/** Replaces a condition; a status that stays the same keeps its transition time. */
export function withCondition(
  conditions: readonly DeploymentCondition[],
  next: { type: string; status: string; reason: string; message: string },
  nowMs: number,
): DeploymentCondition[] {
  const now = formatTime(nowMs);
  const before = conditions.find((c) => c.type === next.type);
  if (
    before !== undefined &&
    before.status === next.status &&
    before.reason === next.reason &&
    before.message === next.message
  )
    return [...conditions];
  const condition: DeploymentCondition = {
    ...next,
    lastUpdateTime: now,
    lastTransitionTime: before?.status === next.status ? before.lastTransitionTime : now,
  };
  return [...conditions.filter((c) => c.type !== next.type), condition];
}

/** Counts and the Available condition; Progressing is left as it is. */
export function baseStatus(
  deployment: Deployment,
  newSet: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  nowMs: number,
): Status {
  const all = newSet === undefined ? old : [...old, newSet];
  const available = totalAvailable(all);
  const status: Status = {
    ...(deployment.metadata.generation !== undefined && {
      observedGeneration: deployment.metadata.generation,
    }),
    ...nonZero({
      replicas: sum(all, (s) => s.status?.replicas),
      updatedReplicas: newSet?.status?.replicas ?? 0,
      readyReplicas: sum(all, (s) => s.status?.readyReplicas),
      availableReplicas: available,
      unavailableReplicas: Math.max(0, totalSpec(all) - available),
    }),
    terminatingReplicas: sum(all, (s) => s.status?.terminatingReplicas),
    ...(deployment.status?.collisionCount !== undefined && {
      collisionCount: deployment.status.collisionCount,
    }),
  };
  const enough = available >= specReplicas(deployment) - fenceposts(deployment).maxUnavailable;
  status.conditions = withCondition(
    deployment.status?.conditions ?? [],
    enough
      ? {
          type: 'Available',
          status: 'True',
          reason: 'MinimumReplicasAvailable',
          message: 'Deployment has minimum availability.',
        }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
    nowMs,
  );
  return status;
}

export function isComplete(deployment: Deployment, status: Status): boolean {
  const wanted = specReplicas(deployment);
  return (
    (status.updatedReplicas ?? 0) === wanted &&
    (status.replicas ?? 0) === wanted &&
    (status.availableReplicas ?? 0) === wanted &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function isProgressing(before: Status | undefined, now: Status): boolean {
  const old = (s: Status | undefined) => (s?.replicas ?? 0) - (s?.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (before?.updatedReplicas ?? 0) ||
    old(now) < old(before) ||
    (now.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (before?.availableReplicas ?? 0)
  );
}

/** What this run has to say about progress. */
export interface ProgressReport {
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

export interface RolloutView {
  readonly deployment: Deployment;
  readonly newSet: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
  readonly nowMs: number;
  readonly report: ProgressReport | undefined;
}

export interface RolloutStatus {
  readonly status: Status;
  /** When the progress deadline passes. */
  readonly wakeInMs: number | undefined;
}

/** The status during and after a rollout, with Progressing and ReplicaFailure. */
export function rolloutStatus({ deployment, newSet, old, nowMs, report }: RolloutView): RolloutStatus {
  const status = baseStatus(deployment, newSet, old, nowMs);
  let conditions: DeploymentCondition[] = status.conditions!;
  const progress = (said: ProgressReport) =>
    withCondition(conditions, { type: 'Progressing', ...said }, nowMs);
  if (!hasDeadline(deployment)) conditions = conditions.filter((c) => c.type !== 'Progressing');
  else {
    if (report !== undefined) conditions = progress(report);
    const current = conditions.find((c) => c.type === 'Progressing');
    const settled =
      (status.replicas ?? 0) === (status.updatedReplicas ?? 0) &&
      current?.reason === 'NewReplicaSetAvailable';
    const name =
      newSet === undefined
        ? `Deployment "${deployment.metadata.name}"`
        : `ReplicaSet "${newSet.metadata.name}"`;
    const say = (value: string, reason: string, message: string) =>
      progress({ status: value, reason, message });
    if (settled) {
      // Pods that come and go after the rollout are not its business.
    } else if (isComplete(deployment, status))
      conditions = say('True', 'NewReplicaSetAvailable', `${name} has successfully progressed.`);
    else if (isProgressing(deployment.status, status))
      // Each step of progress restarts the deadline.
      conditions = say('True', 'ReplicaSetUpdated', `${name} is progressing.`).map((c) =>
        c.type === 'Progressing' ? { ...c, lastUpdateTime: formatTime(nowMs) } : c,
      );
    else if (timedOut(deployment, current, nowMs))
      conditions = say('False', 'ProgressDeadlineExceeded', `${name} has timed out progressing.`);
  }
  status.conditions = withReplicaFailure(conditions, newSet, old, nowMs);
  return { status, wakeInMs: deadlineIn(deployment, status, nowMs) };
}

/** A failure of the new set, else of an old one, shows on the Deployment. */
function withReplicaFailure(
  conditions: readonly DeploymentCondition[],
  newSet: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  nowMs: number,
): DeploymentCondition[] {
  const type = 'ReplicaFailure';
  const failure = [...(newSet === undefined ? [] : [newSet]), ...old]
    .flatMap((set) => set.status?.conditions ?? [])
    .find((c) => c.type === type);
  if (failure === undefined) return conditions.filter((c) => c.type !== type);
  const { status, reason = '', message = '' } = failure;
  return withCondition(conditions, { type, status, reason, message }, nowMs);
}

/** The set for a new template could not be made. */
export function createFailedStatus(
  deployment: Deployment,
  message: string,
  nowMs: number,
): Status | undefined {
  if (!hasDeadline(deployment)) return undefined;
  const failed = { type: 'Progressing', status: 'False', reason: 'ReplicaSetCreateError', message };
  return {
    ...deployment.status,
    conditions: withCondition(deployment.status?.conditions ?? [], failed, nowMs),
  };
}

function timedOut(
  deployment: Deployment,
  condition: DeploymentCondition | undefined,
  nowMs: number,
): boolean {
  if (condition === undefined || condition.reason === 'NewReplicaSetAvailable') return false;
  if (condition.reason === 'ProgressDeadlineExceeded') return true;
  const since = parseTime(condition.lastUpdateTime);
  return since !== undefined && since + deployment.spec.progressDeadlineSeconds! * 1000 < nowMs;
}

function deadlineIn(deployment: Deployment, status: Status, nowMs: number): number | undefined {
  const condition = conditionOf(status, 'Progressing');
  if (!hasDeadline(deployment) || condition === undefined || isComplete(deployment, status)) return undefined;
  if (
    condition.reason === 'ProgressDeadlineExceeded' ||
    condition.reason === 'NewReplicaSetAvailable' ||
    deployment.spec.paused === true
  )
    return undefined;
  const since = parseTime(condition.lastUpdateTime) ?? nowMs;
  return Math.max(1000, since + deployment.spec.progressDeadlineSeconds! * 1000 - nowMs + 1000);
}

/** Progressing says when a Deployment is paused and when it goes on. undefined = nothing to say. */
export function pauseCondition(deployment: Deployment): ProgressReport | undefined {
  if (!hasDeadline(deployment)) return undefined;
  const reason = conditionOf(deployment.status, 'Progressing')?.reason;
  if (reason === 'ProgressDeadlineExceeded') return undefined;
  if (deployment.spec.paused === true && reason !== 'DeploymentPaused')
    return { status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' };
  if (deployment.spec.paused !== true && reason === 'DeploymentPaused')
    return { status: 'Unknown', reason: 'DeploymentResumed', message: 'Deployment is resumed' };
  return undefined;
}
