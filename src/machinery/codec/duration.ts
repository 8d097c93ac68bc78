// Durations as Go's time package reads and writes them: `1h30m`, `1.5s`, `-2m`. In milliseconds here, as everywhere in the project.

const nanosPerUnit: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const maxNanos = 2n ** 63n;
const part = /([0-9]*)(?:\.([0-9]*))?([^0-9.]*)/y;

/** Nanoseconds, or why the text is none. */
function parseNanos(text: string): bigint | string {
  const invalid = `time: invalid duration ${JSON.stringify(text)}`;
  const negative = text.startsWith('-');
  const start = negative || text.startsWith('+') ? 1 : 0;
  if (text.slice(start) === '0') return 0n;
  if (start === text.length) return invalid;
  let total = 0n;
  for (part.lastIndex = start; part.lastIndex < text.length; ) {
    const m = part.exec(text)!;
    const whole = m[1]!;
    const fraction = (m[2] ?? '').slice(0, 18);
    if (whole === '' && fraction === '') return invalid;
    const unit = m[3]!;
    if (unit === '') return `time: missing unit in duration ${JSON.stringify(text)}`;
    const nanos = Object.hasOwn(nanosPerUnit, unit) ? nanosPerUnit[unit]! : undefined;
    if (nanos === undefined)
      return `time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`;
    if (whole.length > 20) return invalid;
    total += BigInt(whole === '' ? '0' : whole) * nanos;
    if (fraction !== '') total += (BigInt(fraction) * nanos) / 10n ** BigInt(fraction.length);
    if (total > maxNanos) return invalid;
  }
  if (total === maxNanos && !negative) return invalid;
  return negative ? -total : total;
}

/** Milliseconds (with a fraction for what is shorter), or undefined when the text is no Go duration. */
export function parseDuration(text: string): number | undefined {
  const nanos = parseNanos(text);
  return typeof nanos === 'string' ? undefined : Number(nanos) / 1e6;
}

/** Why `parseDuration` refuses a text, as Go puts it; undefined when it does not. */
export function durationError(text: string): string | undefined {
  const nanos = parseNanos(text);
  return typeof nanos === 'string' ? nanos : undefined;
}

/** As Go prints a duration: `1h30m0s`, `1.5s`, `250ms`, `0s`. */
export function formatDuration(ms: number): string {
  const nanos = BigInt(Math.round(ms * 1e6));
  if (nanos === 0n) return '0s';
  const sign = nanos < 0n ? '-' : '';
  const abs = nanos < 0n ? -nanos : nanos;
  if (abs < 1_000n) return `${sign}${abs}ns`;
  if (abs < 1_000_000n) return `${sign}${decimal(abs, 3)}µs`;
  if (abs < 1_000_000_000n) return `${sign}${decimal(abs, 6)}ms`;
  const minutes = abs / 60_000_000_000n;
  const seconds = `${decimal(abs % 60_000_000_000n, 9)}s`;
  if (minutes === 0n) return sign + seconds;
  if (minutes < 60n) return `${sign}${minutes}m${seconds}`;
  return `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

/** `value` / 10^digits without trailing zeros. */
function decimal(value: bigint, digits: number): string {
  const text = value.toString().padStart(digits + 1, '0');
  const fraction = text.slice(-digits).replace(/0+$/, '');
  return fraction === '' ? text.slice(0, -digits) : `${text.slice(0, -digits)}.${fraction}`;
}
