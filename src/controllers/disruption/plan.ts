// How many pods of a budget may be disrupted now. Pure. The rules are those of Kubernetes' disruption controller, because drains
// rely on them: a pod whose eviction was granted counts as gone before it is.
import { isReady, isTerminating, type Pod, type PodDisruptionBudget } from '../../api/index.ts';
import {
  compileLabelSelector,
  formatTime,
  type LabelMatcher,
  parseTime,
  semanticEqual,
} from '../../machinery/index.ts';
import { scaled } from '../int-or-percent.ts';

type Status = NonNullable<PodDisruptionBudget['status']>;
type Condition = NonNullable<Status['conditions']>[number];

/** How long a pod whose eviction was granted counts as gone. A deletion that has not come by then was lost on the way. */
export const deletionTimeoutMs = 120_000;

const matchers = new WeakMap<object, LabelMatcher>();

/** A budget without a selector selects nothing; an empty selector selects the whole namespace. */
export function selectorOf({ spec }: PodDisruptionBudget): LabelMatcher {
  const { selector } = spec;
  if (selector === undefined) return () => false;
  let found = matchers.get(selector);
  if (found === undefined) matchers.set(selector, (found = compileLabelSelector(selector)));
  return found;
}

/** Whether the budget is about a part of what the owners of the pods want, and not about a number of pods. */
export const needsScale = ({ spec }: PodDisruptionBudget): boolean =>
  spec.maxUnavailable !== undefined || typeof spec.minAvailable === 'string';

export interface DisruptionInput {
  readonly budget: PodDisruptionBudget;
  /** Those that the budget selects. */
  readonly pods: readonly Pod[];
  /** How many pods their owners want; read only with `needsScale`. */
  readonly expectedPods: number;
  readonly nowMs: number;
}

export interface DisruptionPlan {
  readonly status: Status;
  /** Their eviction was granted, and nothing came of it. */
  readonly notDeleted: readonly Pod[];
  /** When another granted eviction is to be taken for lost; undefined = none is under way. */
  readonly recheckInMs: number | undefined;
}

export function planDisruption({ budget, pods, expectedPods, nowMs }: DisruptionInput): DisruptionPlan {
  const { expected, desired } = bounds(budget, pods.length, expectedPods);
  const disruptedPods: Record<string, string> = {};
  const notDeleted: Pod[] = [];
  let recheckInMs: number | undefined;
  let healthy = 0;
  for (const pod of pods) {
    if (isTerminating(pod)) continue;
    const granted = budget.status?.disruptedPods?.[pod.metadata.name];
    const leftMs = granted === undefined ? -1 : (parseTime(granted) ?? 0) + deletionTimeoutMs - nowMs;
    if (leftMs >= 0) {
      disruptedPods[pod.metadata.name] = granted!;
      recheckInMs = Math.min(recheckInMs ?? leftMs, leftMs);
      if (leftMs > 0) continue;
    } else if (granted !== undefined) notDeleted.push(pod);
    if (isReady(pod)) healthy++;
  }
  const allowed = expected > 0 ? Math.max(0, healthy - desired) : 0;
  const status: Status = {
    ...budget.status,
    currentHealthy: healthy,
    desiredHealthy: desired,
    expectedPods: expected,
    disruptionsAllowed: allowed,
    observedGeneration: budget.metadata.generation ?? 0,
    disruptedPods,
  };
  if (Object.keys(disruptedPods).length === 0) delete status.disruptedPods;
  status.conditions = withAllowed(status, allowedCondition(allowed), nowMs);
  // A moment later, so that the time is over then.
  return {
    status: budget.status !== undefined && semanticEqual(status, budget.status) ? budget.status : status,
    notDeleted,
    recheckInMs: recheckInMs === undefined ? undefined : recheckInMs + 1,
  };
}

function bounds(
  { spec: { minAvailable, maxUnavailable } }: PodDisruptionBudget,
  pods: number,
  wanted: number,
): { expected: number; desired: number } {
  if (maxUnavailable !== undefined)
    return { expected: wanted, desired: Math.max(0, wanted - scaled(maxUnavailable, wanted, 'up')) };
  if (typeof minAvailable === 'string')
    return { expected: wanted, desired: scaled(minAvailable, wanted, 'up') };
  return minAvailable === undefined ? { expected: 0, desired: 0 } : { expected: pods, desired: minAvailable };
}

/** The status of a budget that could not be computed: nothing may be disrupted. */
export function failedStatus({ status }: PodDisruptionBudget, why: string, nowMs: number): Status {
  const failed: Status = {
    currentHealthy: 0,
    desiredHealthy: 0,
    expectedPods: 0,
    ...status,
    disruptionsAllowed: 0,
  };
  const said = { status: 'False', reason: 'SyncFailed', message: why } as const;
  failed.conditions = withAllowed(failed, said, nowMs);
  return status !== undefined && semanticEqual(failed, status) ? status : failed;
}

type Said = Pick<Condition, 'status' | 'reason' | 'message'>;

const allowedCondition = (allowed: number): Said =>
  allowed > 0
    ? { status: 'True', reason: 'SufficientPods', message: '' }
    : { status: 'False', reason: 'InsufficientPods', message: '' };

function withAllowed({ conditions, observedGeneration }: Status, said: Said, nowMs: number): Condition[] {
  const type = 'DisruptionAllowed';
  const before = conditions?.find((condition) => condition.type === type);
  const lastTransitionTime = before?.status === said.status ? before.lastTransitionTime : formatTime(nowMs);
  const condition: Condition = { type, ...said, lastTransitionTime };
  if (observedGeneration !== undefined && observedGeneration !== 0)
    condition.observedGeneration = observedGeneration;
  const rest = conditions?.filter((other) => other !== before) ?? [];
  return [...rest, condition];
}
