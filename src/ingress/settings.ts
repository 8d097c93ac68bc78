// What an ingress says in annotations about its own requests. Pure.
import type { Ingress } from '../api/index.ts';
import { parseQuantity, toValue } from '../machinery/index.ts';

export interface RouteSettings {
  /** How long an endpoint may be silent. */
  readonly timeoutMs: number;
  /** 0 = no limit */
  readonly maxBodyBytes: number;
  /** Plain requests are sent to https. */
  readonly redirects: boolean;
}

const prefix = 'ingress.jotasu.dev/';
const defaultTimeoutMs = 60_000;
const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const longestMs = 24 * 3_600_000;

/** `tell` hears of what cannot be read, which is then as if it were not there. */
export function settingsOf({ metadata }: Ingress, tell: (message: string) => void): RouteSettings {
  const read = <T>(name: string, otherwise: T, parse: (text: string) => T | undefined): T => {
    const text = metadata.annotations?.[prefix + name];
    if (text === undefined) return otherwise;
    const value = parse(text.trim());
    if (value === undefined) tell(`annotation ${prefix}${name} cannot be read: "${text}"`);
    return value ?? otherwise;
  };
  return {
    timeoutMs: read('request-timeout', defaultTimeoutMs, timeMs),
    maxBodyBytes: read('max-body-size', 0, bytes),
    redirects: read('ssl-redirect', false, (text) =>
      text === 'true' ? true : text === 'false' ? false : undefined,
    ),
  };
}

function timeMs(text: string): number | undefined {
  const match = /^(\d{1,8})(ms|s|m|h)$/.exec(text);
  if (match === null) return undefined;
  const value = Number(match[1]) * unitsMs[match[2]!]!;
  return value > 0 && value <= longestMs ? value : undefined;
}

/** The proxy counts in 32 bits. */
const mostBytes = 2 ** 31 - 1;

function bytes(text: string): number | undefined {
  const value = parseQuantity(text);
  if (value === undefined) return undefined;
  const number = toValue(value);
  return number >= 0 ? Math.min(mostBytes, number) : undefined;
}
