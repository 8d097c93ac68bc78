// What an autoscaler wants of its target: objects, what was read of the metrics and what it remembers in; the size, conditions and events
// out. Pure.
import type { autoscalingV2, HorizontalPodAutoscaler, Pod } from '../../api/index.ts';
import { formatTime, mustParseQuantity, toFloat } from '../../machinery/index.ts';
import { type History, limit } from './limits.ts';
import { evaluate, type MetricFailure, type MetricProposal, type Reading } from './metric.ts';
import type { AutoscalerSettings, Tolerances } from './settings.ts';

type Condition = autoscalingV2.HorizontalPodAutoscalerCondition;
type MetricStatus = autoscalingV2.MetricStatus;
export type AutoscalerStatus = autoscalingV2.HorizontalPodAutoscalerStatus;

/** The target, as its scale tells. */
export interface TargetScale {
  readonly replicas: number;
  /** How many it says it has. */
  readonly running: number;
  readonly selector: string;
}

/** What metrics are weighed with; a problem when it cannot be had. */
export type Measurements =
  | {
      readonly pods: readonly Pod[] /** In the order of spec.metrics. */;
      readonly readings: readonly Reading[];
    }
  | { readonly problem: SelectorProblem };

export interface SelectorProblem {
  /** Of the event. */
  readonly reason: string;
  readonly error: string;
  readonly condition: Pick<Condition, 'reason' | 'message'>;
}

export interface PlanInput {
  readonly hpa: HorizontalPodAutoscaler;
  readonly scale: TargetScale;
  /** undefined when `needsMetrics` says that none are needed. */
  readonly measurements: Measurements | undefined;
  readonly history: History;
  readonly nowMs: number;
  readonly settings: AutoscalerSettings;
}

export interface PlannedEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface AutoscalerPlan {
  /** The size the target shall have; undefined = it stays as it is. */
  readonly resize: { readonly replicas: number; readonly reason: string } | undefined;
  /** For when nothing is resized; see `afterResize`. */
  readonly status: AutoscalerStatus;
  readonly events: readonly PlannedEvent[];
  readonly history: History;
}

const minOf = ({ spec }: HorizontalPodAutoscaler): number => spec.minReplicas ?? 1;

/** Whether the size is decided by metrics, not by minimum and maximum or by nobody at all. */
export function needsMetrics(hpa: HorizontalPodAutoscaler, { replicas }: TargetScale): boolean {
  const min = minOf(hpa);
  return !(replicas === 0 && min !== 0) && replicas <= hpa.spec.maxReplicas && replicas >= min;
}

export function planAutoscaler(input: PlanInput): AutoscalerPlan {
  const { hpa, scale, measurements, history, nowMs } = input;
  const current = scale.replicas;
  const min = minOf(hpa);
  const max = hpa.spec.maxReplicas;
  const conditions = new Conditions(hpa, nowMs);
  conditions.set('AbleToScale', 'True', {
    reason: 'SucceededGetScale',
    message: "the HPA controller was able to get the target's current scale",
  });
  const still = (events: readonly PlannedEvent[] = []): AutoscalerPlan => ({
    resize: undefined,
    status: statusOf(hpa, { conditions, current, desired: current, metrics: undefined }),
    events,
    history,
  });
  if (current === 0 && min !== 0) {
    conditions.set('ScalingActive', 'False', {
      reason: 'ScalingDisabled',
      message: 'scaling is disabled since the replica count of the target is zero',
    });
    return still();
  }
  if (current > max || current < min) {
    const [replicas, which] =
      current > max ? [max, 'above Spec.MaxReplicas'] : [min, 'below Spec.MinReplicas'];
    return { ...still(), resize: { replicas, reason: `Current number of replicas ${which}` } };
  }

  const weighed = weigh(input, measurements!, conditions);
  if (weighed.replicas === undefined) {
    const desired = hpa.status?.desiredReplicas ?? 0;
    const event = warning('FailedComputeMetricsReplicas', weighed.error);
    return {
      ...still([...weighed.events, event]),
      status: statusOf(hpa, { conditions, current, desired, metrics: weighed.metrics }),
    };
  }
  const limited = limit({
    current,
    desired: weighed.replicas,
    min,
    max,
    behavior: hpa.spec.behavior,
    history,
    nowMs,
    downscaleStabilizationMs: input.settings.downscaleStabilizationMs,
  });
  conditions.set('AbleToScale', 'True', limited.stabilized);
  conditions.set('ScalingLimited', limited.isLimited ? 'True' : 'False', limited.limited);
  const reason =
    weighed.replicas > current
      ? `${weighed.name} above target`
      : weighed.replicas < current
        ? 'All metrics below target'
        : '';
  return {
    resize: limited.replicas === current ? undefined : { replicas: limited.replicas, reason },
    status: statusOf(hpa, { conditions, current, desired: current, metrics: weighed.metrics }),
    events: weighed.events,
    history: limited.history,
  };
}

