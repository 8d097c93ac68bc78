// ReplicationController: what ReplicaSet was before selectors had expressions.
import {
  compileLabelMap,
  controllerUid,
  defineKind,
  FieldAt,
  formatLabelMap,
} from '../../../machinery/index.ts';
import { validateCounters } from '../../apps/v1/workload-rules.ts';
import { ageColumn, integerColumn, nameColumn, templateColumns, textColumn, wide } from '../../columns.ts';
import type { ReplicationController as ReplicationControllerObject } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';
import { defaultPodTemplate, validatePodTemplate, warnPodTemplate } from './pod.ts';

export type ReplicationController = ReplicationControllerObject;

export const ReplicationController = defineKind<ReplicationControllerObject>({
  group: '',
  version: 'v1',
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  shortNames: ['rc'],
  categories: ['all'],
  scope: 'Namespaced',
  dependents: 'orphan',
  schema: shape('core.v1.ReplicationController'),
  subresources: {
    status: true,
    scale: { replicas: 'spec.replicas', statusReplicas: 'status.replicas', selector: 'spec.selector' },
  },
  generationFields: ['spec'],
  columns: [
    nameColumn,
    integerColumn('Desired', 'How many pods it should have.', (rc) => rc.spec?.replicas ?? 0),
    integerColumn('Current', 'How many pods it has.', (rc) => rc.status?.replicas ?? 0),
    integerColumn('Ready', 'How many of them are ready.', (rc) => rc.status?.readyReplicas ?? 0),
    ageColumn,
    ...templateColumns.map((column) => ({
      ...column,
      cell: ({ spec, ...rest }: ReplicationControllerObject, now: { nowMs: number }) =>
        column.cell({ ...rest, spec: { template: spec?.template } }, now),
    })),
    wide(
      textColumn(
        'Selector',
        'The labels of the pods that belong to the object.',
        (rc) => formatLabelMap(rc.spec?.selector) || '<none>',
      ),
    ),
  ],
  selectableFields: { 'status.replicas': (rc) => String(rc.status?.replicas ?? 0) },
  indexes: { byController: controllerUid },

  defaults({ metadata, spec }) {
    const labels = spec.template?.metadata?.labels;
    if (labels !== undefined) {
      if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
      if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
    }
    spec.replicas ??= 1;
    defaultPodTemplate(spec.template);
  },

  validate({ spec }, _old, causes) {
    const field = new FieldAt('spec', causes);
    field.child('minReadySeconds').notNegative(spec.minReadySeconds);
    const anyLabels = Object.keys(spec.selector ?? {}).length === 0;
    if (anyLabels) field.child('selector').required();
    field.child('replicas').notNegative(spec.replicas);
    const { template } = spec;
    const here = field.child('template');
    if (template === undefined) {
      here.required();
      return;
    }
    const labels = template.metadata?.labels;
    if (!anyLabels && !compileLabelMap(spec.selector)(labels))
      here.child('metadata', 'labels').invalid(labels ?? null, '`selector` does not match template `labels`');
    validatePodTemplate(template, here.path, causes);
    const { restartPolicy = '', activeDeadlineSeconds } = template.spec ?? {};
    if (restartPolicy !== 'Always')
      here.child('spec', 'restartPolicy').notSupported(restartPolicy, ['Always']);
    if (activeDeadlineSeconds !== undefined)
      here
        .child('spec', 'activeDeadlineSeconds')
        .forbidden('activeDeadlineSeconds in ReplicationController is not Supported');
  },

  validateStatus({ status }, _old, causes) {
    if (status === undefined) return;
    validateCounters(
      status,
      {
        whole: 'replicas',
        parts: ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
        others: ['observedGeneration'],
      },
      causes,
    );
    const { availableReplicas = 0, readyReplicas = 0 } = status;
    if (availableReplicas > readyReplicas)
      causes.invalid('status.availableReplicas', availableReplicas, 'cannot be greater than readyReplicas');
  },

  warn: (rc, old) =>
    old !== undefined && old.metadata.generation === rc.metadata.generation
      ? []
      : warnPodTemplate(rc.spec?.template, 'spec.template'),
});
