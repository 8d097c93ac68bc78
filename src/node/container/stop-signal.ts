// Names of signals and their numbers on Linux. Pure.
import { constants } from 'node:os';

/** SIGTERM → 15, SIGRTMIN+3 → 37, SIGRTMAX-1 → 63. undefined = no such signal. */
export function signalNumber(name: string): number | undefined {
  const realTime = /^SIGRT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realTime === null) return (constants.signals as Readonly<Record<string, number>>)[name];
  const [, from, sign, by = '0'] = realTime;
  const number = (from === 'MIN' ? 34 : 64) + (sign === '-' ? -1 : 1) * Number(by);
  return number >= 34 && number <= 64 ? number : undefined;
}
