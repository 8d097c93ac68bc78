// What a CronJob needs next. Pure: objects in, intended changes out.
import { type batchV1, type CronJob, hasJobCondition, isJobFinished, type Job } from '../../api/index.ts';
import type { EventType } from '../../client/index.ts';
import { controllerRef, type Draft, formatTime, parseTime } from '../../machinery/index.ts';
import { dueOf, timetableOf } from './due.ts';
import { zoneOf } from './zone.ts';

export type CronJobStatus = batchV1.CronJobStatus;
type ActiveJob = NonNullable<CronJobStatus['active']>[number];

export interface CronJobEvent {
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
}

export interface CronJobPlan {
  /** Of jobs that have ended or are gone. */
  readonly status: CronJobStatus;
  readonly events: readonly CronJobEvent[];
  /** Jobs that the next one takes the place of. */
  readonly replace: readonly ActiveJob[];
  readonly start: { readonly job: Draft<Job>; readonly scheduledMs: number } | undefined;
  /** Finished, and more than shall be kept. */
  readonly forget: readonly Job[];
  readonly wakeInMs: number | undefined;
}

export interface CronJobView {
  readonly cronJob: CronJob;
  /** Those it controls. */
  readonly jobs: readonly Job[];
  /** Uids of active jobs that the server says are gone. */
  readonly gone: ReadonlySet<string>;
  readonly nowMs: number;
}

/** Active jobs that memory does not know: the server must be asked whether they are gone. */
export const doubtfulJobs = ({ status }: CronJob, jobs: readonly Job[]): readonly ActiveJob[] =>
  (status?.active ?? []).filter(({ uid }) => !jobs.some(({ metadata }) => metadata.uid === uid));

export function planCronJob(view: CronJobView): CronJobPlan {
  const { cronJob, jobs } = view;
  const seen = seeJobs(view);
  const next = planNext(cronJob, seen.status, view.nowMs);
  return {
    status: seen.status,
    events: [...seen.events, ...next.events],
    replace:
      next.start !== undefined && cronJob.spec.concurrencyPolicy === 'Replace'
        ? (seen.status.active ?? [])
        : [],
    start: next.start,
    forget: historyBeyondLimits(cronJob, jobs),
    wakeInMs: next.wakeInMs,
  };
}

/** What has become of the jobs. */
function seeJobs({ cronJob, jobs, gone }: CronJobView) {
  const { active = [], lastSuccessfulTime: lastBefore, ...rest } = cronJob.status ?? {};
  const events: CronJobEvent[] = [];
  const ended = new Set<string>();
  let lastSuccessfulTime = lastBefore;
  for (const job of jobs) {
    const { uid, name } = job.metadata;
    const isKnown = active.some((ref) => ref.uid === uid);
    if (!isJobFinished(job)) {
      if (!isKnown)
        events.push({
          type: 'Warning',
          reason: 'UnexpectedJob',
          message: `Saw a job that the controller did not create or forgot: ${name}`,
        });
      continue;
    }
    const succeeded = hasJobCondition(job.status, 'Complete');
    if (isKnown) {
      ended.add(uid);
      const condition = succeeded ? 'Complete' : 'Failed';
      const message = `Saw completed job: ${name}, condition: ${condition}`;
      events.push({ type: 'Normal', reason: 'SawCompletedJob', message });
    }
    const completedMs = succeeded ? parseTime(job.status?.completionTime) : undefined;
    if (
      completedMs !== undefined &&
      completedMs > (parseTime(lastSuccessfulTime) ?? Number.NEGATIVE_INFINITY)
    )
      lastSuccessfulTime = job.status?.completionTime;
  }
  for (const { uid = '', name } of active)
    if (gone.has(uid))
      events.push({ type: 'Normal', reason: 'MissingJob', message: `Active job went missing: ${name}` });
  const left = active.filter(({ uid = '' }) => !ended.has(uid) && !gone.has(uid));
  const status: CronJobStatus = {
    ...rest,
    ...(left.length > 0 && { active: left }),
    ...(lastSuccessfulTime !== undefined && { lastSuccessfulTime }),
  };
  return { status, events };
}

type Next = Pick<CronJobPlan, 'events' | 'start' | 'wakeInMs'>;