/** The status once the target has been resized, or (with an error) could not be. */
export function afterResize(
  hpa: HorizontalPodAutoscaler,
  { status, resize }: Pick<AutoscalerPlan, 'status' | 'resize'>,
  { nowMs, error }: { readonly nowMs: number; readonly error: string | undefined },
): { readonly status: AutoscalerStatus; readonly event: PlannedEvent } {
  const { replicas, reason } = resize!;
  const conditions = new Conditions({ ...hpa, status }, nowMs, hpa.status?.conditions);
  if (error !== undefined) {
    conditions.set('AbleToScale', 'False', {
      reason: 'FailedUpdateScale',
      message: `the HPA controller was unable to update the target scale: ${error}`,
    });
    return {
      status: {
        ...status,
        conditions: conditions.list,
        desiredReplicas: hpa.status?.desiredReplicas ?? 0,
      },
      event: warning('FailedRescale', `New size: ${replicas}; reason: ${reason}; error: ${error}`),
    };
  }
  conditions.set('AbleToScale', 'True', {
    reason: 'SucceededRescale',
    message: `the HPA controller was able to update the target scale to ${replicas}`,
  });
  return {
    status: {
      ...status,
      conditions: conditions.list,
      desiredReplicas: replicas,
      lastScaleTime: formatTime(nowMs),
    },
    event: {
      type: 'Normal',
      reason: 'SuccessfulRescale',
      message: `New size: ${replicas}; reason: ${reason}`,
    },
  };
}

/** The target could not be asked how large it is. */
export function withoutScale(
  hpa: HorizontalPodAutoscaler,
  error: string,
  nowMs: number,
): { readonly status: AutoscalerStatus; readonly event: PlannedEvent } {
  const conditions = new Conditions(hpa, nowMs);
  conditions.set('AbleToScale', 'False', {
    reason: 'FailedGetScale',
    message: `the HPA controller was unable to get the target's current scale: ${error}`,
  });
  return {
    status: { ...hpa.status, desiredReplicas: hpa.status?.desiredReplicas ?? 0, conditions: conditions.list },
    event: warning('FailedGetScale', error),
  };
}

const warning = (reason: string, message: string): PlannedEvent => ({ type: 'Warning', reason, message });

interface Weighed {
  /** undefined = the metrics do not say. */
  readonly replicas: number | undefined;
  /** Of the metric that calls for so many. */
  readonly name: string;
  readonly error: string;
  readonly metrics: readonly MetricStatus[] | undefined;
  readonly events: readonly PlannedEvent[];
}

