// The conditions of a pod that its node owns. Others' conditions (readiness gates, DisruptionTarget) are not touched.
import type { coreV1, Pod } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';
import type { ResizeState } from './resize.ts';

export interface ConditionsInput {
  readonly pod: Pod;
  readonly previous: coreV1.PodStatus | undefined;
  readonly phase: string;
  readonly sandboxReady: boolean;
  readonly incompleteInit: readonly string[];
  readonly unready: readonly string[];
  /** Containers that never got so far as to have a status. */
  readonly unknown: readonly string[];
  readonly resize?: ResizeState | undefined;
  /** Why its node ended it; undefined = it did not. */
  readonly disruption?: string | undefined;
  readonly nowMs: number;
}

interface Finding {
  readonly status: 'True' | 'False';
  readonly reason?: string;
  readonly message?: string;
}

const yes: Finding = { status: 'True' };
const names = (list: readonly string[]): string => `[${list.join(' ')}]`;

function containersReady({ phase, unready }: ConditionsInput): Finding {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  if (unready.length === 0) return yes;
  return {
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: ${names(unready)}`,
  };
}

function podReady(input: ConditionsInput, containers: Finding): Finding {
  if (containers.status !== 'True') return containers;
  const conditions = input.pod.status?.conditions ?? [];
  const messages: string[] = [];
  for (const { conditionType } of input.pod.spec.readinessGates ?? []) {
    const found = conditions.find((c) => c.type === conditionType);
    if (found === undefined)
      messages.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    else if (found.status !== 'True')
      messages.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`);
  }
  if (messages.length === 0) return yes;
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: messages.join(', ') };
}

function initialized({ phase, incompleteInit }: ConditionsInput): Finding {
  if (incompleteInit.length === 0)
    return phase === 'Succeeded' ? { status: 'True', reason: 'PodCompleted' } : yes;
  return {
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: ${names(incompleteInit)}`,
  };
}

export function conditionsOf(input: ConditionsInput): coreV1.PodCondition[] {
  const now = formatTime(input.nowMs);
  const generation = input.pod.metadata.generation;
  const known = input.previous?.conditions ?? input.pod.status?.conditions ?? [];
  const make = (type: string, finding: Finding, since = generation): coreV1.PodCondition => {
    const before = known.find((c) => c.type === type);
    return {
      type,
      ...finding,
      lastTransitionTime:
        before?.status === finding.status && before.lastTransitionTime !== undefined
          ? before.lastTransitionTime
          : now,
      ...(since !== undefined && { observedGeneration: since }),
    };
  };
  const containers = containersReady(input);
  const { pending, inProgress } = input.resize ?? {};
  return [
    ...(pending === undefined
      ? []
      : [
          make(
            'PodResizePending',
            { status: 'True', reason: pending.reason, message: pending.message },
            pending.generation,
          ),
        ]),
    ...(inProgress === undefined
      ? []
      : [
          make(
            'PodResizeInProgress',
            {
              status: 'True',
              ...(inProgress.error !== undefined && { reason: 'Error', message: inProgress.error }),
            },
            inProgress.generation,
          ),
        ]),
    ...(input.disruption === undefined
      ? []
      : [
          make('DisruptionTarget', {
            status: 'True',
            reason: 'TerminationByKubelet',
            message: input.disruption,
          }),
        ]),
    make('PodReadyToStartContainers', input.sandboxReady ? yes : { status: 'False' }),
    make('Initialized', initialized(input)),
    make('Ready', podReady(input, containers)),
    make('ContainersReady', containers),
    make('PodScheduled', yes),
  ];
}
