// One metric of an autoscaler: from what was read to a number of pods, and to what the status shows. Pure; texts are those of
// kube-controller-manager, where each step of a failure adds its own words.
import type { autoscalingV2 } from '../../api/index.ts';
import { formatQuantity, mustParseQuantity, quantityOfMilli, toMilli } from '../../machinery/index.ts';
import { goSelector } from './go-selector.ts';
import { type Failure, isFailure } from './outcome.ts';
import type { Samples } from './pod-groups.ts';
import {
  type Calculation,
  forAverage,
  forUtilization,
  forValue,
  forValuePerPod,
  type Proposal,
} from './replicas.ts';

type MetricSpec = autoscalingV2.MetricSpec;
type MetricStatus = autoscalingV2.MetricStatus;
type Target = autoscalingV2.MetricTarget;

/** What the metrics API said of one metric; `failure` in its own words. */
export type Reading =
  | { readonly samples: Samples }
  /** Thousandths: the values of the series, added up. */
  | { readonly milli: number }
  | Failure;

export interface MetricInput extends Calculation {
  readonly namespace: string;
  /** Of the target's status. */
  readonly running: number;
}

export interface MetricProposal {
  readonly replicas: number;
  /** For events: `cpu resource utilization (percentage of request)`. */
  readonly name: string;
  readonly status: MetricStatus;
}

/** `reason` and `message` are those of an event and of the condition; `error` is what it adds up to further out. */
export interface MetricFailure {
  readonly reason: string;
  readonly message: string;
  readonly error: string;
}

export function evaluate(
  spec: MetricSpec,
  reading: Reading,
  input: MetricInput,
): MetricProposal | MetricFailure {
  switch (spec.type) {
    case 'Resource':
      return resourceMetric(spec, reading, input);
    case 'ContainerResource':
      return containerMetric(spec, reading, input);
    case 'Pods':
      return podsMetric(spec, reading, input);
    case 'Object':
      return objectMetric(spec, reading, input);
    case 'External':
      return externalMetric(spec, reading, input);
    default: {
      const message = `unknown metric source type ${JSON.stringify(spec.type)}`;
      return { reason: 'InvalidMetricSourceType', message, error: message };
    }
  }
}

const milliOf = (quantity: string): number => toMilli(mustParseQuantity(quantity));
const quantity = (milli: number): string => formatQuantity(quantityOfMilli(milli));

function resourceMetric({ type, resource }: MetricSpec, reading: Reading, input: MetricInput) {
  const { name, target } = resource!;
  const found = ofResource({ name, target, container: '' }, reading, input);
  if (isFailure(found)) {
    const message = found.failure;
    const error = `failed to get ${name} resource metric value: ${message}`;
    return { reason: 'FailedGetResourceMetric', message, error };
  }
  const said = target.averageValue === undefined ? ' utilization (percentage of request)' : '';
  return {
    replicas: found.replicas,
    name: `${name} resource${said}`,
    status: { type, resource: { name, current: currentOf(found) } },
  };
}

function containerMetric({ type, containerResource }: MetricSpec, reading: Reading, input: MetricInput) {
  const { name, container, target } = containerResource!;
  const found = ofResource({ name, target, container }, reading, input);
  if (isFailure(found)) {
    const message = found.failure;
    const error = `failed to get ${container} container metric value: ${message}`;
    return { reason: 'FailedGetContainerResourceMetric', message, error };
  }
  const said =
    target.averageValue === undefined
      ? `${name} container resource utilization (percentage of request)`
      : `${name} resource`;
  return {
    replicas: found.replicas,
    name: said,
    status: { type, containerResource: { name, container, current: currentOf(found) } },
  };
}

function ofResource(
  { name, target, container }: { name: string; target: Target; container: string },
  reading: Reading,
  input: MetricInput,
): Proposal | Failure {
  const { averageValue, averageUtilization } = target;
  if (averageValue === undefined && averageUtilization === undefined)
    return {
      failure:
        'invalid resource metric source: neither an average utilization target nor an average value (usage) target was set',
    };
  const what = averageValue === undefined ? 'utilization' : 'usage';
  const failed = (why: string): Failure => ({ failure: `failed to get ${name} ${what}: ${why}` });
  if (isFailure(reading)) return failed(`unable to get metrics for resource ${name}: ${reading.failure}`);
  const { samples } = reading as { samples: Samples };
  const found =
    averageValue === undefined
      ? forUtilization(samples, { resource: name, container, percent: averageUtilization! }, input)
      : forAverage(samples, { resource: name, milli: milliOf(averageValue) }, input);
  return isFailure(found) ? failed(found.failure) : found;
}

