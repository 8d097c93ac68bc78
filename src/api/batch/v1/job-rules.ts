// The rules of a job's spec, for jobs and for the templates of CronJobs, and of what an update of it may change.
import {
  at,
  type Causes,
  checkDomainPrefixedPath,
  checkQualifiedName,
  FieldAt,
} from '../../../machinery/index.ts';
import { validatePodTemplate, warnPodTemplate } from '../../core/v1/pod.ts';
import type { JobSpec, PodFailurePolicyRule, SuccessPolicyRule } from '../../generated/batch-v1.ts';
import type { PodTemplateSpec } from '../../generated/core-v1.ts';
import { countIndexes } from './job-indexes.ts';

const maxParallelism = 100_000;
const maxFailedIndexes = 100_000;
/** Above so many completions, jobs that count failures by index must be small in every other way. */
const manyCompletions = 100_000;
const limitForManyCompletions = 10_000;
const maxRules = 20;
const maxExitCodes = 255;
const maxManagedByBytes = 63;
const maxSucceededIndexesBytes = 64 * 1024;

const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const exitCodeOperators = ['In', 'NotIn'];
const conditionStatuses = ['False', 'True', 'Unknown'];
const replacementPolicies = ['Failed', 'TerminatingOrFailed'];
const validValues = (values: readonly string[]): string =>
  `valid values: [${values.map((value) => JSON.stringify(value)).join(' ')}]`;

const counters = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const;

/** Everything but the selector, which CronJobs may not have. `path` is `spec`, or `spec.jobTemplate.spec`. */
export function validateJobSpec(spec: JobSpec, path: string, causes: Causes): void {
  const field = new FieldAt(path, causes);
  for (const name of counters) field.child(name).notNegative(spec[name]);
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined)
    field.child('backoffLimitPerIndex').required('when maxFailedIndexes is specified');
  if (spec.managedBy !== undefined) {
    const here = field.child('managedBy');
    if (spec.managedBy === '') here.required();
    else here.refuse(spec.managedBy, checkDomainPrefixedPath(spec.managedBy));
    if (Buffer.byteLength(spec.managedBy) > maxManagedByBytes) here.tooLong(maxManagedByBytes);
  }
  field.child('completionMode').oneOf(spec.completionMode, ['NonIndexed', 'Indexed']);
  if (spec.completionMode === 'Indexed') validateIndexed(spec, field);
  else if (spec.completionMode === undefined || spec.completionMode === 'NonIndexed')
    for (const name of ['backoffLimitPerIndex', 'maxFailedIndexes'] as const)
      if (spec[name] !== undefined) field.child(name).invalid(spec[name], 'requires indexed completion mode');
  if (spec.podFailurePolicy !== undefined) validateFailurePolicy(spec, field.child('podFailurePolicy'));
  if (spec.successPolicy !== undefined) validateSuccessPolicy(spec, field.child('successPolicy'));
  field
    .child('podReplacementPolicy')
    .oneOf(spec.podReplacementPolicy, spec.podFailurePolicy === undefined ? replacementPolicies : ['Failed']);
  validatePodTemplate(spec.template, at.child(path, 'template'), causes);
  validateRestartPolicy(spec, field.child('template', 'spec', 'restartPolicy'));
}

function validateRestartPolicy(spec: JobSpec, field: FieldAt): void {
  const policy = spec.template?.spec?.restartPolicy ?? '';
  // Always is also what a template gets that says nothing
  if (policy === '' || policy === 'Always') field.required('valid values: "OnFailure", "Never"');
  else if (policy !== 'OnFailure' && policy !== 'Never') field.notSupported(policy, ['OnFailure', 'Never']);
  else if (spec.podFailurePolicy !== undefined && policy !== 'Never')
    field.invalid(policy, 'only "Never" is supported when podFailurePolicy is specified');
}

