// The AGE column of kubectl: a duration in two units at most, the finer the younger.
import { parseTime } from './time.ts';

/** `5s`, `3m2s`, `5h`, `2d3h`, `1y20d`. A moment in the future is `<invalid>`, one second of clock skew aside. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 60 * 2) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 60 * 3) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 24 * 8) return pair(days, 'd', hours % 24, 'h');
  if (hours < 24 * 365 * 2) return `${days}d`;
  const years = Math.trunc(days / 365);
  return hours < 24 * 365 * 8 ? pair(years, 'y', days % 365, 'd') : `${years}y`;
}

const pair = (big: number, bigUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${small}${smallUnit}`;

/** How long ago a timestamp was, for people; `<unknown>` when there is none. */
export function translateTimestampSince(timestamp: string | undefined, nowMs: number): string {
  const then = parseTime(timestamp);
  return then === undefined ? '<unknown>' : humanDuration(nowMs - then);
}
