// DaemonSet: a pod on every node that fits.
import {
  compileLabelSelector,
  controllerUid,
  defineKind,
  FieldAt,
  formatLabelMap,
  semanticEqual,
  validateLabelSelector,
} from '../../../machinery/index.ts';
import { ageColumn, integerColumn, nameColumn, textColumn, workloadColumns } from '../../columns.ts';
import { defaultPodTemplate, validatePodTemplate } from '../../core/v1/pod.ts';
import type { DaemonSet as DaemonSetObject, DaemonSetUpdateStrategy } from '../../generated/apps-v1.ts';
import { shape } from '../../shape.ts';
import {
  intOrPercentValue,
  isEmptySelector,
  isSoundSelector,
  validateAtMost100Percent,
  validateIntOrPercent,
  validateNonNegative,
  warnWorkload,
} from './workload-rules.ts';

export type DaemonSet = DaemonSetObject;

/** Counts the versions of the template. A field of old APIs, which v1 shows as an annotation. */
export const templateGenerationAnnotation = 'deprecated.daemonset.template.generation';

const templateGeneration = ({ metadata }: DaemonSetObject): number => {
  const text = metadata.annotations?.[templateGenerationAnnotation] ?? '';
  return /^-?\d+$/.test(text) ? Number(text) : 0;
};

function setTemplateGeneration(set: DaemonSetObject, generation: number): void {
  set.metadata.annotations = {
    ...set.metadata.annotations,
    [templateGenerationAnnotation]: String(generation),
  };
}

const counters = [
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'observedGeneration',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
  'collisionCount',
] as const;

export const DaemonSet = defineKind<DaemonSetObject>({
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  shortNames: ['ds'],
  categories: ['all'],
  scope: 'Namespaced',
  schema: shape('apps.v1.DaemonSet'),
  subresources: { status: true },
  generationFields: ['spec'],
  columns: [
    nameColumn,
    integerColumn('Desired', 'How many nodes should run it.', (ds) => ds.status?.desiredNumberScheduled ?? 0),
    integerColumn(
      'Current',
      'How many of these nodes run it.',
      (ds) => ds.status?.currentNumberScheduled ?? 0,
    ),
    integerColumn('Ready', 'On how many it is ready.', (ds) => ds.status?.numberReady ?? 0),
    integerColumn(
      'Up-to-date',
      'On how many it has the newest template.',
      (ds) => ds.status?.updatedNumberScheduled ?? 0,
    ),
    integerColumn(
      'Available',
      'On how many it has been ready for long enough.',
      (ds) => ds.status?.numberAvailable ?? 0,
    ),
    textColumn(
      'Node Selector',
      'The labels of the nodes it runs on.',
      (ds) => formatLabelMap(ds.spec?.template?.spec?.nodeSelector) || '<none>',
    ),
    ageColumn,
    ...workloadColumns,
  ],
  indexes: { byController: controllerUid },

  defaults(ds) {
    const { spec } = ds;
    // There from the beginning, and so owned by whoever creates or replaces the set.
    if (ds.metadata.annotations?.[templateGenerationAnnotation] === undefined) setTemplateGeneration(ds, 0);
    spec.updateStrategy ??= {};
    const strategy = spec.updateStrategy;
    strategy.type ||= 'RollingUpdate';
    if (strategy.type === 'RollingUpdate') {
      strategy.rollingUpdate ??= {};
      strategy.rollingUpdate.maxUnavailable ??= 1;
      strategy.rollingUpdate.maxSurge ??= 0;
    }
    spec.revisionHistoryLimit ??= 10;
    defaultPodTemplate(spec.template);
  },

  prepareCreate: (ds) => setTemplateGeneration(ds, Math.max(1, templateGeneration(ds))),
  prepareUpdate(ds, old) {
    const changed = !semanticEqual(ds.spec.template, old.spec.template);
    setTemplateGeneration(ds, templateGeneration(old) + (changed ? 1 : 0));
  },

  validate({ spec }, old, causes) {
    const field = new FieldAt('spec', causes);
    const { selector, template } = spec;
    validateLabelSelector(selector, 'spec.selector', causes);
    const labels = template?.metadata?.labels;
    if (isSoundSelector(selector) && !compileLabelSelector(selector)(labels))
      field
        .child('template', 'metadata', 'labels')
        .invalid(labels ?? null, '`selector` does not match template `labels`');
    if (selector !== undefined && isEmptySelector(selector))
      field.child('selector').invalid(selector, 'empty selector is invalid for daemonset');
    validatePodTemplate(template, 'spec.template', causes);
    const { restartPolicy = '', activeDeadlineSeconds } = template?.spec ?? {};
    const specAt = field.child('template', 'spec');
    if (restartPolicy !== 'Always') specAt.child('restartPolicy').notSupported(restartPolicy, ['Always']);
    if (activeDeadlineSeconds !== undefined)
      specAt.child('activeDeadlineSeconds').forbidden('activeDeadlineSeconds in DaemonSet is not Supported');
    field.child('minReadySeconds').notNegative(spec.minReadySeconds);
    validateStrategy(spec.updateStrategy ?? {}, field.child('updateStrategy'));
    field.child('revisionHistoryLimit').notNegative(spec.revisionHistoryLimit);
    if (old !== undefined) field.child('selector').immutable(selector, old.spec.selector);
  },

  validateStatus({ status }, old, causes) {
    for (const name of counters) validateNonNegative(status?.[name], `status.${name}`, causes);
    const collisions = status?.collisionCount ?? 0;
    if (collisions < (old.status?.collisionCount ?? 0))
      causes.invalid('status.collisionCount', collisions, 'cannot be decremented');
  },

  warn: (ds, old) => warnWorkload(ds, old),
});

function validateStrategy(strategy: DaemonSetUpdateStrategy, field: FieldAt): void {
  const { type, rollingUpdate } = strategy;
  if (type === 'OnDelete') return;
  if (type !== 'RollingUpdate') {
    field.notSupported(strategy, ['RollingUpdate', 'OnDelete']);
    return;
  }
  const here = field.child('rollingUpdate');
  if (rollingUpdate === undefined) {
    here.required();
    return;
  }
  const { maxUnavailable, maxSurge } = rollingUpdate;
  const { causes } = field;
  const unavailableAt = here.child('maxUnavailable');
  const surgeAt = here.child('maxSurge');
  validateIntOrPercent(maxUnavailable, unavailableAt.path, causes);
  validateIntOrPercent(maxSurge, surgeAt.path, causes);
  validateAtMost100Percent(maxUnavailable, unavailableAt.path, causes);
  validateAtMost100Percent(maxSurge, surgeAt.path, causes);
  const unavailable = (intOrPercentValue(maxUnavailable) ?? 0) !== 0;
  const surge = (intOrPercentValue(maxSurge) ?? 0) !== 0;
  if (unavailable && surge) surgeAt.invalid(maxSurge, 'may not be set when maxUnavailable is non-zero');
  if (!unavailable && !surge) unavailableAt.required('cannot be 0 when maxSurge is 0');
}
