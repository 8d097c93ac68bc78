// ReplicaSet: a fixed number of pods of one template.
import { controllerUid, defineKind } from '../../../machinery/index.ts';
import { ageColumn, nameColumn, workloadColumns } from '../../columns.ts';
import { defaultPodTemplate } from '../../core/v1/pod.ts';
import type { ReplicaSet as ReplicaSetObject } from '../../generated/apps-v1.ts';
import { shape } from '../../shape.ts';
import { validateCounters, validateNonNegative, validateWorkload, warnWorkload } from './workload-rules.ts';

export type ReplicaSet = ReplicaSetObject;

export const ReplicaSet = defineKind<ReplicaSetObject>({
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  shortNames: ['rs'],
  categories: ['all'],
  scope: 'Namespaced',
  schema: shape('apps.v1.ReplicaSet'),
  subresources: {
    status: true,
    scale: { replicas: 'spec.replicas', statusReplicas: 'status.replicas', selector: 'spec.selector' },
  },
  generationFields: ['spec'],
  columns: [
    nameColumn,
    {
      name: 'Desired',
      type: 'integer',
      description: 'How many pods it should have.',
      cell: (rs) => rs.spec?.replicas ?? 0,
    },
    {
      name: 'Current',
      type: 'integer',
      description: 'How many pods it has.',
      cell: (rs) => rs.status?.replicas ?? 0,
    },
    {
      name: 'Ready',
      type: 'integer',
      description: 'How many of them are ready.',
      cell: (rs) => rs.status?.readyReplicas ?? 0,
    },
    ageColumn,
    ...workloadColumns,
  ],
  selectableFields: { 'status.replicas': (rs) => String(rs.status?.replicas ?? 0) },
  indexes: { byController: controllerUid },

  defaults(rs) {
    rs.spec.replicas ??= 1;
    defaultPodTemplate(rs.spec.template);
  },

  validate({ spec }, old, causes) {
    validateNonNegative(spec.replicas, 'spec.replicas', causes);
    validateNonNegative(spec.minReadySeconds, 'spec.minReadySeconds', causes);
    validateWorkload(spec, old?.spec, causes);
  },

  validateStatus({ status }, _old, causes) {
    if (status === undefined) return;
    validateCounters(
      status,
      {
        whole: 'replicas',
        parts: ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
        others: ['terminatingReplicas', 'observedGeneration'],
      },
      causes,
    );
    const { availableReplicas = 0, readyReplicas = 0 } = status;
    if (availableReplicas > readyReplicas)
      causes.invalid('status.availableReplicas', availableReplicas, 'cannot be greater than readyReplicas');
  },

  warn: (rs, old) => warnWorkload(rs, old),
});