const currentOf = ({ milli, utilization }: Proposal): autoscalingV2.MetricValueStatus => ({
  ...(utilization !== undefined && { averageUtilization: utilization }),
  averageValue: quantity(milli),
});

function podsMetric({ type, pods }: MetricSpec, reading: Reading, input: MetricInput) {
  const { metric, target } = pods!;
  const found = isFailure(reading)
    ? { failure: `unable to get metric ${metric.name}: ${reading.failure}` }
    : forAverage(
        (reading as { samples: Samples }).samples,
        { resource: undefined, milli: milliOf(target.averageValue ?? '0') },
        input,
      );
  if (isFailure(found))
    return {
      reason: 'FailedGetPodsMetric',
      message: found.failure,
      error: `failed to get pods metric value: ${found.failure}`,
    };
  return {
    replicas: found.replicas,
    name: `pods metric ${metric.name}`,
    status: { type, pods: { metric, current: { averageValue: quantity(found.milli) } } },
  };
}

function objectMetric({ type, object }: MetricSpec, reading: Reading, input: MetricInput) {
  const { describedObject, metric, target } = object!;
  const perPod = target.type === 'AverageValue';
  const wanted = perPod ? target.averageValue : target.value;
  const reason = 'FailedGetObjectMetric';
  const about = `${describedObject.kind} ${input.namespace}/${describedObject.name}`;
  const found =
    wanted === undefined || (target.type !== 'Value' && !perPod)
      ? {
          failure: 'invalid object metric source: neither a value target nor an average value target was set',
        }
      : isFailure(reading)
        ? { failure: `unable to get metric ${metric.name}: ${reading.failure} on ${about}` }
        : ofValue((reading as { milli: number }).milli, milliOf(wanted), { perPod, input });
  if (isFailure(found)) {
    const inner = perPod ? `failed to get ${metric.name} object metric: ${found.failure}` : found.failure;
    return { reason, message: found.failure, error: `failed to get object metric value: ${inner}` };
  }
  const current = perPod ? { averageValue: quantity(found.milli) } : { value: quantity(found.milli) };
  return {
    replicas: found.replicas,
    name: perPod
      ? `external metric ${metric.name}(${goSelector(metric.selector)})`
      : `${describedObject.kind} metric ${metric.name}`,
    status: { type, object: { describedObject, metric, current } },
  };
}

function externalMetric({ type, external }: MetricSpec, reading: Reading, input: MetricInput) {
  const { metric, target } = external!;
  const perPod = target.averageValue !== undefined;
  const wanted = target.averageValue ?? target.value;
  const selector = goSelector(metric.selector);
  const found =
    wanted === undefined
      ? {
          failure:
            'invalid external metric source: neither a value target nor an average value target was set',
        }
      : isFailure(reading)
        ? {
            failure: `unable to get external metric ${input.namespace}/${metric.name}/${selector}: ${reading.failure}`,
          }
        : ofValue((reading as { milli: number }).milli, milliOf(wanted), { perPod, input });
  if (isFailure(found)) {
    const inner = perPod
      ? `failed to get ${metric.name} external metric: ${found.failure}`
      : wanted === undefined
        ? found.failure
        : `failed to get external metric ${metric.name}: ${found.failure}`;
    return {
      reason: 'FailedGetExternalMetric',
      message: found.failure,
      error: `failed to get ${metric.name} external metric value: ${inner}`,
    };
  }
  const current = perPod ? { averageValue: quantity(found.milli) } : { value: quantity(found.milli) };
  return {
    replicas: found.replicas,
    name: `external metric ${metric.name}(${selector})`,
    status: { type, external: { metric, current } },
  };
}

const ofValue = (
  milli: number,
  wantedMilli: number,
  { perPod, input }: { perPod: boolean; input: MetricInput },
): Proposal | Failure =>
  perPod ? forValuePerPod(milli, wantedMilli, input) : forValue(milli, wantedMilli, input);
