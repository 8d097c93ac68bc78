// Large sets are looked at less often: a run costs what the set is large, and every pod of it causes runs.
import { type Clock, sleep } from '../base/index.ts';

const smallSet = 200;
const longestMs = 250;

/**
 * Waits before a run that looks at `count` objects, so that it sees what happens to many of them at once: the work per second is
 * bounded, whatever happens. Small sets do not wait. Rejects when the signal aborts.
 */
export async function gather(count: number, clock: Clock, signal: AbortSignal): Promise<void> {
  if (count >= smallSet) await sleep(clock, Math.min(longestMs, count / 20), signal);
}
