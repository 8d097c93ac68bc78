// How many pods a metric calls for. Pure; the arithmetic of kube-controller-manager's replica calculator.
//
// The rule is ceil(ratio × pods that count), ratio being measured over wanted. Pods of which nothing is known are then counted so that
// they speak against the change (idle when growing, busy when shrinking); when that turns the direction round, nothing changes.
import { isReady, type Pod } from '../../api/index.ts';
import { type Failure, isFailure } from './outcome.ts';
import { groupPods, type PodGroups, requestsOf, type Samples } from './pod-groups.ts';
import { type AutoscalerSettings, isWithin, type Tolerances } from './settings.ts';

export interface Calculation {
  readonly pods: readonly Pod[];
  /** Of the target's spec. */
  readonly current: number;
  readonly tolerances: Tolerances;
  readonly nowMs: number;
  readonly settings: AutoscalerSettings;
}

export interface Proposal {
  readonly replicas: number;
  /** Thousandths: the average over the pods, or the value of the metric. */
  readonly milli: number;
  /** Percent of the requests; only when that is what is wanted. */
  readonly utilization?: number;
}

const noPods: Failure = { failure: 'no pods returned by selector while calculating replica count' };
const noSamples: Failure = {
  failure: 'did not receive metrics for targeted pods (pods might be unready)',
};
const maxReplicas = 2 ** 31 - 1;

/** A percentage of what the pods request. */
export function forUtilization(
  samples: Samples,
  wanted: { readonly resource: string; readonly container: string; readonly percent: number },
  calculation: Calculation,
): Proposal | Failure {
  const { pods } = calculation;
  if (pods.length === 0) return noPods;
  const groups = groupsOf(samples, wanted.resource, calculation);
  const counted = countedOf(samples, groups);
  if (counted.size === 0) return noSamples;
  const requests = requestsOf(pods, wanted.resource, wanted.container);
  if (isFailure(requests)) return requests;
  const measure = (amounts: Amounts) => utilizationOf(amounts, requests, wanted.percent);
  const first = measure(counted);
  if (isFailure(first)) return first;
  const { milli, utilization } = first;
  const replicas = weigh(first.ratio, groups, calculation, (fill) => {
    // Targets above 100 % are met by pods that use more than they request.
    const busy = Math.max(100, wanted.percent);
    const again = measure(fill(counted, (name) => Math.trunc(((requests.get(name) ?? 0) * busy) / 100)));
    return isFailure(again) ? again : { ratio: again.ratio, counted: again.counted };
  });
  return typeof replicas === 'number' ? { replicas, milli, utilization } : replicas;
}

/** An average value. `resource` is undefined for metrics that are no usage of a resource. */
export function forAverage(
  samples: Samples,
  wanted: { readonly resource: string | undefined; readonly milli: number },
  calculation: Calculation,
): Proposal | Failure {
  if (calculation.pods.length === 0) return noPods;
  const groups = groupsOf(samples, wanted.resource, calculation);
  const counted = countedOf(samples, groups);
  if (counted.size === 0) return noSamples;
  const milli = averageOf(counted);
  const replicas = weigh(milli / wanted.milli, groups, calculation, (fill) => {
    const again = fill(counted, () => wanted.milli);
    return { ratio: averageOf(again) / wanted.milli, counted: again.size };
  });
  return typeof replicas === 'number' ? { replicas, milli } : replicas;
}

/** A value of something else, shared by the ready pods. With no pods at all it may call for the first one. */
export function forValue(milli: number, wantedMilli: number, calculation: Calculation): Proposal | Failure {
  const { pods, current, tolerances } = calculation;
  const ratio = milli / wantedMilli;
  if (current === 0) return { replicas: whole(ratio), milli };
  if (isWithin(tolerances, ratio)) return { replicas: current, milli };
  if (pods.length === 0) return { failure: `unable to calculate ready pods: ${noPods.failure}` };
  const ready = pods.filter((pod) => pod.status?.phase === 'Running' && isReady(pod)).length;
  return { replicas: whole(ratio * ready), milli };
}

/** A value of something else, so much for each pod. `running` is how many the target says there are. */
export function forValuePerPod(
  milli: number,
  wantedMilli: number,
  { running, tolerances }: { readonly running: number; readonly tolerances: Tolerances },
): Proposal {
  const ratio = milli / (wantedMilli * running);
  const replicas = isWithin(tolerances, ratio) ? running : whole(milli / wantedMilli);
  return { replicas, milli: running === 0 ? milli : Math.ceil(milli / running) };
}

type Amounts = ReadonlyMap<string, number>;
type Fill = (counted: Amounts, busy: (name: string) => number) => Amounts;

const whole = (count: number): number => Math.min(maxReplicas, Math.ceil(count));

const groupsOf = (samples: Samples, resource: string | undefined, { pods, nowMs, settings }: Calculation) =>
  groupPods(pods, samples, { resource, nowMs, timing: settings });

function countedOf(samples: Samples, { unready, ignored }: PodGroups): Amounts {
  const out = new Map<string, number>();
  for (const [name, { milli }] of samples) if (!unready.has(name) && !ignored.has(name)) out.set(name, milli);
  return out;
}

/** From the ratio of those that are known to a count; `again` measures with the others filled in. */
function weigh(
  ratio: number,
  { ready, unready, missing }: PodGroups,
  { current, tolerances }: Calculation,
  again: (fill: Fill) => { readonly ratio: number; readonly counted: number } | Failure,
): number | Failure {
  const growsPastUnready = unready.size > 0 && ratio > 1;
  if (!growsPastUnready && missing.size === 0)
    return isWithin(tolerances, ratio) ? current : whole(ratio * ready);
  const second = again((counted, busy) => {
    const out = new Map(counted);
    if (ratio < 1) for (const name of missing) out.set(name, busy(name));
    else if (ratio > 1) for (const name of missing) out.set(name, 0);
    if (growsPastUnready) for (const name of unready) out.set(name, 0);
    return out;
  });
  if (isFailure(second)) return second;
  const turned = (ratio < 1 && second.ratio > 1) || (ratio > 1 && second.ratio < 1);
  if (isWithin(tolerances, second.ratio) || turned) return current;
  const replicas = whole(second.ratio * second.counted);
  const against = (second.ratio < 1 && replicas > current) || (second.ratio > 1 && replicas < current);
  return against ? current : replicas;
}

function utilizationOf(
  amounts: Amounts,
  requests: ReadonlyMap<string, number>,
  wantedPercent: number,
): { ratio: number; counted: number; milli: number; utilization: number } | Failure {
  let used = 0;
  let requested = 0;
  let known = 0;
  for (const [name, milli] of amounts) {
    const request = requests.get(name);
    if (request === undefined) continue;
    used += milli;
    requested += request;
    known++;
  }
  if (requested === 0) return { failure: 'no metrics returned matched known pods' };
  const utilization = Math.trunc((used * 100) / requested);
  return {
    ratio: utilization / wantedPercent,
    counted: amounts.size,
    milli: Math.trunc(used / known),
    utilization,
  };
}

function averageOf(amounts: Amounts): number {
  let sum = 0;
  for (const milli of amounts.values()) sum += milli;
  return Math.trunc(sum / amounts.size);
}