/** The metric that calls for most counts. One that cannot be had does not hold up growing, only shrinking. */
function weigh(
  { hpa, scale, nowMs, settings }: PlanInput,
  measurements: Measurements,
  conditions: Conditions,
): Weighed {
  const none = { replicas: undefined, name: '', metrics: undefined };
  if ('problem' in measurements) {
    const { reason, error, condition } = measurements.problem;
    conditions.set('ScalingActive', 'False', condition);
    return { ...none, error, events: [warning(reason, error)] };
  }
  const specs = hpa.spec.metrics ?? [];
  const input = {
    pods: measurements.pods,
    current: scale.replicas,
    running: scale.running,
    namespace: hpa.metadata.namespace!,
    tolerances: tolerancesOf(hpa, settings),
    nowMs,
    settings,
  };
  const outcomes = specs.map((spec, i) => evaluate(spec, measurements.readings[i]!, input));
  // What could not be had leaves a place without content.
  const metrics = outcomes.map((one): MetricStatus => ('error' in one ? { type: '' } : one.status));
  const failures = outcomes.filter((one): one is MetricFailure => 'error' in one);
  const events = failures.map(({ reason, message }) => warning(reason, message));
  const proposals = outcomes.filter((one): one is MetricProposal => !('error' in one));
  const best = proposals.reduce<MetricProposal | undefined>(
    (most, one) => (most === undefined || most.replicas === 0 || one.replicas > most.replicas ? one : most),
    undefined,
  );
  const [first] = failures;
  if (best === undefined || (first !== undefined && best.replicas < scale.replicas)) {
    if (first !== undefined)
      conditions.set('ScalingActive', 'False', {
        reason: first.reason,
        message: `the HPA was unable to compute the replica count: ${first.message}`,
      });
    const error = `invalid metrics (${failures.length} invalid out of ${specs.length}), first error is: ${first?.error ?? ''}`;
    return { ...none, error, metrics, events };
  }
  conditions.set('ScalingActive', 'True', {
    reason: 'ValidMetricFound',
    message: `the HPA was able to successfully calculate a replica count from ${best.name}`,
  });
  return { replicas: best.replicas, name: best.name, error: '', metrics, events };
}

function tolerancesOf({ spec }: HorizontalPodAutoscaler, { tolerance }: AutoscalerSettings): Tolerances {
  const of = (text: string | undefined) =>
    text === undefined ? tolerance : toFloat(mustParseQuantity(text));
  return { up: of(spec.behavior?.scaleUp?.tolerance), down: of(spec.behavior?.scaleDown?.tolerance) };
}

function statusOf(
  { status }: HorizontalPodAutoscaler,
  parts: {
    readonly conditions: Conditions;
    readonly current: number;
    readonly desired: number;
    readonly metrics: readonly MetricStatus[] | undefined;
  },
): AutoscalerStatus {
  return {
    currentReplicas: parts.current,
    desiredReplicas: parts.desired,
    ...(status?.lastScaleTime !== undefined && { lastScaleTime: status.lastScaleTime }),
    ...(parts.metrics !== undefined && { currentMetrics: [...parts.metrics] }),
    conditions: parts.conditions.list,
  };
}

/** The conditions of an autoscaler, changed one after the other; the time of a change is kept as long as the status is the same. */
class Conditions {
  readonly #nowMs: number;
  readonly #before: readonly Condition[];
  #list: readonly Condition[];

  constructor({ status }: HorizontalPodAutoscaler, nowMs: number, before?: readonly Condition[]) {
    this.#nowMs = nowMs;
    this.#list = status?.conditions ?? [];
    this.#before = before ?? this.#list;
  }

  get list(): Condition[] {
    return [...this.#list];
  }

  set(type: string, status: 'True' | 'False', said: Pick<Condition, 'reason' | 'message'>): void {
    // What was said in between, in the same run, is no change.
    const known = this.#before.find((one) => one.type === type);
    const since = known?.status === status ? known.lastTransitionTime : undefined;
    const next: Condition = {
      type,
      status,
      lastTransitionTime: since ?? formatTime(this.#nowMs),
      ...said,
    };
    const at = this.#list.findIndex((one) => one.type === type);
    this.#list = at < 0 ? [...this.#list, next] : this.#list.with(at, next);
  }
}
