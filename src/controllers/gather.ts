// Large sets are looked at less often: a run costs what the set is large, and every pod of it causes runs.
import { type Clock, sleep } from '../base/index.ts';

const smallSet = 200;
const longestMs = 250;

/**
 * Waits before a run that looks at `count` objects, so that it sees what happens to many of them at once: the work per second is
 * bounded, whatever happens. Undefined for small sets, which do not wait. Rejects when the signal aborts.
 */
export function gather(count: number, clock: Clock, signal: AbortSignal): Promise<void> | undefined {
  return count < smallSet ? undefined : sleep(clock, Math.min(longestMs, count / 20), signal);
}
