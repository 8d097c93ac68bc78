// Which pods count when an average is taken, and what they request. Pure.
import { getCondition, isSidecar, isTerminating, type Pod, podRequests } from '../../api/index.ts';
import { mustParseQuantity, parseTime, toMilli } from '../../machinery/index.ts';
import type { Failure } from './outcome.ts';
import type { AutoscalerSettings } from './settings.ts';

/** What was measured of a pod. */
export interface Sample {
  /** Thousandths: of a core, a byte, or whatever the metric counts. */
  readonly milli: number;
  readonly timeMs: number;
  readonly windowMs: number;
}

/** By the name of the pod. */
export type Samples = ReadonlyMap<string, Sample>;

export interface PodGroups {
  readonly ready: number;
  /** Their samples are not taken at their word; when there are too few pods they count as idle. */
  readonly unready: ReadonlySet<string>;
  /** Nothing is known of them: they are counted so that they work against the change. */
  readonly missing: ReadonlySet<string>;
  /** On their way out, or failed. */
  readonly ignored: ReadonlySet<string>;
}

type Timing = Pick<AutoscalerSettings, 'cpuInitializationPeriodMs' | 'initialReadinessDelayMs'>;

/** `resource` is undefined for metrics that are no usage of a resource. Only cpu is doubted while a pod starts. */
export function groupPods(
  pods: readonly Pod[],
  samples: Samples,
  { resource, nowMs, timing }: { resource: string | undefined; nowMs: number; timing: Timing },
): PodGroups {
  let ready = 0;
  const unready = new Set<string>();
  const missing = new Set<string>();
  const ignored = new Set<string>();
  for (const pod of pods) {
    const { name } = pod.metadata;
    const phase = pod.status?.phase;
    const sample = samples.get(name);
    if (isTerminating(pod) || phase === 'Failed') ignored.add(name);
    else if (phase === 'Pending') unready.add(name);
    else if (sample === undefined) missing.add(name);
    else if (resource === 'cpu' && isDoubtful(pod, sample, { nowMs, timing })) unready.add(name);
    else ready++;
  }
  return { ready, unready, missing, ignored };
}

function isDoubtful(pod: Pod, sample: Sample, { nowMs, timing }: { nowMs: number; timing: Timing }): boolean {
  const condition = getCondition(pod, 'Ready');
  const startedMs = parseTime(pod.status?.startTime);
  if (condition === undefined || startedMs === undefined) return true;
  const isUnready = condition.status === 'False';
  const changedMs = parseTime(condition.lastTransitionTime) ?? 0;
  if (startedMs + timing.cpuInitializationPeriodMs > nowMs)
    return isUnready || sample.timeMs < changedMs + sample.windowMs;
  return isUnready && startedMs + timing.initialReadinessDelayMs > changedMs;
}

/** Thousandths by pod; of one container, or ('') of all of them, or what is requested for the pod as a whole. */
export function requestsOf(
  pods: readonly Pod[],
  resource: string,
  container: string,
): ReadonlyMap<string, number> | Failure {
  const out = new Map<string, number>();
  for (const pod of pods) {
    const requested = requestOf(pod, resource, container);
    if (typeof requested !== 'number') return requested;
    out.set(pod.metadata.name, requested);
  }
  return out;
}

function requestOf(pod: Pod, resource: string, container: string): number | Failure {
  const { name } = pod.metadata;
  if (container === '' && Object.keys(pod.spec.resources?.requests ?? {}).length > 0) {
    const whole = podRequests(pod)[resource];
    if (whole === undefined) return { failure: `missing pod-level request for ${resource} in Pod ${name}` };
    // Other resources than cpu are counted in whole units.
    return resource === 'cpu' ? whole : whole * 1000;
  }
  let sum = 0;
  for (const one of [...pod.spec.containers, ...(pod.spec.initContainers ?? []).filter(isSidecar)]) {
    if (container !== '' && container !== one.name) continue;
    const requested = one.resources?.requests?.[resource];
    if (requested === undefined)
      return { failure: `missing request for ${resource} in container ${one.name} of Pod ${name}` };
    sum += toMilli(mustParseQuantity(requested));
    if (container !== '') return sum;
  }
  return container === '' ? sum : { failure: `container ${container} not found in Pod ${name}` };
}
