// Wall clocks of time zones, from Intl. An instant has one wall clock; a wall clock may belong to two instants, or to none.

/** A date and a time of day without a zone, as the milliseconds since the epoch that it would be in UTC. */
export type WallMs = number;

export interface Zone {
  /** What a clock on the wall shows at an instant. */
  wallAt(epochMs: number): WallMs;
  /**
   * The instant at which the wall shows this. Of two it is either one, and for a time that is skipped one just before or after, as
   * Go's time.Date has it.
   */
  instantOf(wall: WallMs): number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(name: string): Intl.DateTimeFormat {
  let known = formats.get(name);
  if (known === undefined) {
    known = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(name, known);
  }
  return known;
}

const utc: Zone = { wallAt: (epochMs) => epochMs, instantOf: (wall) => wall };

/** Undefined when there is no zone of that name. No name is UTC. */
export function zoneOf(name: string | undefined): Zone | undefined {
  if (name === undefined || name === '' || name === 'UTC' || name === 'Local') return utc;
  let format: Intl.DateTimeFormat;
  try {
    format = formatOf(name);
  } catch {
    return undefined;
  }
  const offsetAt = (epochMs: number): number => {
    const second = Math.floor(epochMs / 1000) * 1000;
    const shown: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(second)) shown[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = shown;
    return Date.UTC(year, month - 1, day, hour, minute, shown.second ?? 0) - second;
  };
  return {
    wallAt: (epochMs) => epochMs + offsetAt(epochMs),
    instantOf(wall) {
      const first = offsetAt(wall);
      return first === 0 ? wall : wall - offsetAt(wall - first);
    },
  };
}
