// When a schedule is due next. Walks from field to field, the largest first, exactly as the cron library that Kubernetes uses walks, since
// what happens around a change of clocks follows from the walk:
//   - a time that is skipped in spring is not made up for, one that comes twice in autumn is due twice
//   - days are walked from midnight to midnight, and where there is no midnight from the hour next to it
// Pure.
import type { CronSchedule } from '../../api/index.ts';
import type { Zone } from './zone.ts';

const secondMs = 1000;
const minuteMs = 60_000;
const hourMs = 3_600_000;
/** A schedule that is not due within so many years never is (the 31st of February). */
const yearsAhead = 5;

/** The first time after `afterMs`, in milliseconds since the epoch. */
export function nextTime(schedule: CronSchedule, zone: Zone, afterMs: number): number | undefined {
  const fromMs = Math.floor(afterMs / secondMs) * secondMs;
  if ('everySeconds' in schedule) return fromMs + schedule.everySeconds * secondMs;
  return new Walk(schedule, zone, fromMs + secondMs).run();
}

type Fields = Extract<CronSchedule, { minute: unknown }>;

class Walk {
  readonly #schedule: Fields;
  readonly #zone: Zone;
  #atMs: number;
  #wall: Date;
  /** Once something was moved, everything smaller begins at its beginning. */
  #moved = false;

  constructor(schedule: Fields, zone: Zone, fromMs: number) {
    this.#schedule = schedule;
    this.#zone = zone;
    this.#atMs = fromMs;
    this.#wall = new Date(zone.wallAt(fromMs));
  }

  run(): number | undefined {
    const lastYear = this.#wall.getUTCFullYear() + yearsAhead;
    while (this.#wall.getUTCFullYear() <= lastYear)
      if (this.#toMonth() && this.#toDay() && this.#toHour() && this.#toMinute() && this.#toSecond())
        return this.#atMs;
    return undefined;
  }

  // Each goes forward until its field fits; false when it came around, and what is larger must be looked at again.

  #toMonth(): boolean {
    while (!this.#schedule.month.values.has(this.#wall.getUTCMonth() + 1)) {
      const [year, month] = this.#date();
      if (!this.#begun()) this.#set(Date.UTC(year, month, 1));
      this.#set(this.#later({ months: 1 }));
      if (this.#wall.getUTCMonth() === 0) return false;
    }
    return true;
  }

  #toDay(): boolean {
    while (!this.#dayFits()) {
      const [year, month, day] = this.#date();
      if (!this.#begun()) this.#set(Date.UTC(year, month, day));
      this.#set(this.#later({ days: 1 }));
      this.#backToMidnight();
      if (this.#wall.getUTCDate() === 1) return false;
    }
    return true;
  }

  #toHour(): boolean {
    while (!this.#schedule.hour.values.has(this.#wall.getUTCHours())) {
      if (!this.#begun()) this.#set(Math.floor(this.#wall.getTime() / hourMs) * hourMs);
      this.#go(this.#atMs + hourMs);
      if (this.#wall.getUTCHours() === 0) return false;
    }
    return true;
  }

  #toMinute(): boolean {
    while (!this.#schedule.minute.values.has(this.#wall.getUTCMinutes())) {
      if (!this.#begun()) this.#atMs = Math.floor(this.#atMs / minuteMs) * minuteMs;
      this.#go(this.#atMs + minuteMs);
      if (this.#wall.getUTCMinutes() === 0) return false;
    }
    return true;
  }

  #toSecond(): boolean {
    while (this.#wall.getUTCSeconds() !== 0) {
      this.#moved = true;
      this.#go(this.#atMs + secondMs);
      if (this.#wall.getUTCSeconds() === 0) return false;
    }
    return true;
  }

  /** Where a day begins at one o'clock, or its first hour is that of the day before. */
  #backToMidnight(): void {
    const hour = this.#wall.getUTCHours();
    if (hour !== 0) this.#go(this.#atMs + (hour > 12 ? 24 - hour : -hour) * hourMs);
  }

  /** Both days must fit when one of them is `*`, else either. */
  #dayFits(): boolean {
    const { dayOfMonth, dayOfWeek } = this.#schedule;
    const ofMonth = dayOfMonth.values.has(this.#wall.getUTCDate());
    const ofWeek = dayOfWeek.values.has(this.#wall.getUTCDay());
    return dayOfMonth.any || dayOfWeek.any ? ofMonth && ofWeek : ofMonth || ofWeek;
  }

  #date(): readonly [year: number, month: number, day: number] {
    return [this.#wall.getUTCFullYear(), this.#wall.getUTCMonth(), this.#wall.getUTCDate()];
  }

  /** The same time of day. */
  #later({ months = 0, days = 0 }: { readonly months?: number; readonly days?: number }): number {
    const later = new Date(this.#wall);
    later.setUTCMonth(later.getUTCMonth() + months, later.getUTCDate() + days);
    return later.getTime();
  }

  /** Whether something was moved before; from now on it was. */
  #begun(): boolean {
    const before = this.#moved;
    this.#moved = true;
    return before;
  }

  #set(wall: number): void {
    this.#go(this.#zone.instantOf(wall));
  }

  #go(atMs: number): void {
    this.#atMs = atMs;
    this.#wall = new Date(this.#zone.wallAt(atMs));
  }
}
