// PodDisruptionBudget: how many pods of a set must stay when somebody takes pods away on purpose.
import { defineKind, FieldAt, validateLabelSelector } from '../../../machinery/index.ts';
import { validateAtMost100Percent, validateIntOrPercent } from '../../apps/v1/workload-rules.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from '../../columns.ts';
import { validateConditions } from '../../condition-rules.ts';
import type { PodDisruptionBudget as PodDisruptionBudgetObject } from '../../generated/policy-v1.ts';
import { shape } from '../../shape.ts';

export type PodDisruptionBudget = PodDisruptionBudgetObject;

const bound = (value: number | string | undefined): string => (value === undefined ? 'N/A' : String(value));

export const PodDisruptionBudget = defineKind<PodDisruptionBudgetObject>({
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  shortNames: ['pdb'],
  scope: 'Namespaced',
  unconditionalUpdate: false,
  schema: shape('policy.v1.PodDisruptionBudget'),
  subresources: { status: true },
  generationFields: ['spec'],
  columns: [
    nameColumn,
    textColumn('Min Available', 'How many pods must stay.', ({ spec }) => bound(spec?.minAvailable)),
    textColumn('Max Unavailable', 'How many pods may be missing.', ({ spec }) => bound(spec?.maxUnavailable)),
    integerColumn(
      'Allowed Disruptions',
      'How many pods may go now.',
      ({ status }) => status?.disruptionsAllowed ?? 0,
    ),
    ageColumn,
  ],
  validate({ spec }, _old, causes) {
    const field = new FieldAt('spec', causes);
    if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined)
      field.invalid(spec, 'minAvailable and maxUnavailable cannot be both set');
    for (const name of ['minAvailable', 'maxUnavailable'] as const) {
      const { path } = field.child(name);
      validateIntOrPercent(spec[name], path, causes);
      validateAtMost100Percent(spec[name], path, causes);
    }
    validateLabelSelector(spec.selector, 'spec.selector', causes);
    field
      .child('unhealthyPodEvictionPolicy')
      .oneOf(spec.unhealthyPodEvictionPolicy, ['AlwaysAllow', 'IfHealthyBudget']);
  },
  validateStatus({ status }, _old, causes) {
    const field = new FieldAt('status', causes);
    validateConditions(status?.conditions ?? [], field.child('conditions'));
    for (const name of ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const)
      field.child(name).notNegative(status?.[name]);
  },
});