function planNext(cronJob: CronJob, status: CronJobStatus, nowMs: number): Next {
  const { spec, metadata } = cronJob;
  const rest = (event?: CronJobEvent, wakeInMs?: number): Next => ({
    events: event === undefined ? [] : [event],
    start: undefined,
    wakeInMs,
  });
  const warn = (reason: string, message: string): CronJobEvent => ({ type: 'Warning', reason, message });

  if (metadata.deletionTimestamp !== undefined) return rest();
  if (zoneOf(spec.timeZone) === undefined)
    return rest(
      warn(
        'UnknownTimeZone',
        `invalid timeZone: ${JSON.stringify(spec.timeZone)}: unknown time zone ${spec.timeZone}`,
      ),
    );
  if (spec.suspend === true) return rest();
  const timetable = timetableOf(cronJob);
  if (!timetable.ok)
    return rest(
      warn(
        'UnparseableSchedule',
        `unparseable schedule: ${JSON.stringify(spec.schedule)} : ${timetable.error}`,
      ),
    );
  const due = dueOf(cronJob, timetable.value, nowMs);
  if (!due.ok) return rest(warn('InvalidSchedule', `invalid schedule: ${spec.schedule} : ${due.error}`));
  const { dueMs, missedMs, tooManyMissed, wakeInMs } = due.value;
  if (dueMs === undefined) {
    const missed =
      missedMs === undefined
        ? undefined
        : warn('MissSchedule', `Missed scheduled time to start a job: ${rfc1123(missedMs)}`);
    return rest(missed, wakeInMs);
  }

  const events = tooManyMissed ? [tooManyMissedTimes] : [];
  const withEvents = (event?: CronJobEvent): Next => ({
    ...rest(event, wakeInMs),
    events: event === undefined ? events : [...events, event],
  });
  const job = jobFor(cronJob, dueMs);
  const isStarted =
    (status.active ?? []).some(({ name }) => name === job.metadata.name) ||
    parseTime(status.lastScheduleTime) === dueMs;
  if (isStarted) return withEvents();
  if (spec.concurrencyPolicy === 'Forbid' && (status.active ?? []).length > 0) return withEvents(stillActive);
  return { events, start: { job, scheduledMs: dueMs }, wakeInMs };
}

const tooManyMissedTimes: CronJobEvent = {
  type: 'Warning',
  reason: 'TooManyMissedTimes',
  message: 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
};
const stillActive: CronJobEvent = {
  type: 'Normal',
  reason: 'JobAlreadyActive',
  message: 'Not starting job because prior execution is running and concurrency policy is Forbid',
};

const scheduledAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp';

/** The name says the minute, so that no run makes a second job for the same time. */
export function jobFor(cronJob: CronJob, scheduledMs: number): Draft<Job> {
  const { metadata, spec } = cronJob;
  const { labels, annotations } = spec.jobTemplate.metadata ?? {};
  return {
    metadata: {
      name: `${metadata.name}-${Math.floor(scheduledMs / 60_000)}`,
      namespace: metadata.namespace,
      ...(labels !== undefined && { labels: { ...labels } }),
      annotations: { ...annotations, [scheduledAnnotation]: localTime(scheduledMs, spec.timeZone) },
      ownerReferences: [controllerRef(cronJob)],
    },
    spec: structuredClone(spec.jobTemplate.spec!),
  };
}

/** RFC 3339, with the offset of the zone at that time. */
function localTime(epochMs: number, timeZone: string | undefined): string {
  const wall = zoneOf(timeZone)?.wallAt(epochMs) ?? epochMs;
  const minutes = Math.round((wall - epochMs) / 60_000);
  if (minutes === 0) return formatTime(epochMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const ahead = Math.abs(minutes);
  return `${formatTime(wall).slice(0, -1)}${minutes < 0 ? '-' : '+'}${two(Math.floor(ahead / 60))}:${two(ahead % 60)}`;
}

const rfc1123 = (epochMs: number): string => new Date(epochMs).toUTCString().replace('GMT', '+0000');

function historyBeyondLimits({ spec }: CronJob, jobs: readonly Job[]): readonly Job[] {
  const beyond = (type: string, limit: number | undefined): readonly Job[] => {
    const finished = jobs.filter(
      (job) => hasJobCondition(job.status, type) && job.metadata.deletionTimestamp === undefined,
    );
    return limit === undefined ? [] : finished.sort(byStart).slice(0, Math.max(0, finished.length - limit));
  };
  return [
    ...beyond('Complete', spec.successfulJobsHistoryLimit),
    ...beyond('Failed', spec.failedJobsHistoryLimit),
  ];
}

/** Those that never started come last. */
function byStart(a: Job, b: Job): number {
  const [x, y] = [a, b].map(({ status }) => parseTime(status?.startTime) ?? Number.MAX_SAFE_INTEGER) as [
    number,
    number,
  ];
  return x - y || (a.metadata.name < b.metadata.name ? -1 : 1);
}
