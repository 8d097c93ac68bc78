// RFC 3339 times as Kubernetes writes them: UTC, whole seconds (`Time`) or six digits (`MicroTime`).

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

interface Parsed {
  epochMs: number;
  /** digits after the second, as microseconds */
  micros: number;
}

function parse(text: string): Parsed | undefined {
  const m = rfc3339.exec(text);
  if (m === null) return undefined;
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((i) => Number(m[i])) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1) return undefined;
  date.setUTCHours(hour, minute, second);
  let epochMs = date.getTime();
  if (m[8] !== undefined) {
    const offset = (Number(m[9]) * 60 + Number(m[10])) * 60_000;
    epochMs += m[8] === '+' ? -offset : offset;
  }
  return { epochMs, micros: Number((m[7] ?? '').padEnd(6, '0').slice(0, 6)) };
}

const alreadyCanonical = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;

/** `2026-01-02T03:04:05Z`, or undefined when the text is no RFC 3339 time. Fractions are cut off. */
export function canonicalTime(text: string): string | undefined {
  if (alreadyCanonical.test(text)) return text;
  const parsed = parse(text);
  return parsed === undefined ? undefined : formatTime(parsed.epochMs);
}

const alreadyCanonicalMicro =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z$/;

/** `2026-01-02T03:04:05.000006Z`, or undefined. HOT: every heartbeat has one. */
export function canonicalMicroTime(text: string): string | undefined {
  if (alreadyCanonicalMicro.test(text)) return text;
  const parsed = parse(text);
  return parsed === undefined
    ? undefined
    : `${formatTime(parsed.epochMs).slice(0, -1)}.${String(parsed.micros).padStart(6, '0')}Z`;
}

let lastSecond = Number.NaN;
let lastText = '';

/** HOT: a write needs the present second several times. */
export function formatTime(epochMs: number): string {
  const second = Math.floor(epochMs / 1000);
  if (second !== lastSecond) {
    lastText = `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
    lastSecond = second;
  }
  return lastText;
}

/** HOT: as formatTime. */
export function formatMicroTime(epochMs: number): string {
  const wholeMs = Math.floor(epochMs);
  const millis = String(wholeMs - Math.floor(wholeMs / 1000) * 1000).padStart(3, '0');
  return `${formatTime(wholeMs).slice(0, -1)}.${millis}000Z`;
}

/** Milliseconds since the epoch; undefined when the text is no time. HOT: sets of pods are ranked by their ages. */
export function parseTime(text: string | undefined): number | undefined {
  if (text !== undefined && alreadyCanonical.test(text)) return Date.parse(text);
  const parsed = text === undefined ? undefined : parse(text);
  return parsed === undefined ? undefined : parsed.epochMs + Math.floor(parsed.micros / 1000);
}
