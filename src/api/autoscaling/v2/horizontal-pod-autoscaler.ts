// HorizontalPodAutoscaler: as many pods as what is measured calls for. This version is the stored one; v1 is a view of it.
import { defineKind, FieldAt } from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import { compareQuantities } from '../../core/v1/pod/quantities.ts';
import type {
  HorizontalPodAutoscalerBehavior,
  HorizontalPodAutoscaler as HorizontalPodAutoscalerObject,
  HPAScalingRules,
} from '../../generated/autoscaling-v2.ts';
import { shape } from '../../shape.ts';
import { metricsText, validateMetric, validateReference } from './metric-rules.ts';

export type HorizontalPodAutoscaler = HorizontalPodAutoscalerObject;

export const autoscalerPrefix = '/autoscaling/horizontalpodautoscalers/';
const maxPeriodSeconds = 1800;
const maxWindowSeconds = 3600;

export const autoscalerColumns = [
  nameColumn,
  textColumn<HorizontalPodAutoscalerObject>('Reference', 'What it scales.', ({ spec }) => {
    const { kind = '', name = '' } = spec?.scaleTargetRef ?? {};
    return `${kind}/${name}`;
  }),
  textColumn<HorizontalPodAutoscalerObject>('Targets', 'What is measured, and what it should be.', (hpa) =>
    metricsText(hpa.spec?.metrics ?? [], hpa.status?.currentMetrics ?? []),
  ),
  textColumn<HorizontalPodAutoscalerObject>('MinPods', 'At least so many pods.', ({ spec }) =>
    spec?.minReplicas === undefined ? '<unset>' : String(spec.minReplicas),
  ),
  textColumn<HorizontalPodAutoscalerObject>(
    'MaxPods',
    'At most so many pods.',
    ({ spec }) => spec?.maxReplicas ?? 0,
  ),
  textColumn<HorizontalPodAutoscalerObject>(
    'Replicas',
    'How many there are.',
    ({ status }) => status?.currentReplicas ?? 0,
  ),
  ageColumn,
] as const;

export const HorizontalPodAutoscaler = defineKind<HorizontalPodAutoscalerObject>({
  group: 'autoscaling',
  version: 'v2',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
  scope: 'Namespaced',
  schema: shape('autoscaling.v2.HorizontalPodAutoscaler'),
  storagePrefix: autoscalerPrefix,
  subresources: { status: true },
  columns: autoscalerColumns,
  defaults: defaultAutoscaler,
  validate: (hpa, old, causes) => validateAutoscaler(hpa, old, new FieldAt('spec', causes)),
  validateStatus: (hpa, _old, causes) => validateAutoscalerStatus(hpa, new FieldAt('status', causes)),
});

/** Mutates; idempotent. */
export function defaultAutoscaler({ spec }: HorizontalPodAutoscalerObject): void {
  if (spec === undefined) return;
  spec.minReplicas ??= 1;
  if ((spec.metrics ?? []).length === 0)
    spec.metrics = [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
      },
    ];
  if (spec.behavior === undefined) return;
  spec.behavior.scaleUp = {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
    ...given(spec.behavior.scaleUp),
  };
  spec.behavior.scaleDown = {
    selectPolicy: 'Max',
    policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
    ...given(spec.behavior.scaleDown),
  };
}

const given = (rules: HPAScalingRules | undefined): HPAScalingRules =>
  Object.fromEntries(Object.entries(rules ?? {}).filter(([, value]) => value !== undefined));

export function validateAutoscaler(
  { spec }: HorizontalPodAutoscalerObject,
  old: HorizontalPodAutoscalerObject | undefined,
  field: FieldAt,
): void {
  const { minReplicas: min, maxReplicas: max = 0, metrics = [] } = spec;
  // none at all is allowed only where it was before
  const least = old?.spec.minReplicas === 0 ? 0 : 1;
  if (min !== undefined && min < least)
    field.child('minReplicas').invalid(min, `must be greater than or equal to ${least}`);
  if (max < 1) field.child('maxReplicas').invalid(max, 'must be greater than 0');
  if (min !== undefined && max < min)
    field.child('maxReplicas').invalid(max, 'must be greater than or equal to `minReplicas`');
  validateReference(spec.scaleTargetRef, field.child('scaleTargetRef'));
  const metricsAt = field.child('metrics');
  for (const [i, metric] of metrics.entries()) validateMetric(metric, metricsAt.index(i));
  if (min === 0 && !metrics.some(({ type }) => type === 'Object' || type === 'External'))
    metricsAt.forbidden(
      'must specify at least one Object or External metric to support scaling to zero replicas',
    );
  validateBehavior(spec.behavior, field.child('behavior'));
}

export function validateAutoscalerStatus({ status }: HorizontalPodAutoscalerObject, field: FieldAt): void {
  for (const name of ['currentReplicas', 'desiredReplicas'] as const)
    field.child(name).notNegative(status?.[name]);
}

function validateBehavior(behavior: HorizontalPodAutoscalerBehavior | undefined, field: FieldAt): void {
  for (const direction of ['scaleUp', 'scaleDown'] as const) {
    const rules = behavior?.[direction];
    if (rules !== undefined) validateScalingRules(rules, field.child(direction));
  }
}

function validateScalingRules(rules: HPAScalingRules, field: FieldAt): void {
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [], tolerance } = rules;
  const windowAt = field.child('stabilizationWindowSeconds');
  if (window !== undefined && window < 0) windowAt.invalid(window, 'must be greater than or equal to zero');
  if (window !== undefined && window > maxWindowSeconds)
    windowAt.invalid(window, `must be less than or equal to ${maxWindowSeconds}`);
  field.child('selectPolicy').oneOf(selectPolicy, ['Disabled', 'Max', 'Min']);
  if (policies.length === 0) field.child('policies').required('must specify at least one Policy');
  for (const [i, { type, value, periodSeconds }] of policies.entries()) {
    const here = field.child('policies').index(i);
    here.child('type').oneOf(type, ['Percent', 'Pods']);
    if (value <= 0) here.child('value').invalid(value, 'must be greater than zero');
    const period = here.child('periodSeconds');
    if (periodSeconds <= 0) period.invalid(periodSeconds, 'must be greater than zero');
    if (periodSeconds > maxPeriodSeconds)
      period.invalid(periodSeconds, `must be less than or equal to ${maxPeriodSeconds}`);
  }
  if (tolerance !== undefined && compareQuantities(tolerance, '0') < 0)
    field.child('tolerance').invalid(tolerance, 'must be greater than or equal to 0');
}
