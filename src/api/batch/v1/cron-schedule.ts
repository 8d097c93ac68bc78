// The schedule of a CronJob: five fields or an `@` word, read as the cron library that Kubernetes uses reads them, with its wording of
// mistakes. The value says which minutes match; who asks when the next one is brings the clock and the time zone.
import { durationError, type Parsed, parseDuration } from '../../../machinery/index.ts';

/** The values at which a field matches. */
export interface CronField {
  readonly values: ReadonlySet<number>;
  /** Written as `*` or `?`: of days of the month and days of the week, the one without decides. */
  readonly any: boolean;
}

export type CronSchedule =
  | {
      readonly minute: CronField;
      readonly hour: CronField;
      readonly dayOfMonth: CronField;
      /** 1 is January. */
      readonly month: CronField;
      /** 0 is Sunday. */
      readonly dayOfWeek: CronField;
      /** The zone written into the schedule itself, which only old CronJobs have. */
      readonly timeZone: string | undefined;
    }
  | { readonly everySeconds: number };

interface Bounds {
  readonly low: number;
  readonly high: number;
  readonly names?: readonly string[];
}

const minutes: Bounds = { low: 0, high: 59 };
const hours: Bounds = { low: 0, high: 23 };
const daysOfMonth: Bounds = { low: 1, high: 31 };
const months: Bounds = {
  low: 1,
  high: 12,
  names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
};
const daysOfWeek: Bounds = { low: 0, high: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] };

/** The `@` words, as the five fields they stand for. */
const words: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

const wrong = (error: string): { readonly ok: false; readonly error: string } => ({ ok: false, error });
const quoted = (text: string): string => JSON.stringify(text);

export function parseCronSchedule(text: string): Parsed<CronSchedule> {
  if (text === '') return wrong('empty spec string');
  let rest = text;
  let timeZone: string | undefined;
  if (/^(?:CRON_)?TZ=/.test(text)) {
    const space = text.indexOf(' ');
    // without a space the library takes the last character off the zone; the fields are missing in any case
    timeZone = text.slice(text.indexOf('=') + 1, space < 0 ? undefined : space);
    if (!isTimeZone(timeZone))
      return wrong(`provided bad location ${timeZone}: unknown time zone ${timeZone}`);
    rest = space < 0 ? '' : text.slice(space).trim();
  }
  if (rest.startsWith('@')) {
    if (rest.startsWith('@every ')) return parseEvery(rest.slice('@every '.length), rest);
    const meant = Object.hasOwn(words, rest) ? words[rest] : undefined;
    return meant === undefined
      ? wrong(`unrecognized descriptor: ${rest}`)
      : parseFields(meant.split(' '), timeZone);
  }
  const fields = rest.split(/\s+/).filter((field) => field !== '');
  if (fields.length !== 5)
    return wrong(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`);
  return parseFields(fields, timeZone);
}

function parseEvery(text: string, descriptor: string): Parsed<CronSchedule> {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined)
    return wrong(`failed to parse duration ${descriptor}: ${durationError(text)}`);
  return { ok: true, value: { everySeconds: Math.max(1, Math.trunc(milliseconds / 1000)) } };
}

function parseFields(fields: readonly string[], timeZone: string | undefined): Parsed<CronSchedule> {
  const parsed: CronField[] = [];
  for (const [i, bounds] of [minutes, hours, daysOfMonth, months, daysOfWeek].entries()) {
    const field = parseField(fields[i]!, bounds);
    if (!field.ok) return field;
    parsed.push(field.value);
  }
  const [minute, hour, dayOfMonth, month, dayOfWeek] = parsed as [
    CronField,
    CronField,
    CronField,
    CronField,
    CronField,
  ];
  return { ok: true, value: { minute, hour, dayOfMonth, month, dayOfWeek, timeZone } };
}

function parseField(text: string, bounds: Bounds): Parsed<CronField> {
  const values = new Set<number>();
  let any = false;
  for (const part of text.split(',').filter((p) => p !== '')) {
    const range = parseRange(part, bounds);
    if (!range.ok) return range;
    const { start, end, step } = range.value;
    any ||= range.value.any;
    for (let value = start; value <= end; value += step) values.add(value);
  }
  return { ok: true, value: { values, any } };
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly step: number;
  readonly any: boolean;
}

/** `number | number "-" number | "*" | "?"`, each with `"/" number` or without. */
function parseRange(text: string, bounds: Bounds): Parsed<Range> {
  const [limits = '', stepText, ...moreSteps] = text.split('/');
  const [low = '', high, ...moreHyphens] = limits.split('-');
  let any = low === '*' || low === '?';
  let start = bounds.low;
  let end = bounds.high;
  if (!any) {
    const first = parseNumber(low, bounds);
    if (!first.ok) return first;
    start = first.value;
    end = start;
    if (moreHyphens.length > 0) return wrong(`too many hyphens: ${text}`);
    if (high !== undefined) {
      const last = parseNumber(high, bounds);
      if (!last.ok) return last;
      end = last.value;
    }
  }
  let step = 1;
  if (moreSteps.length > 0) return wrong(`too many slashes: ${text}`);
  if (stepText !== undefined) {
    const parsed = parseInteger(stepText);
    if (!parsed.ok) return parsed;
    step = parsed.value;
    // "5/15" means from 5 to the end
    if (!any && high === undefined) end = bounds.high;
    if (step > 1) any = false;
  }
  if (start < bounds.low)
    return wrong(`beginning of range (${start}) below minimum (${bounds.low}): ${text}`);
  if (end > bounds.high) return wrong(`end of range (${end}) above maximum (${bounds.high}): ${text}`);
  if (start > end) return wrong(`beginning of range (${start}) beyond end of range (${end}): ${text}`);
  if (step === 0) return wrong(`step of range should be a positive number: ${text}`);
  return { ok: true, value: { start, end, step, any } };
}

function parseNumber(text: string, bounds: Bounds): Parsed<number> {
  const index = bounds.names?.indexOf(text.toLowerCase()) ?? -1;
  return index >= 0 ? { ok: true, value: index + bounds.low } : parseInteger(text);
}

function parseInteger(text: string): Parsed<number> {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value))
    return wrong(`failed to parse int from ${text}: strconv.Atoi: parsing ${quoted(text)}: invalid syntax`);
  if (!Number.isSafeInteger(value))
    return wrong(
      `failed to parse int from ${text}: strconv.Atoi: parsing ${quoted(text)}: value out of range`,
    );
  return value < 0 ? wrong(`negative number (${value}) not allowed: ${text}`) : { ok: true, value };
}

/** A name of the time zone database, spelled as it is there. */
export function isTimeZone(name: string): boolean {
  if (name === 'UTC' || name === '' || name === 'Local') return true;
  try {
    const known = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
    return known === name || known.toLowerCase() !== name.toLowerCase();
  } catch {
    return false;
  }
}
