// A command made of steps: each says when it is done and how long it took, and can be undone when a later one fails.
import type { Clock } from '../../base/index.ts';

export interface Step {
  /** What is there when it is done: `network jts0 10.89.0.0/24`. */
  readonly title: string;
  /** Makes it so. Idempotent. `there` = it was so already, and nothing is to be undone. */
  ensure(signal: AbortSignal): Promise<'made' | 'there'>;
  /** Undoes what `ensure` made, also when it failed half-way. */
  undo?(): Promise<void>;
}

export interface StepsResult {
  /** How many of the steps had something to do. */
  readonly made: number;
}

/**
 * Runs the steps in order. When one fails, or the signal aborts, those of this run are undone, last first, and the failure is
 * thrown; what cannot be undone is said.
 */
export async function runSteps(
  steps: readonly Step[],
  options: { clock: Clock; say: (line: string) => void; signal: AbortSignal },
): Promise<StepsResult> {
  const { clock, say, signal } = options;
  const done: Step[] = [];
  let made = 0;
  for (const step of steps) {
    const beganMs = clock.monotonicMs();
    try {
      signal.throwIfAborted();
      const outcome = await step.ensure(signal);
      const seconds = `${((clock.monotonicMs() - beganMs) / 1000).toFixed(1)} s`;
      say(`  ${step.title.padEnd(66)} ${outcome === 'there' ? 'as it was' : seconds}`);
      if (outcome === 'there') continue;
      made++;
      done.push(step);
    } catch (error) {
      say(`  ${step.title.padEnd(66)} failed`);
      for (const past of [...done, step].reverse())
        try {
          await past.undo?.();
        } catch (undoing) {
          say(`  could not undo "${past.title}": ${(undoing as Error).message}`);
        }
      throw error;
    }
  }
  return { made };
}
