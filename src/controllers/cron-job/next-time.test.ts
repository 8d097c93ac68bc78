import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CronSchedule, parseCronSchedule } from '../../api/index.ts';
import { nextTime } from './next-time.ts';
import { zoneOf } from './zone.ts';

const parse = (text: string): CronSchedule => {
  const parsed = parseCronSchedule(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
};
const next = (text: string, zone: string, after: string): string | undefined => {
  const at = nextTime(parse(text), zoneOf(zone)!, Date.parse(after));
  return at === undefined ? undefined : new Date(at).toISOString().replace(':00.000Z', 'Z');
};

describe('the next time', () => {
  test.each([
    ['*/15 * * * *', 'UTC', '2026-07-09T14:45:00Z', '2026-07-09T15:00Z'],
    ['*/15 * * * *', 'UTC', '2026-07-09T14:59:59Z', '2026-07-09T15:00Z'],
    ['20-35/15 * * * *', 'UTC', '2026-07-09T14:40:00Z', '2026-07-09T15:20Z'],
    ['0 0 29 2 *', 'UTC', '2026-03-01T00:00:00Z', '2028-02-29T00:00Z'],
    ['0 0 31 2 *', 'UTC', '2026-03-01T00:00:00Z', undefined],
    ['0 0 1,15 * sun', 'UTC', '2026-07-10T00:00:00Z', '2026-07-12T00:00Z'],
    ['0 0 1,15 * *', 'UTC', '2026-07-10T00:00:00Z', '2026-07-15T00:00Z'],
    ['0 0 * feb mon', 'UTC', '2026-07-10T00:00:00Z', '2027-02-01T00:00Z'],
    ['@every 90s', 'UTC', '2026-07-10T00:00:00.500Z', '2026-07-10T00:01:30.000Z'],
    ['0 9 * * *', 'Asia/Seoul', '2026-07-10T00:00:00Z', '2026-07-11T00:00Z'],
    ['30 23 * * *', 'America/Los_Angeles', '2026-07-10T00:00:00Z', '2026-07-10T06:30Z'],
    // 02:00 to 03:00 does not exist on March 8
    ['30 2 * * *', 'America/New_York', '2026-03-08T05:00:00Z', '2026-03-09T06:30Z'],
    ['0 3 * * *', 'America/New_York', '2026-03-08T05:00:00Z', '2026-03-08T07:00Z'],
    ['0 * * * *', 'America/New_York', '2026-03-08T06:00:00Z', '2026-03-08T07:00Z'],
    // 01:00 to 02:00 comes twice on November 1
    ['30 1 * * *', 'America/New_York', '2026-11-01T04:00:00Z', '2026-11-01T05:30Z'],
    ['30 1 * * *', 'America/New_York', '2026-11-01T05:30:00Z', '2026-11-01T06:30Z'],
    ['30 1 * * *', 'America/New_York', '2026-11-01T06:30:00Z', '2026-11-02T06:30Z'],
    ['0 2 * * *', 'America/New_York', '2026-11-01T05:45:00Z', '2026-11-01T07:00Z'],
    // half an hour is skipped on October 4
    ['15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T14:00:00Z', '2026-10-04T15:15Z'],
    ['45 2 * * *', 'Australia/Lord_Howe', '2026-10-03T14:00:00Z', '2026-10-03T15:45Z'],
    // no midnight on April 24
    ['0 0 * * *', 'Africa/Cairo', '2026-04-23T12:00:00Z', '2026-04-24T21:00Z'],
  ])('%s in %s after %s', (text, zone, after, wanted) => expect(next(text, zone, after)).toBe(wanted));

  test('unknown zones', () => {
    expect(zoneOf('Asia/Soul')).toBeUndefined();
    expect(zoneOf(undefined)?.wallAt(5)).toBe(5);
  });
});

/** Slow and plain: every minute is looked at on the wall, through a formatter of its own. */
function referenceNext(text: string, zone: string, afterMs: number, limitMs: number): number | undefined {
  const schedule = parse(text) as Extract<CronSchedule, { minute: unknown }>;
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  for (let at = (Math.floor(afterMs / 60_000) + 1) * 60_000; at <= limitMs; at += 60_000) {
    const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
    const ofMonth = schedule.dayOfMonth.values.has(Number(part.day));
    const ofWeek = schedule.dayOfWeek.values.has(
      ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'].indexOf(part.weekday ?? ''),
    );
    const either = !schedule.dayOfMonth.any && !schedule.dayOfWeek.any;
    if (
      schedule.minute.values.has(Number(part.minute)) &&
      schedule.hour.values.has(Number(part.hour) % 24) &&
      schedule.month.values.has(Number(part.month)) &&
      (either ? ofMonth || ofWeek : ofMonth && ofWeek)
    )
      return at;
  }
  return undefined;
}

test('agrees with a slow reference on random schedules, zones and changes of clocks', () => {
  // Where clocks change by an hour and not at midnight; the library's own ways elsewhere are in the table.
  const zone = fc.constantFrom(
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Asia/Kolkata',
    'Pacific/Chatham',
    'Australia/Sydney',
    'America/St_Johns',
  );
  const changes = [
    '2026-03-08',
    '2026-03-29',
    '2026-04-05',
    '2026-09-27',
    '2026-10-04',
    '2026-10-25',
    '2026-11-01',
  ];
  const start = fc
    .tuple(
      fc.constantFrom(...changes, '2026-02-27', '2026-12-30'),
      fc.integer({ min: -1800, max: 1800 }),
      fc.nat(59),
    )
    .map(([day, minutes, seconds]) => Date.parse(`${day}T00:00:00Z`) + minutes * 60_000 + seconds * 1000);
  const field = (low: number, high: number) =>
    fc.oneof(
      { weight: 3, arbitrary: fc.constant('*') },
      fc.integer({ min: low, max: high }).map(String),
      fc.integer({ min: 2, max: 7 }).map((step) => `*/${step}`),
      fc
        .tuple(fc.integer({ min: low, max: high }), fc.integer({ min: low, max: high }))
        .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    );
  const schedule = fc
    .tuple(field(0, 59), field(0, 6), field(1, 28), field(1, 12), field(0, 6))
    .map((fields) => fields.join(' '));
  fc.assert(
    fc.property(schedule, zone, start, (text, name, afterMs) => {
      const limitMs = afterMs + 4 * 86_400_000;
      const got = nextTime(parse(text), zoneOf(name)!, afterMs);
      const wanted = referenceNext(text, name, afterMs, limitMs);
      if (wanted === undefined) expect(got === undefined || got > limitMs).toBe(true);
      else expect(got).toBe(wanted);
    }),
    { numRuns: 150 },
  );
});
