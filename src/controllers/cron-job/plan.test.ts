import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CronJob, Job } from '../../api/index.ts';
import { controllerRef, formatTime } from '../../machinery/index.ts';
import { buildCronJob, buildJob, epochMs } from '../../testkit/index.ts';
import { dueOf, timetableOf } from './due.ts';
import { nextTime } from './next-time.ts';
import { doubtfulJobs, jobFor, planCronJob } from './plan.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
const at = (hours: number): number => epochMs + hours * hourMs;
const time = (hours: number): string => formatTime(at(hours));
const minuteOf = (hours: number): number => at(hours) / minuteMs;

function job(name: string, ended?: 'Complete' | 'Failed', endedHours = 0): Job {
  const conditions = [{ type: ended ?? '', status: 'True' }];
  const completionTime = time(endedHours);
  return buildJob(
    name,
    {},
    {
      meta: { ownerReferences: [controllerRef(buildCronJob('tick'))] },
      status: {
        startTime: time(endedHours),
        ...(ended !== undefined && { conditions }),
        ...(ended === 'Complete' && { completionTime }),
      },
    },
  );
}
const refs = (...names: string[]) =>
  names.map((name) => ({ name, namespace: 'default', uid: `uid-${name}` }));
const tick = (spec: Partial<CronJob['spec']> = {}, status: CronJob['status'] = {}) =>
  buildCronJob('tick', spec, { status });

interface Seen {
  readonly jobs?: readonly Job[];
  readonly gone?: readonly string[];
  readonly hours: number;
}
function run(cronJob: CronJob, { jobs = [], gone = [], hours }: Seen) {
  const { start, wakeInMs, events, replace, forget, status } = planCronJob({
    cronJob,
    jobs,
    gone: new Set(gone),
    nowMs: at(hours),
  });
  return {
    start: start?.job.metadata.name,
    wakeInMs,
    events: events.map(({ reason, message }) => `${reason}: ${message}`),
    replace: replace.map(({ name }) => name),
    forget: forget.map(({ metadata }) => metadata.name),
    status,
  };
}

describe('starting', () => {
  const active = { active: refs('old') };
  test.each<[string, CronJob, Seen, Partial<ReturnType<typeof run>>]>([
    ['waits for the first time', tick(), { hours: 0.5 }, { start: undefined, wakeInMs: hourMs / 2 + 100 }],
    ['starts at the time', tick(), { hours: 1 }, { start: `tick-${minuteOf(1)}`, wakeInMs: hourMs + 100 }],
    ['starts the latest of those missed', tick(), { hours: 5.5 }, { start: `tick-${minuteOf(5)}` }],
    [
      'starts none twice',
      tick({}, { lastScheduleTime: time(1) }),
      { hours: 1.5 },
      { start: undefined, wakeInMs: hourMs / 2 + 100 },
    ],
    [
      'says when too many were missed',
      tick({ schedule: '* * * * *' }),
      { hours: 2 },
      {
        start: `tick-${minuteOf(2)}`,
        events: [
          'TooManyMissedTimes: too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
        ],
      },
    ],
    [
      'but not with a deadline that leaves few',
      tick({ schedule: '* * * * *', startingDeadlineSeconds: 200 }),
      { hours: 2 },
      { start: `tick-${minuteOf(2)}`, events: [] },
    ],
    [
      'not when it is too late',
      tick({ startingDeadlineSeconds: 60 }),
      { hours: 1.5 },
      {
        start: undefined,
        events: ['MissSchedule: Missed scheduled time to start a job: Thu, 01 Jan 2026 01:00:00 +0000'],
        wakeInMs: hourMs / 2 + 100,
      },
    ],
    [
      'just in time',
      tick({ startingDeadlineSeconds: 1800 }),
      { hours: 1.4 },
      { start: `tick-${minuteOf(1)}` },
    ],
    ['not while suspended', tick({ suspend: true }), { hours: 5 }, { start: undefined, wakeInMs: undefined }],
    [
      'not on its way out',
      buildCronJob('tick', {}, { meta: { deletionTimestamp: time(1) } }),
      { hours: 5 },
      { start: undefined, wakeInMs: undefined },
    ],
    [
      'in a zone',
      tick({ schedule: '30 9 * * *', timeZone: 'Asia/Seoul' }),
      { hours: 0.5 },
      { start: `tick-${minuteOf(0.5)}` },
    ],
    [
      'in no zone',
      tick({ timeZone: 'Asia/Soul' }),
      { hours: 5 },
      {
        start: undefined,
        events: ['UnknownTimeZone: invalid timeZone: "Asia/Soul": unknown time zone Asia/Soul'],
      },
    ],
    [
      'by no schedule',
      tick({ schedule: '* *' }),
      { hours: 5 },
      {
        events: [
          'UnparseableSchedule: unparseable schedule: "* *" : expected exactly 5 fields, found 2: [* *]',
        ],
      },
    ],
    [
      'never',
      tick({ schedule: '0 0 31 2 *' }),
      { hours: 5 },
      {
        events: [
          'InvalidSchedule: invalid schedule: 0 0 31 2 * : time difference between two schedules is less than 1 second',
        ],
      },
    ],
    [
      'besides another',
      tick({}, active),
      { hours: 1, jobs: [job('old')] },
      { start: `tick-${minuteOf(1)}`, replace: [] },
    ],
    [
      'not besides another',
      tick({ concurrencyPolicy: 'Forbid' }, active),
      { hours: 1, jobs: [job('old')] },
      {
        start: undefined,
        events: [
          'JobAlreadyActive: Not starting job because prior execution is running and concurrency policy is Forbid',
        ],
      },
    ],
    [
      'after another',
      tick({ concurrencyPolicy: 'Forbid' }, active),
      { hours: 1, jobs: [job('old', 'Complete')] },
      {
        start: `tick-${minuteOf(1)}`,
        events: ['SawCompletedJob: Saw completed job: old, condition: Complete'],
      },
    ],
    [
      'in place of another',
      tick({ concurrencyPolicy: 'Replace' }, active),
      { hours: 1, jobs: [job('old')] },
      { start: `tick-${minuteOf(1)}`, replace: ['old'] },
    ],
  ])('%s', (_, cronJob, seen, wanted) => expect(run(cronJob, seen)).toMatchObject(wanted));
});

