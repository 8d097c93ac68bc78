// StatefulSet: pods with names and storage of their own, one after the other.
import {
  checkDns1123Label,
  compileLabelSelector,
  controllerUid,
  defineKind,
  FieldAt,
  nameIsDnsLabel,
  semanticEqual,
  validateLabelSelector,
} from '../../../machinery/index.ts';
import { ageColumn, nameColumn, templateColumns, textColumn } from '../../columns.ts';
import { defaultClaim, validateClaimSpec, warnClaimSpec } from '../../core/v1/persistent-volume-claim.ts';
import { defaultPodTemplate, validatePodTemplate, warnPodTemplate } from '../../core/v1/pod.ts';
import type { StatefulSet as StatefulSetObject, StatefulSetSpec } from '../../generated/apps-v1.ts';
import type { PodTemplateSpec } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';
import {
  intOrPercentValue,
  isEmptySelector,
  isSoundSelector,
  validateAtMost100Percent,
  validateCounters,
  validateIntOrPercent,
} from './workload-rules.ts';

export type StatefulSet = StatefulSetObject;

export const StatefulSet = defineKind<StatefulSetObject>({
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  shortNames: ['sts'],
  categories: ['all'],
  scope: 'Namespaced',
  schema: shape('apps.v1.StatefulSet'),
  subresources: {
    status: true,
    scale: { replicas: 'spec.replicas', statusReplicas: 'status.replicas', selector: 'spec.selector' },
  },
  generationFields: ['spec'],
  nameRule: nameIsDnsLabel,
  columns: [
    nameColumn,
    textColumn(
      'Ready',
      'How many pods are ready, of how many wanted.',
      (set) => `${set.status?.readyReplicas ?? 0}/${set.spec?.replicas ?? 0}`,
    ),
    ageColumn,
    ...templateColumns,
  ],
  indexes: { byController: controllerUid },

  defaults({ spec, status }) {
    spec.podManagementPolicy ||= 'OrderedReady';
    spec.updateStrategy ??= {};
    const strategy = spec.updateStrategy;
    if (!strategy.type) {
      strategy.type = 'RollingUpdate';
      strategy.rollingUpdate ??= {};
    }
    if (strategy.type === 'RollingUpdate' && strategy.rollingUpdate !== undefined) {
      strategy.rollingUpdate.partition ??= 0;
      strategy.rollingUpdate.maxUnavailable ??= 1;
    }
    spec.persistentVolumeClaimRetentionPolicy ??= {};
    spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain';
    spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain';
    spec.replicas ??= 1;
    spec.revisionHistoryLimit ??= 10;
    // numbers that are left out when nothing, and one that never is
    if (spec.minReadySeconds === 0) delete spec.minReadySeconds;
    if (spec.ordinals !== undefined) spec.ordinals.start ??= 0;
    if (status !== undefined) status.availableReplicas ??= 0;
    for (const claim of spec.volumeClaimTemplates ?? []) {
      claim.apiVersion = 'v1';
      claim.kind = 'PersistentVolumeClaim';
      defaultClaim(claim);
    }
    defaultPodTemplate(spec.template);
  },

  prepareCreate(set) {
    set.status = { replicas: 0, availableReplicas: 0 };
  },

  validate({ spec }, old, causes) {
    const field = new FieldAt('spec', causes);
    validatePolicies(spec, field);
    field.child('replicas').notNegative(spec.replicas);
    field.child('minReadySeconds').notNegative(spec.minReadySeconds);
    field.child('ordinals.start').notNegative(spec.ordinals?.start);
    if (old === undefined) {
      if (spec.serviceName)
        field.child('serviceName').refuse(spec.serviceName, checkDns1123Label(spec.serviceName));
      for (const [i, claim] of (spec.volumeClaimTemplates ?? []).entries())
        if (claim.spec !== undefined)
          validateClaimSpec(claim.spec, field.child('volumeClaimTemplates').index(i).child('spec'));
    }
    validateSelectorAndTemplate(spec, old?.spec, field);
    if (old !== undefined && !semanticEqual(immutablePart(spec), immutablePart(old.spec)))
      field.forbidden(
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      );
  },

  validateStatus({ status }, old, causes) {
    if (status === undefined) return;
    validateCounters(
      status,
      {
        whole: 'replicas',
        parts: ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'],
        others: ['observedGeneration', 'collisionCount'],
      },
      causes,
    );
    const { availableReplicas = 0, readyReplicas = 0, collisionCount = 0 } = status;
    if (availableReplicas > readyReplicas)
      causes.invalid(
        'status.availableReplicas',
        availableReplicas,
        'cannot be greater than status.readyReplicas',
      );
    if (collisionCount < (old.status?.collisionCount ?? 0))
      causes.invalid('status.collisionCount', collisionCount, 'cannot be decremented');
  },

  warn(set, old) {
    if (old !== undefined && old.metadata.generation === set.metadata.generation) return [];
    const { template, volumeClaimTemplates = [], revisionHistoryLimit = 0 } = set.spec ?? {};
    return [
      ...warnPodTemplate(template, 'spec.template'),
      ...volumeClaimTemplates.flatMap((claim, i) =>
        warnClaimSpec(claim.spec, `spec.volumeClaimTemplates[${i}]`),
      ),
      ...(revisionHistoryLimit < 0
        ? [
            'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended',
          ]
        : []),
    ];
  },
});

