// Which time of its schedule a CronJob owes a job for, and when to look again. Pure; the arithmetic is kube-controller-manager's.
import { type CronJob, type CronSchedule, parseCronSchedule } from '../../api/index.ts';
import type { Parsed } from '../../machinery/index.ts';
import { parseTime } from '../../machinery/index.ts';
import { nextTime } from './next-time.ts';
import { type Zone, zoneOf } from './zone.ts';

/** Clocks differ a little: a job is better made too late by this than looked for too early. */
const paddingMs = 100;
const manyMissed = 100;

export interface Timetable {
  readonly schedule: CronSchedule;
  readonly zone: Zone;
}

/** A zone within the schedule, which old CronJobs may have, is stronger than spec.timeZone. */
export function timetableOf({ spec }: CronJob): Parsed<Timetable> {
  const parsed = parseCronSchedule(spec.schedule);
  if (!parsed.ok) return parsed;
  const inSchedule = 'minute' in parsed.value ? parsed.value.timeZone : undefined;
  const zone = zoneOf(inSchedule ?? spec.timeZone);
  if (zone === undefined) return { ok: false, error: `unknown time zone ${inSchedule ?? spec.timeZone}` };
  return { ok: true, value: { schedule: parsed.value, zone } };
}

export interface Due {
  /** The latest time that has passed since the last job; undefined when none has. */
  readonly dueMs: number | undefined;
  /** The latest time that has passed, when the starting deadline is over for it. */
  readonly missedMs: number | undefined;
  readonly tooManyMissed: boolean;
  /** Undefined when no time comes any more. */
  readonly wakeInMs: number | undefined;
}

/** What cannot be: a schedule that is never due. */
export const neverDue = 'time difference between two schedules is less than 1 second';

export function dueOf(cronJob: CronJob, { schedule, zone }: Timetable, nowMs: number): Parsed<Due> {
  const next = (afterMs: number): number | undefined => nextTime(schedule, zone, afterMs);
  const sinceMs =
    parseTime(cronJob.status?.lastScheduleTime) ?? parseTime(cronJob.metadata.creationTimestamp) ?? nowMs;
  const { startingDeadlineSeconds } = cronJob.spec;
  const deadlineMs =
    startingDeadlineSeconds === undefined ? undefined : nowMs - startingDeadlineSeconds * 1000;
  const owed = latestPassed(next, Math.max(sinceMs, deadlineMs ?? sinceMs), nowMs);
  if (owed === undefined) return { ok: false, error: neverDue };
  // Without the deadline: what is too late must not be looked for again at once.
  const passed = latestPassed(next, sinceMs, nowMs);
  const wakeAtMs = next(passed?.atMs ?? (passed?.missed === 0 ? sinceMs : nowMs));
  return {
    ok: true,
    value: {
      dueMs: owed.atMs,
      missedMs: owed.atMs === undefined ? passed?.atMs : undefined,
      tooManyMissed: owed.atMs !== undefined && owed.missed > manyMissed,
      wakeInMs: wakeAtMs === undefined ? undefined : Math.max(paddingMs, wakeAtMs + paddingMs - nowMs),
    },
  };
}

interface Passed {
  readonly atMs: number | undefined;
  /** As if all times were as far apart as the first two. */
  readonly missed: number;
}

/** Jumps to shortly before now by the distance of the first two times, so that a long absence costs little. */
function latestPassed(
  next: (afterMs: number) => number | undefined,
  sinceMs: number,
  nowMs: number,
): Passed | undefined {
  const first = next(sinceMs);
  if (first === undefined) return undefined;
  if (nowMs < first) return { atMs: undefined, missed: 0 };
  const second = next(first);
  if (second === undefined || nowMs < second) return { atMs: first, missed: 0 };
  const apartMs = second - first;
  const missed = Math.floor((nowMs - first) / apartMs) + 1;
  // A pause longer than the first two times are apart may lie before now: then from further and further back.
  for (let backMs = 2 * apartMs, fromMs = first + (missed - 2) * apartMs; ; backMs *= 2) {
    let atMs: number | undefined;
    for (let at = next(fromMs); at !== undefined && at <= nowMs; at = next(at)) atMs = at;
    if (atMs !== undefined || fromMs < sinceMs) return { atMs: atMs ?? first, missed };
    fromMs = nowMs - backMs;
  }
}
