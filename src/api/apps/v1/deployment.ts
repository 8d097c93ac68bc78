// Deployment: a ReplicaSet per version of a template, and the way from one version to the next.
import { type Causes, defineKind, semanticEqual } from '../../../machinery/index.ts';
import { ageColumn, nameColumn, workloadColumns } from '../../columns.ts';
import { defaultPodTemplate } from '../../core/v1/pod.ts';
import type { Deployment as DeploymentObject, DeploymentStrategy } from '../../generated/apps-v1.ts';
import { shape } from '../../shape.ts';
import {
  intOrPercentValue,
  validateAtMost100Percent,
  validateCounters,
  validateIntOrPercent,
  validateNonNegative,
  validateWorkload,
  warnWorkload,
} from './workload-rules.ts';

export type Deployment = DeploymentObject;

export const Deployment = defineKind<DeploymentObject>({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  shortNames: ['deploy'],
  categories: ['all'],
  scope: 'Namespaced',
  schema: shape('apps.v1.Deployment'),
  subresources: {
    status: true,
    scale: { replicas: 'spec.replicas', statusReplicas: 'status.replicas', selector: 'spec.selector' },
  },
  generationFields: ['spec'],
  columns: [
    nameColumn,
    {
      name: 'Ready',
      type: 'string',
      description: 'How many pods are ready, of how many wanted.',
      cell: (d) => `${d.status?.readyReplicas ?? 0}/${d.spec?.replicas ?? 0}`,
    },
    {
      name: 'Up-to-date',
      type: 'string',
      description: 'How many pods have the newest template.',
      cell: (d) => d.status?.updatedReplicas ?? 0,
    },
    {
      name: 'Available',
      type: 'string',
      description: 'How many pods have been ready for long enough.',
      cell: (d) => d.status?.availableReplicas ?? 0,
    },
    ageColumn,
    ...workloadColumns,
  ],

  defaults({ spec }) {
    spec.replicas ??= 1;
    spec.strategy ??= {};
    spec.strategy.type ||= 'RollingUpdate';
    if (spec.strategy.type === 'RollingUpdate') {
      spec.strategy.rollingUpdate ??= {};
      spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
      spec.strategy.rollingUpdate.maxSurge ??= '25%';
    }
    spec.revisionHistoryLimit ??= 10;
    spec.progressDeadlineSeconds ??= 600;
    defaultPodTemplate(spec.template);
  },

  // its annotations are copied to its ReplicaSets, so they count as desired state
  prepareUpdate(deployment, old) {
    if (!semanticEqual(deployment.metadata.annotations, old.metadata.annotations))
      deployment.metadata.generation = (old.metadata.generation ?? 0) + 1;
  },

  prepareStatus(deployment, old) {
    if (old.metadata.labels === undefined) delete deployment.metadata.labels;
    else deployment.metadata.labels = old.metadata.labels;
  },

  validate({ spec }, old, causes) {
    validateNonNegative(spec.replicas, 'spec.replicas', causes);
    validateWorkload(spec, old?.spec, causes);
    validateStrategy(spec.strategy ?? {}, causes);
    validateNonNegative(spec.minReadySeconds, 'spec.minReadySeconds', causes);
    validateNonNegative(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit', causes);
    const deadline = spec.progressDeadlineSeconds;
    if (deadline === undefined) return;
    validateNonNegative(deadline, 'spec.progressDeadlineSeconds', causes);
    if (deadline <= (spec.minReadySeconds ?? 0))
      causes.invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds');
  },

  validateStatus({ status }, old, causes) {
    if (status === undefined) return;
    validateCounters(
      status,
      {
        whole: 'replicas',
        parts: ['updatedReplicas', 'readyReplicas', 'availableReplicas'],
        others: ['unavailableReplicas', 'terminatingReplicas', 'observedGeneration', 'collisionCount'],
      },
      causes,
    );
    const { availableReplicas = 0, readyReplicas = 0, collisionCount = 0 } = status;
    if (availableReplicas > readyReplicas)
      causes.invalid('status.availableReplicas', availableReplicas, 'cannot be greater than readyReplicas');
    if (collisionCount < (old.status?.collisionCount ?? 0))
      causes.invalid('status.collisionCount', collisionCount, 'cannot be decremented');
  },

  warn: (deployment, old) => warnWorkload(deployment, old),
});

function validateStrategy(strategy: DeploymentStrategy, causes: Causes): void {
  const path = 'spec.strategy.rollingUpdate';
  const { type, rollingUpdate } = strategy;
  if (type === 'Recreate') {
    if (rollingUpdate !== undefined)
      causes.forbidden(path, "may not be specified when strategy `type` is 'Recreate'");
    return;
  }
  if (type !== 'RollingUpdate') {
    causes.notSupported('spec.strategy', strategy, ['Recreate', 'RollingUpdate']);
    return;
  }
  if (rollingUpdate === undefined) {
    causes.required(path, 'this should be defaulted and never be nil');
    return;
  }
  const { maxUnavailable, maxSurge } = rollingUpdate;
  validateIntOrPercent(maxUnavailable, `${path}.maxUnavailable`, causes);
  validateIntOrPercent(maxSurge, `${path}.maxSurge`, causes);
  if ((intOrPercentValue(maxUnavailable) ?? 0) === 0 && (intOrPercentValue(maxSurge) ?? 0) === 0)
    causes.invalid(`${path}.maxUnavailable`, maxUnavailable ?? 0, 'may not be 0 when `maxSurge` is 0');
  validateAtMost100Percent(maxUnavailable, `${path}.maxUnavailable`, causes);
}