function immutablePart(spec: StatefulSetSpec): Partial<StatefulSetSpec> {
  const { selector, serviceName, volumeClaimTemplates, podManagementPolicy } = spec;
  return { selector, serviceName, volumeClaimTemplates, podManagementPolicy };
}

function validatePolicies(spec: StatefulSetSpec, field: FieldAt): void {
  const management = field.child('podManagementPolicy');
  const policy = spec.podManagementPolicy ?? '';
  if (policy === '') management.required();
  else if (policy !== 'OrderedReady' && policy !== 'Parallel')
    management.invalid(policy, "must be 'OrderedReady' or 'Parallel'");
  const strategy = field.child('updateStrategy');
  const { type = '', rollingUpdate } = spec.updateStrategy ?? {};
  const here = strategy.child('rollingUpdate');
  if (type === '') strategy.required();
  else if (type === 'OnDelete') {
    if (rollingUpdate !== undefined)
      here.invalid(rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'");
  } else if (type !== 'RollingUpdate')
    strategy.invalid(spec.updateStrategy, "must be 'RollingUpdate' or 'OnDelete'");
  else if (rollingUpdate !== undefined) {
    const { partition, maxUnavailable } = rollingUpdate;
    const { path, causes } = here.child('maxUnavailable');
    here.child('partition').notNegative(partition);
    validateIntOrPercent(maxUnavailable, path, causes);
    if (maxUnavailable !== undefined && (intOrPercentValue(maxUnavailable) ?? 0) === 0)
      causes.invalid(path, maxUnavailable, 'cannot be 0');
    validateAtMost100Percent(maxUnavailable, path, causes);
  }
  for (const when of ['whenDeleted', 'whenScaled'] as const)
    field
      .child('persistentVolumeClaimRetentionPolicy', when)
      .oneOf(spec.persistentVolumeClaimRetentionPolicy?.[when] ?? 'Retain', ['Retain', 'Delete']);
}

function validateSelectorAndTemplate(
  spec: StatefulSetSpec,
  old: StatefulSetSpec | undefined,
  field: FieldAt,
): void {
  const { selector, template } = spec;
  const selectorAt = field.child('selector');
  if (selector === undefined) selectorAt.required();
  else {
    validateLabelSelector(selector, selectorAt.path, field.causes);
    if (isEmptySelector(selector)) selectorAt.invalid(selector, 'empty selector is invalid for statefulset');
  }
  const templateAt = field.child('template');
  if (!isSoundSelector(selector)) selectorAt.invalid(selector, '');
  else {
    const labels = template?.metadata?.labels;
    const everything = selector !== undefined && isEmptySelector(selector);
    if (!everything && !compileLabelSelector(selector)(labels))
      templateAt
        .child('metadata', 'labels')
        .invalid(labels ?? null, '`selector` does not match template `labels`');
    // a template from before these rules may stay as it is
    if (old === undefined || !semanticEqual(template, old.template))
      validatePodTemplate(withClaims(spec), templateAt.path, field.causes);
  }
  const { restartPolicy = '', activeDeadlineSeconds } = template?.spec ?? {};
  if (restartPolicy !== 'Always')
    templateAt.child('spec', 'restartPolicy').notSupported(restartPolicy, ['Always']);
  if (activeDeadlineSeconds !== undefined)
    templateAt
      .child('spec', 'activeDeadlineSeconds')
      .forbidden('activeDeadlineSeconds in StatefulSet is not Supported');
}

/** The template as its pods will be: each claim is a volume, in the place of one of the same name. */
function withClaims({ template, volumeClaimTemplates = [] }: StatefulSetSpec): PodTemplateSpec {
  const names = volumeClaimTemplates.map((claim) => claim.metadata?.name ?? '');
  if (template?.spec === undefined || names.length === 0) return template;
  return {
    ...template,
    spec: {
      ...template.spec,
      volumes: [
        ...(template.spec.volumes ?? []).filter((volume) => !names.includes(volume.name)),
        ...names.map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
      ],
    },
  };
}
