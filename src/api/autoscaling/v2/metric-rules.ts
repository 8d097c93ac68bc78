// The rules of what an autoscaler measures, and how its targets are shown.
import { checkPathSegment, type FieldAt } from '../../../machinery/index.ts';
import { compareQuantities } from '../../core/v1/pod/quantities.ts';
import type {
  CrossVersionObjectReference,
  MetricIdentifier,
  MetricSpec,
  MetricStatus,
  MetricTarget,
} from '../../generated/autoscaling-v2.ts';

/** Each type of metric and the field it fills. */
const sources = {
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
  External: 'external',
  ContainerResource: 'containerResource',
} as const;
type Source = (typeof sources)[keyof typeof sources];
const order: readonly Source[] = ['object', 'external', 'pods', 'resource', 'containerResource'];

const sourceOf = (type: string): Source | undefined =>
  Object.hasOwn(sources, type) ? sources[type as keyof typeof sources] : undefined;

export function validateReference(reference: CrossVersionObjectReference | undefined, field: FieldAt): void {
  field.child('kind').requiredText(reference?.kind, checkPathSegment);
  field.child('name').requiredText(reference?.name, checkPathSegment);
}

export function validateMetric(metric: MetricSpec, field: FieldAt): void {
  const type = field.child('type');
  const supported = Object.keys(sources).sort();
  if (metric.type === '') type.required('must specify a metric source type');
  const wanted = sourceOf(metric.type);
  if (wanted === undefined) type.notSupported(metric.type, supported);
  const given = order.filter((source) => metric[source] !== undefined);
  if (given[0] !== undefined) validateSource(metric, given[0], field.child(given[0]));
  if (wanted === undefined) type.notSupported(metric.type, supported);
  else if (metric[wanted] === undefined)
    field.child(wanted).required('must populate information for the given metric source');
  if (given.length !== 1)
    for (const source of given)
      if (source !== wanted) field.child(source).forbidden('must populate the given metric source only');
}

function validateSource(metric: MetricSpec, source: Source, field: FieldAt): void {
  const target: MetricTarget = metric[source]!.target;
  const at = (name: keyof MetricTarget): FieldAt => field.child('target', name);
  switch (source) {
    case 'object':
      validateReference(metric.object!.describedObject, field.child('describedObject'));
      validateIdentifier(metric.object!.metric, field.child('metric'));
      validateTarget(target, field.child('target'));
      if (target?.value === undefined && target?.averageValue === undefined)
        at('averageValue').required('must set either a target value or averageValue');
      break;
    case 'external':
      validateIdentifier(metric.external!.metric, field.child('metric'));
      validateTarget(target, field.child('target'));
      if (target?.value === undefined && target?.averageValue === undefined)
        at('averageValue').required('must set either a target value for metric or a per-pod target');
      if (target?.value !== undefined && target?.averageValue !== undefined)
        at('value').forbidden('may not set both a target value for metric and a per-pod target');
      break;
    case 'pods':
      validateIdentifier(metric.pods!.metric, field.child('metric'));
      validateTarget(target, field.child('target'));
      if (target?.averageValue === undefined || compareQuantities(target.averageValue, '0') <= 0)
        at('averageValue').required('must specify a positive target averageValue');
      break;
    default:
      validateResource(metric[source]!, source, field);
  }
}

function validateResource(
  resource: { name: string; container?: string; target: MetricTarget },
  source: 'resource' | 'containerResource',
  field: FieldAt,
): void {
  const { name, container = '', target } = resource;
  if (name === '') field.child('name').required('must specify a resource name');
  if (source === 'containerResource' && container === '')
    field.child('container').required('must specify a container');
  validateTarget(target, field.child('target'));
  const utilization = target?.averageUtilization;
  const value = target?.averageValue;
  if (utilization === undefined && value === undefined)
    field
      .child('target', 'averageUtilization')
      .required('must set either a target raw value or a target utilization');
  if (utilization !== undefined && value !== undefined)
    field
      .child('target', 'averageValue')
      .forbidden('may not set both a target raw value and a target utilization');
}

function validateIdentifier(metric: MetricIdentifier | undefined, field: FieldAt): void {
  const name = metric?.name ?? '';
  if (name === '') field.child('name').required('must specify a metric name');
  else field.child('name').refuse(name, checkPathSegment(name));
}

function validateTarget(target: MetricTarget | undefined, field: FieldAt): void {
  const { type = '', value, averageValue, averageUtilization } = target ?? {};
  if (type === '') field.child('type').required('must specify a metric target type');
  if (type !== 'Utilization' && type !== 'Value' && type !== 'AverageValue')
    field.child('type').invalid(type, 'must be either Utilization, Value, or AverageValue');
  for (const [name, amount] of [
    ['value', value],
    ['averageValue', averageValue],
  ] as const)
    if (amount !== undefined && compareQuantities(amount, '0') <= 0)
      field.child(name).invalid(amount, 'must be positive');
  if (averageUtilization !== undefined && averageUtilization < 1)
    field.child('averageUtilization').invalid(averageUtilization, 'must be greater than 0');
}

const unknown = '<unknown>';

/** `cpu: 12%/80%, memory: <unknown>/1Gi`, two at most. */
export function metricsText(metrics: readonly MetricSpec[], statuses: readonly MetricStatus[]): string {
  if (metrics.length === 0) return '<none>';
  const shown = metrics.slice(0, 2).map((metric, i) => metricText(metric, statuses[i]));
  const text = shown.join(', ');
  return metrics.length > 2 ? `${text} + ${metrics.length - 2} more...` : text;
}

function metricText(metric: MetricSpec, status: MetricStatus | undefined): string {
  const source = sourceOf(metric.type);
  const target = source === undefined ? undefined : metric[source]?.target;
  if (source === undefined || target === undefined) return unknown;
  const current = status?.[source]?.current;
  switch (source) {
    case 'pods':
      return `${current?.averageValue ?? unknown}/${target.averageValue ?? '0'}`;
    case 'object':
    case 'external':
      return target.averageValue === undefined
        ? `${current?.value ?? unknown}/${target.value ?? '0'}`
        : `${current?.averageValue ?? unknown}/${target.averageValue} (avg)`;
    default: {
      const name = metric[source]?.name ?? '';
      if (target.averageValue !== undefined)
        return `${name}: ${current?.averageValue ?? unknown}/${target.averageValue}`;
      const now = current?.averageUtilization;
      const wanted = target.averageUtilization;
      return `${name}: ${now === undefined ? unknown : `${now}%`}/${wanted === undefined ? '<auto>' : `${wanted}%`}`;
    }
  }
}
