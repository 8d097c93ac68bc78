// Job: pods that run until enough of them have succeeded. The server gives each job a selector of its own, from its uid.
import {
  checkDns1123Label,
  compileLabelSelector,
  controllerUid,
  defineKind,
  FieldAt,
  humanDuration,
  parseTime,
  translateTimestampSince,
  validateLabelSelector,
} from '../../../machinery/index.ts';
import { isSoundSelector } from '../../apps/v1/workload-rules.ts';
import { ageColumn, nameColumn, textColumn, workloadColumns } from '../../columns.ts';
import { defaultPodTemplate } from '../../core/v1/pod.ts';
import type { Job as JobObject, JobSpec } from '../../generated/batch-v1.ts';
import { shape } from '../../shape.ts';
import { validateJobSpec, validateJobUpdate, warnJobSpec } from './job-rules.ts';
import { hasJobCondition, validateJobStatus } from './job-status-rules.ts';

export type Job = JobObject;
export { hasJobCondition, isJobFinished } from './job-status-rules.ts';

/** The labels by which the pods of a job know it; each has an older name that is written as well. */
export const jobNameLabel = 'batch.kubernetes.io/job-name';
export const jobUidLabel = 'batch.kubernetes.io/controller-uid';
const nameLabels = ['job-name', jobNameLabel];
const uidLabels = ['controller-uid', jobUidLabel];

export const Job = defineKind<JobObject>({
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  plural: 'jobs',
  categories: ['all'],
  scope: 'Namespaced',
  dependents: 'orphan',
  unsaidDependentsWarning:
    'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
  schema: shape('batch.v1.Job'),
  subresources: { status: true },
  generationFields: ['spec'],
  columns: [
    nameColumn,
    textColumn('Status', 'Whether it runs, waits or has ended, and how.', statusText),
    textColumn('Completions', 'How many pods have succeeded, of how many.', completionsText),
    textColumn('Duration', 'How long it took, or has taken so far.', (job, { nowMs }) => {
      const { startTime, completionTime } = job.status ?? {};
      if (startTime === undefined) return '';
      if (completionTime === undefined) return translateTimestampSince(startTime, nowMs);
      return humanDuration((parseTime(completionTime) ?? nowMs) - (parseTime(startTime) ?? nowMs));
    }),
    ageColumn,
    ...workloadColumns,
  ],
  selectableFields: { 'status.successful': (job) => String(job.status?.succeeded ?? 0) },
  indexes: { byController: controllerUid },

  defaults(job) {
    const { metadata, spec } = job;
    if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
    spec.parallelism ??= 1;
    spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : 2147483647;
    spec.completionMode ??= 'NonIndexed';
    spec.suspend ??= false;
    spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed';
    spec.manualSelector ??= false;
    defaultJobTemplate(spec);
    // the same record, not a copy: labels that prepareCreate adds to the template are then labels of the job, as in Kubernetes
    const labels = spec.template.metadata?.labels;
    if (labels !== undefined && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = labels;
  },

  prepareCreate(job) {
    const { metadata, spec } = job;
    if (spec.manualSelector !== true) generateSelector(job);
    const { labels } = spec.template.metadata ?? {};
    if (labels !== undefined && (metadata.labels === undefined || metadata.labels === labels))
      metadata.labels = { ...labels };
  },

  validate(job, old, causes) {
    const { spec, metadata } = job;
    validateGeneratedSelector(job, old, new FieldAt('', causes));
    validateJobSpec(spec, 'spec', causes);
    const field = new FieldAt('spec', causes);
    if (spec.selector === undefined) field.child('selector').required();
    else validateLabelSelector(spec.selector, 'spec.selector', causes);
    const labels = spec.template.metadata?.labels;
    if (isSoundSelector(spec.selector) && !compileLabelSelector(spec.selector)(labels))
      field
        .child('template', 'metadata', 'labels')
        .invalid(labels ?? null, '`selector` does not match template `labels`');
    if (spec.completionMode === 'Indexed' && (spec.completions ?? 0) > 0) {
      const hostname = `${metadata.name ?? ''}-${spec.completions! - 1}`;
      if (checkDns1123Label(hostname).length > 0)
        causes.invalid(
          'metadata.name',
          metadata.name ?? '',
          `will not able to create pod with invalid DNS label: ${hostname}`,
        );
    }
    if (old !== undefined)
      validateJobUpdate(spec, { spec: old.spec, started: old.status?.startTime !== undefined }, causes);
  },

  validateStatus: validateJobStatus,

  warn(job, old) {
    if (old !== undefined)
      return old.metadata.generation === job.metadata.generation ? [] : warnJobSpec(job.spec, 'spec');
    return [...warnPodNames(job.metadata.name), ...warnJobSpec(job.spec, 'spec')];
  },
});

/** What the template of a job gets, whether the job is one or is still to be made by a CronJob. */
export function defaultJobTemplate(spec: JobSpec): void {
  for (const rule of spec.podFailurePolicy?.rules ?? [])
    for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True';
  defaultPodTemplate(spec.template);
}

export function warnPodNames(name: string | undefined): readonly string[] {
  const found = checkDns1123Label(name ?? '');
  return found.length === 0
    ? []
    : [
        `metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [${found.join(' ')}]`,
      ];
}

/** Labels that the author chose stay; when they clash, validation says so. */
function generateSelector({ metadata, spec }: JobObject): void {
  spec.template.metadata ??= {};
  spec.template.metadata.labels ??= {};
  const { labels } = spec.template.metadata;
  for (const name of nameLabels) labels[name] ??= metadata.name ?? '';
  for (const name of uidLabels) labels[name] ??= metadata.uid ?? '';
  spec.selector ??= {};
  spec.selector.matchLabels ??= {};
  spec.selector.matchLabels[jobUidLabel] ??= metadata.uid ?? '';
}

function validateGeneratedSelector(job: JobObject, old: JobObject | undefined, field: FieldAt): void {
  const { metadata, spec } = job;
  if (spec.manualSelector === true || spec.selector === undefined) return;
  if (!metadata.uid) field.child('metadata', 'uid').required();
  const oldLabels = old?.spec.template.metadata?.labels ?? {};
  // jobs from before the labels had a prefix stay without it
  const prefixed =
    old === undefined || (oldLabels[jobNameLabel] !== undefined && oldLabels[jobUidLabel] !== undefined);
  const expected: Record<string, string> = {};
  for (const name of prefixed ? [...uidLabels, ...nameLabels] : [uidLabels[0]!, nameLabels[0]!])
    expected[name] = (uidLabels.includes(name) ? metadata.uid : metadata.name) ?? '';
  const { labels } = spec.template.metadata ?? {};
  for (const [name, value] of Object.entries(expected)) {
    const here = field.child('spec', 'template', 'metadata', 'labels').key(name);
    if (labels?.[name] === undefined) here.required(`must be '${value}'`);
    else if (labels[name] !== value) here.invalid(labels, `must be '${value}'`);
  }
  if (isSoundSelector(spec.selector) && !compileLabelSelector(spec.selector)(expected))
    field.child('spec', 'selector').invalid(spec.selector, '`selector` not auto-generated');
}

function statusText(job: JobObject): string {
  for (const type of ['Complete', 'Failed']) if (hasJobCondition(job.status, type)) return type;
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating';
  for (const type of ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'])
    if (hasJobCondition(job.status, type)) return type;
  return 'Running';
}

function completionsText(job: JobObject): string {
  const succeeded = job.status?.succeeded ?? 0;
  const { completions, parallelism = 0 } = job.spec ?? {};
  if (completions !== undefined) return `${succeeded}/${completions}`;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}