describe('what became of its jobs', () => {
  test('finished, forgotten and missing', () => {
    const cronJob = tick(
      { suspend: true },
      { active: refs('good', 'bad', 'lost', 'slow'), lastScheduleTime: time(1) },
    );
    const jobs = [job('good', 'Complete', 3), job('bad', 'Failed'), job('stranger')];
    expect(doubtfulJobs(cronJob, jobs).map(({ name }) => name)).toEqual(['lost', 'slow']);
    expect(run(cronJob, { hours: 5, jobs, gone: ['uid-lost'] })).toMatchObject({
      events: [
        'SawCompletedJob: Saw completed job: good, condition: Complete',
        'SawCompletedJob: Saw completed job: bad, condition: Failed',
        'UnexpectedJob: Saw a job that the controller did not create or forgot: stranger',
        'MissingJob: Active job went missing: lost',
      ],
      status: { active: refs('slow'), lastScheduleTime: time(1), lastSuccessfulTime: time(3) },
    });
  });

  test('the oldest of too many go', () => {
    const jobs = [3, 1, 4, 2].map((hours) => job(`good-${hours}`, 'Complete', hours));
    const more = [2, 1].map((hours) => job(`bad-${hours}`, 'Failed', hours));
    const cronJob = tick({ suspend: true, successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 0 });
    expect(run(cronJob, { hours: 5, jobs: [...jobs, ...more] }).forget).toEqual([
      'good-1',
      'good-2',
      'bad-1',
      'bad-2',
    ]);
    const { successfulJobsHistoryLimit: _, ...spec } = cronJob.spec;
    expect(run({ ...cronJob, spec }, { hours: 5, jobs }).forget).toEqual([]);
  });
});

test('a job carries what the template says and when it was due', () => {
  const template = { metadata: { labels: { a: 'b' }, annotations: { c: 'd' } }, spec: buildJob('x').spec };
  const cronJob = tick({ timeZone: 'America/St_Johns', jobTemplate: template });
  expect(jobFor(cronJob, at(1)).metadata).toEqual({
    name: `tick-${minuteOf(1)}`,
    namespace: 'default',
    labels: { a: 'b' },
    annotations: { c: 'd', 'batch.kubernetes.io/cronjob-scheduled-timestamp': '2025-12-31T21:30:00-03:30' },
    ownerReferences: [controllerRef(cronJob)],
  });
  expect(jobFor(tick(), at(1)).metadata.annotations).toEqual({
    'batch.kubernetes.io/cronjob-scheduled-timestamp': '2026-01-01T01:00:00Z',
  });
});

test('due is the last time that has passed, whatever the absence, and it wakes at the next', () => {
  const schedules = [
    '* * * * *',
    '*/7 * * * *',
    '0,1 9 * * *',
    '30 6-16/4 * * 1-5',
    '0 0 1 * *',
    '@every 7m',
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...schedules),
      fc.nat(20_000),
      fc.option(fc.nat(5000)),
      (schedule, minutes, deadline) => {
        const cronJob = tick({
          schedule,
          ...(deadline !== null && { startingDeadlineSeconds: deadline * 60 }),
        });
        const timetable = timetableOf(cronJob);
        if (!timetable.ok) throw new Error(timetable.error);
        const nowMs = epochMs + minutes * minuteMs + 1;
        const got = dueOf(cronJob, timetable.value, nowMs);
        if (!got.ok) throw new Error(got.error);
        const fromMs = deadline === null ? epochMs : Math.max(epochMs, nowMs - deadline * minuteMs);
        let last: number | undefined;
        let next = fromMs;
        for (;;) {
          next = nextTime(timetable.value.schedule, timetable.value.zone, next)!;
          if (next > nowMs) break;
          last = next;
        }
        expect(got.value.dueMs).toBe(last);
        if (!schedule.startsWith('@')) expect(got.value.wakeInMs).toBe(next + 100 - nowMs);
      },
    ),
    { numRuns: 60 },
  );
});
