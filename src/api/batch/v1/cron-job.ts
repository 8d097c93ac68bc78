// CronJob: a job at every time of a schedule.
import { defineKind, FieldAt, translateTimestampSince } from '../../../machinery/index.ts';
import {
  ageColumn,
  booleanColumn,
  integerColumn,
  nameColumn,
  optionalFlag,
  selectorText,
  templateColumns,
  textColumn,
  wide,
} from '../../columns.ts';
import type { CronJob as CronJobObject, CronJobSpec } from '../../generated/batch-v1.ts';
import { shape } from '../../shape.ts';
import { isTimeZone, parseCronSchedule } from './cron-schedule.ts';
import { defaultJobTemplate, warnPodNames } from './job.ts';
import { validateJobSpec, warnJobSpec } from './job-rules.ts';

export type CronJob = CronJobObject;

/** A job's name is the CronJob's and the minute of its time, and may have 63 characters. */
const maxNameLength = 52;
const policies = ['Allow', 'Forbid', 'Replace'];
const jobPath = 'spec.jobTemplate.spec';

export const CronJob = defineKind<CronJobObject>({
  group: 'batch',
  version: 'v1',
  kind: 'CronJob',
  plural: 'cronjobs',
  shortNames: ['cj'],
  categories: ['all'],
  scope: 'Namespaced',
  schema: shape('batch.v1.CronJob'),
  subresources: { status: true },
  generationFields: ['spec'],
  columns: [
    nameColumn,
    textColumn('Schedule', 'When it makes a job.', (cj) => cj.spec?.schedule ?? ''),
    textColumn('Timezone', 'The time zone of the schedule.', (cj) => cj.spec?.timeZone ?? '<none>'),
    booleanColumn('Suspend', 'Whether it makes no jobs for now.', (cj) => optionalFlag(cj.spec?.suspend)),
    integerColumn('Active', 'How many of its jobs run.', (cj) => cj.status?.active?.length ?? 0),
    textColumn('Last Schedule', 'When it last made a job.', (cj, { nowMs }) =>
      cj.status?.lastScheduleTime === undefined
        ? '<none>'
        : translateTimestampSince(cj.status.lastScheduleTime, nowMs),
    ),
    ageColumn,
    ...templateColumns.map((column) => ({
      ...column,
      cell: (cj: CronJobObject, now: { nowMs: number }) =>
        column.cell({ ...cj, spec: cj.spec?.jobTemplate?.spec }, now),
    })),
    wide(
      textColumn('Selector', 'The labels of the pods of its jobs.', (cj) =>
        selectorText(cj.spec?.jobTemplate?.spec?.selector),
      ),
    ),
  ],

  defaults({ spec }) {
    spec.concurrencyPolicy ||= 'Allow';
    spec.suspend ??= false;
    spec.successfulJobsHistoryLimit ??= 3;
    spec.failedJobsHistoryLimit ??= 1;
    const job = spec.jobTemplate?.spec;
    if (job !== undefined) defaultJobTemplate(job);
  },

  validate({ metadata, spec }, old, causes) {
    const field = new FieldAt('spec', causes);
    validateSchedule(spec, old?.spec, field.child('schedule'));
    field.child('startingDeadlineSeconds').notNegative(spec.startingDeadlineSeconds);
    if (old === undefined || old.spec.timeZone !== spec.timeZone)
      validateTimeZone(spec.timeZone, field.child('timeZone'));
    field.child('concurrencyPolicy').requiredOneOf(spec.concurrencyPolicy, policies);
    const job = spec.jobTemplate?.spec;
    if (job !== undefined) {
      validateJobSpec(job, jobPath, causes);
      const jobAt = field.child('jobTemplate', 'spec');
      if (job.selector !== undefined)
        jobAt.child('selector').invalid(job.selector, '`selector` will be auto-generated');
      if (job.manualSelector === true) jobAt.child('manualSelector').notSupported(true, ['nil', 'false']);
    }
    field.child('successfulJobsHistoryLimit').notNegative(spec.successfulJobsHistoryLimit);
    field.child('failedJobsHistoryLimit').notNegative(spec.failedJobsHistoryLimit);
    const name = metadata.name ?? '';
    if (old === undefined && name.length > maxNameLength)
      causes.invalid('metadata.name', name, `must be no more than ${maxNameLength} characters`);
  },

  warn(cj, old) {
    const warnings: string[] = [];
    if (old === undefined) warnings.push(...warnPodNames(cj.metadata.name));
    if (old === undefined || old.metadata.generation !== cj.metadata.generation)
      warnings.push(...warnJobSpec(cj.spec?.jobTemplate?.spec, jobPath));
    if (old !== undefined && (cj.spec?.schedule ?? '').includes('TZ'))
      warnings.push(
        'CRON_TZ or TZ used in spec.spec.schedule is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
      );
    return warnings;
  },
});

function validateSchedule(spec: CronJobSpec, old: CronJobSpec | undefined, field: FieldAt): void {
  const { schedule, timeZone } = spec;
  if (schedule === '') {
    field.required();
    return;
  }
  const parsed = parseCronSchedule(schedule);
  if (!parsed.ok) field.invalid(schedule, parsed.error);
  if (!schedule.includes('TZ')) return;
  // only a CronJob that had a zone in its schedule may keep it there
  if (old?.schedule.includes('TZ') !== true)
    field.invalid(schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead');
  else if (timeZone !== undefined)
    field.invalid(schedule, 'cannot use both timeZone field and TZ or CRON_TZ in schedule');
}

const zonePart = /^[A-Za-z.\-_0-9+]{1,14}$/;

function validateTimeZone(zone: string | undefined, field: FieldAt): void {
  if (zone === undefined) return;
  const unknown = `unknown time zone ${zone}`;
  if (zone === '') field.invalid(zone, 'timeZone must be nil or non-empty string');
  else if (
    zone
      .split('/')
      .some((part) => part === '.' || part === '..' || part.startsWith('-') || !zonePart.test(part))
  )
    field.invalid(zone, unknown);
  else {
    if (zone.toLowerCase() === 'local')
      field.invalid(
        zone,
        'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
      );
    if (!isTimeZone(zone)) field.invalid(zone, unknown);
  }
}
