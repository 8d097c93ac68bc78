// Rules that workloads share: a selector that selects their own template, and numbers that may be percentages.
import {
  at,
  type Causes,
  checkLabelKey,
  checkLabelValue,
  checkPercent,
  compileLabelSelector,
  immutableMessage,
  type KubeObject,
  nonNegativeMessage,
  semanticEqual,
  validateLabelSelector,
} from '../../../machinery/index.ts';
import { validatePodTemplate, warnPodTemplate } from '../../core/v1/pod.ts';
import type { PodTemplateSpec } from '../../generated/core-v1.ts';
import type { LabelSelector } from '../../generated/meta-v1.ts';

export function validateNonNegative(value: number | undefined, path: string, causes: Causes): void {
  if (value !== undefined && value < 0) causes.invalid(path, value, nonNegativeMessage);
}

/** What the shared rules read of a spec. */
interface WorkloadSpec {
  replicas?: number | undefined;
  selector?: LabelSelector | undefined;
  template?: PodTemplateSpec | undefined;
}

/** The rules of `spec.selector` and `spec.template` of workloads whose pods run for ever. */
export function validateWorkload(spec: WorkloadSpec, old: WorkloadSpec | undefined, causes: Causes): void {
  const { selector } = spec;
  if (selector === undefined) causes.required('spec.selector');
  else {
    validateLabelSelector(selector, 'spec.selector', causes);
    if (isEmptySelector(selector))
      // the word is the same for every kind, as in Kubernetes
      causes.invalid('spec.selector', selector, 'empty selector is invalid for deployment');
  }
  const matches = compiled(selector);
  if (matches === undefined) causes.invalid('spec.selector', selector, 'invalid label selector');
  else
    validateTemplate(
      spec,
      { matches, anyLabels: selector !== undefined && isEmptySelector(selector) },
      causes,
    );
  if (old !== undefined && !semanticEqual(selector, old.selector))
    causes.invalid('spec.selector', selector ?? null, immutableMessage);
}

export const isEmptySelector = (selector: LabelSelector): boolean =>
  Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions?.length ?? 0) === 0;

type Matcher = ReturnType<typeof compileLabelSelector>;

/** Can labels be selected with it? Kubernetes does not compare labels with a selector that it cannot read. */
export const isSoundSelector = (selector: LabelSelector | undefined): boolean =>
  Object.entries(selector?.matchLabels ?? {}).every(
    ([key, value]) => isLabelKey(key) && isLabelValue(value),
  ) &&
  (selector?.matchExpressions ?? []).every(
    ({ key, operator, values = [] }) =>
      (operator === 'In' || operator === 'NotIn'
        ? values.length > 0
        : (operator === 'Exists' || operator === 'DoesNotExist') && values.length === 0) &&
      isLabelKey(key) &&
      values.every(isLabelValue),
  );

const isLabelKey = (key: string): boolean => checkLabelKey(key).length === 0;
const isLabelValue = (value: string): boolean => checkLabelValue(value).length === 0;

const compiled = (selector: LabelSelector | undefined): Matcher | undefined =>
  isSoundSelector(selector) ? compileLabelSelector(selector) : undefined;

function validateTemplate(
  spec: WorkloadSpec,
  rule: { matches: Matcher; anyLabels: boolean },
  causes: Causes,
): void {
  const path = 'spec.template';
  const { template } = spec;
  if (!rule.anyLabels && !rule.matches(template?.metadata?.labels))
    causes.invalid(
      `${path}.metadata.labels`,
      template?.metadata?.labels ?? null,
      '`selector` does not match template `labels`',
    );
  validatePodTemplate(template, path, causes);
  if ((spec.replicas ?? 0) > 1) validateSharedDisks(template, causes);
  const { restartPolicy, activeDeadlineSeconds } = template?.spec ?? {};
  if (restartPolicy !== 'Always')
    causes.notSupported(`${path}.spec.restartPolicy`, restartPolicy ?? '', ['Always']);
  if (activeDeadlineSeconds !== undefined)
    causes.forbidden(
      `${path}.spec.activeDeadlineSeconds`,
      'activeDeadlineSeconds in ReplicaSet is not Supported',
    );
}

function validateSharedDisks(template: PodTemplateSpec | undefined, causes: Causes): void {
  template?.spec?.volumes?.forEach(({ gcePersistentDisk }, i) => {
    if (gcePersistentDisk !== undefined && gcePersistentDisk.readOnly !== true)
      causes.invalid(
        `spec.template.spec.volumes[${i}].gcePersistentDisk.readOnly`,
        false,
        'must be true for replicated pods > 1; GCE PD can only be mounted on multiple machines if it is read-only',
      );
  });
}

/** A whole number from 0, or a percentage. */
export function validateIntOrPercent(value: number | string | undefined, path: string, causes: Causes): void {
  if (typeof value === 'string') {
    for (const message of checkPercent(value)) causes.invalid(path, value, message);
  } else validateNonNegative(value, path, causes);
}

/** The number in front of the `%` sign, or the number itself; undefined when it is neither. */
export const intOrPercentValue = (value: number | string | undefined): number | undefined =>
  typeof value === 'string'
    ? checkPercent(value).length === 0
      ? Number(value.slice(0, -1))
      : undefined
    : value;

export function validateAtMost100Percent(
  value: number | string | undefined,
  path: string,
  causes: Causes,
): void {
  if (typeof value === 'string' && (intOrPercentValue(value) ?? 0) > 100)
    causes.invalid(path, value, 'must not be greater than 100%');
}

/** The counters of a status: none below zero, and none of `parts` above the whole. */
export function validateCounters<T>(
  status: T,
  counters: {
    whole: keyof T & string;
    parts: readonly (keyof T & string)[];
    others: readonly (keyof T & string)[];
  },
  causes: Causes,
): void {
  const read = (field: keyof T & string): number => (status[field] as number | undefined) ?? 0;
  for (const field of [counters.whole, ...counters.parts, ...counters.others])
    validateNonNegative(read(field), at.child('status', field), causes);
  for (const field of counters.parts)
    if (read(field) > read(counters.whole))
      causes.invalid(
        at.child('status', field),
        read(field),
        `cannot be greater than status.${counters.whole}`,
      );
}

/** Warnings of the template, unless the update left the desired state alone: nobody wants them again for a new label. */
export function warnWorkload<T extends KubeObject & { spec: WorkloadSpec }>(
  object: T,
  old: T | undefined,
): readonly string[] {
  if (old !== undefined && old.metadata.generation === object.metadata.generation) return [];
  return warnPodTemplate(object.spec?.template, 'spec.template');
}