function validateIndexed(spec: JobSpec, field: FieldAt): void {
  const { completions, parallelism, maxFailedIndexes: maxFailed, backoffLimitPerIndex } = spec;
  if (completions === undefined) field.child('completions').required('when completion mode is Indexed');
  if (parallelism !== undefined && parallelism > maxParallelism)
    field
      .child('parallelism')
      .invalid(
        parallelism,
        `must be less than or equal to ${maxParallelism} when completion mode is Indexed`,
      );
  const failedAt = field.child('maxFailedIndexes');
  if (completions !== undefined && maxFailed !== undefined && maxFailed > completions)
    failedAt.invalid(maxFailed, 'must be less than or equal to completions');
  if (maxFailed !== undefined && maxFailed > maxFailedIndexes)
    failedAt.invalid(maxFailed, `must be less than or equal to ${maxFailedIndexes}`);
  if (completions === undefined || completions <= manyCompletions || backoffLimitPerIndex === undefined)
    return;
  if (maxFailed === undefined)
    failedAt.required(`must be specified when completions is above ${manyCompletions}`);
  const tooMany = `must be less than or equal to ${limitForManyCompletions} when completions are above ${manyCompletions} and used with backoff limit per index`;
  if (parallelism !== undefined && parallelism > limitForManyCompletions)
    field.child('parallelism').invalid(parallelism, tooMany);
  if (maxFailed !== undefined && maxFailed > limitForManyCompletions) failedAt.invalid(maxFailed, tooMany);
}

function validateFailurePolicy(spec: JobSpec, field: FieldAt): void {
  const rules = spec.podFailurePolicy?.rules ?? [];
  const rulesAt = field.child('rules');
  if (rules.length > maxRules) rulesAt.tooMany(rules.length, maxRules);
  const { containers = [], initContainers = [] } = spec.template?.spec ?? {};
  const names = new Set([...(containers ?? []), ...initContainers].map((container) => container.name));
  for (const [i, rule] of rules.entries()) validateFailureRule(rule, { spec, names }, rulesAt.index(i));
}

function validateFailureRule(
  rule: PodFailurePolicyRule,
  job: { spec: JobSpec; names: ReadonlySet<string> },
  field: FieldAt,
): void {
  const { action, onExitCodes, onPodConditions = [] } = rule;
  const actionAt = field.child('action');
  if (action === '') actionAt.required(validValues(actions));
  else if (action === 'FailIndex') {
    if (job.spec.backoffLimitPerIndex === undefined)
      actionAt.invalid(action, 'requires the backoffLimitPerIndex to be set');
  } else actionAt.oneOf(action, actions);
  if (onExitCodes !== undefined) validateExitCodes(onExitCodes, job.names, field.child('onExitCodes'));
  validateConditions(onPodConditions, field.child('onPodConditions'));
  if (onExitCodes !== undefined && onPodConditions.length > 0)
    field.invalidUnshown('specifying both OnExitCodes and OnPodConditions is not supported');
  if (onExitCodes === undefined && onPodConditions.length === 0)
    field.invalidUnshown('specifying one of OnExitCodes and OnPodConditions is required');
}

function validateConditions(
  patterns: NonNullable<PodFailurePolicyRule['onPodConditions']>,
  field: FieldAt,
): void {
  if (patterns.length > maxRules) field.tooMany(patterns.length, maxRules);
  for (const [i, { type, status = '' }] of patterns.entries()) {
    const here = field.index(i);
    here.child('type').refuse(type, checkQualifiedName(type));
    if (status === '') here.child('status').required(validValues(conditionStatuses));
    else here.child('status').oneOf(status, conditionStatuses);
  }
}

function validateExitCodes(
  rule: NonNullable<PodFailurePolicyRule['onExitCodes']>,
  names: ReadonlySet<string>,
  field: FieldAt,
): void {
  const { operator, containerName } = rule;
  if (operator === '') field.child('operator').required(validValues(exitCodeOperators));
  else field.child('operator').oneOf(operator, exitCodeOperators);
  if (containerName !== undefined && !names.has(containerName))
    field
      .child('containerName')
      .invalid(containerName, 'must be one of the container or initContainer names in the pod template');
  const values = rule.values ?? [];
  const valuesAt = field.child('values');
  if (values.length === 0) valuesAt.invalid(values, 'at least one value is required');
  else if (values.length > maxExitCodes) valuesAt.tooMany(values.length, maxExitCodes);
  const seen = new Set<number>();
  for (const [i, value] of values.entries()) {
    if (operator === 'In' && value === 0)
      valuesAt.index(i).invalid(value, 'must not be 0 for the In operator');
    if (seen.has(value)) valuesAt.index(i).duplicate(value);
    seen.add(value);
  }
  if (values.some((value, i) => i > 0 && values[i - 1]! > value)) valuesAt.invalid(values, 'must be ordered');
}

function validateSuccessPolicy(spec: JobSpec, field: FieldAt): void {
  if (spec.completionMode !== 'Indexed') {
    field.invalid(spec.successPolicy, 'requires indexed completion mode');
    return;
  }
  const rules = spec.successPolicy?.rules ?? [];
  const rulesAt = field.child('rules');
  if (rules.length === 0)
    rulesAt.required('at least one rules must be specified when the successPolicy is specified');
  if (rules.length > maxRules) rulesAt.tooMany(rules.length, maxRules);
  for (const [i, rule] of rules.entries()) validateSuccessRule(rule, spec.completions, rulesAt.index(i));
}

/** Without completions, which indexed jobs must have, there is nothing to compare with. */
function validateSuccessRule(rule: SuccessPolicyRule, completions: number | undefined, field: FieldAt): void {
  const { succeededCount: count, succeededIndexes: indexes } = rule;
  if (count === undefined && indexes === undefined)
    field.required('at least one of succeededCount or succeededIndexes must be specified');
  let total = 0;
  if (indexes !== undefined) {
    const here = field.child('succeededIndexes');
    if (indexes.length > maxSucceededIndexesBytes) here.tooLong(maxSucceededIndexesBytes);
    if (completions !== undefined) {
      const counted = countIndexes(indexes, completions);
      if (counted.ok) total = counted.value;
      else here.invalid(indexes, `error parsing succeededIndexes: ${counted.error}`);
    }
  }
  if (count === undefined) return;
  const here = field.child('succeededCount');
  here.notNegative(count);
  if (completions === undefined) return;
  if (count > completions)
    here.invalid(count, `must be less than or equal to ${completions} (the number of specified completions)`);
  if (indexes !== undefined && count > total)
    here.invalid(
      count,
      `must be less than or equal to ${total} (the number of indexes in the specified succeededIndexes field)`,
    );
}

/** Where pods may run can still be said while a job waits: suspended and never started. */
export function validateJobUpdate(
  spec: JobSpec,
  old: { spec: JobSpec; started: boolean },
  causes: Causes,
): void {
  const field = new FieldAt('spec', causes);
  const before = old.spec;
  const { completions, parallelism } = spec;
  if (spec.completionMode !== 'Indexed')
    field.child('completions').immutable(completions, before.completions);
  else if (
    completions !== undefined &&
    completions !== before.completions &&
    completions !== (parallelism ?? 0)
  )
    field.child('completions').invalid(completions, 'can only be modified in tandem with spec.parallelism');
  field.child('selector').immutable(spec.selector, before.selector);
  const waiting = before.suspend === true && !old.started;
  const template = waiting ? withDirectivesOf(before.template, spec.template) : before.template;
  field.child('template').immutable(spec.template, template);
  for (const name of [
    'completionMode',
    'podFailurePolicy',
    'backoffLimitPerIndex',
    'managedBy',
    'successPolicy',
  ] as const)
    field.child(name).immutable(spec[name], before[name]);
}

/** `old`, with everything from `wanted` that may change while the job waits. */
function withDirectivesOf(old: PodTemplateSpec, wanted: PodTemplateSpec): PodTemplateSpec {
  if (old.spec === undefined || wanted.spec === undefined) return old;
  const { affinity, nodeSelector, tolerations, schedulingGates } = wanted.spec;
  const nodeAffinity = affinity?.nodeAffinity;
  const merged = { ...old.spec.affinity, nodeAffinity };
  const nothingElse = Object.entries(merged).every(
    ([name, value]) => name === 'nodeAffinity' || value === undefined,
  );
  return {
    ...old,
    metadata: {
      ...old.metadata,
      annotations: wanted.metadata?.annotations,
      labels: wanted.metadata?.labels,
    },
    spec: {
      ...old.spec,
      // without any other kind of affinity, an empty record and none are the same
      affinity: affinity === undefined && nothingElse ? undefined : merged,
      nodeSelector,
      tolerations,
      schedulingGates,
    },
  };
}

/** `old` is undefined on create, and when the update left the desired state as it was nobody is warned again. */
export function warnJobSpec(spec: JobSpec | undefined, path: string): readonly string[] {
  if (spec === undefined) return [];
  const warnings: string[] = [];
  const { completionMode, completions = 0, parallelism = 0 } = spec;
  if (completionMode === 'Indexed' && completions > manyCompletions && parallelism > limitForManyCompletions)
    warnings.push(
      `${path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`,
    );
  return [...warnings, ...warnPodTemplate(spec.template, at.child(path, 'template'))];
}
