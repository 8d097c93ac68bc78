// One step at a time. Whatever may matter only wakes the loop: what comes during a step is looked at by the next one, however much it
// was. A step says when it wants to be made again though nothing happens; one that fails is made again after a growing delay.
import type { Clock, Scope, Timer } from '../../base/index.ts';

const retryInitialMs = 1_000;
const retryMaxMs = 10_000;

export interface StepResult {
  /** When to look again even if nothing happens; undefined = not before it is woken. */
  readonly wakeInMs: number | undefined;
  /** Something did not work and will be tried again. */
  readonly retry: boolean;
}

export const idle: StepResult = { wakeInMs: undefined, retry: false };

export interface StepLoopOptions {
  /** Of its tasks in the scope. */
  readonly name: string;
  readonly clock: Clock;
  /** Stopping it ends the loop after the running step. */
  readonly scope: Scope;
  readonly step: () => Promise<StepResult>;
  /** What comes after a step that threw: the next one at once, or a new try later. Not asked when the scope stops. */
  readonly failed: (error: unknown) => 'next' | 'retry';
}

export class StepLoop {
  readonly #options: StepLoopOptions;
  #dirty = false;
  #running = false;
  #ended = false;
  #failures = 0;
  #timer: Timer | undefined;

  constructor(options: StepLoopOptions) {
    this.#options = options;
  }

  /** The last step did not work. */
  get isRetrying(): boolean {
    return this.#failures > 0;
  }

  /** A step is made, now or after the running one. */
  wake(): void {
    if (this.#ended) return;
    this.#dirty = true;
    if (this.#running) return;
    this.#running = true;
    this.#options.scope.run(this.#options.name, (signal) => this.#run(signal));
  }

  /** For a step: how long to wait before what did not work is tried again. Longer each time, until a step works. */
  nextRetryMs(): number {
    return Math.min(retryMaxMs, retryInitialMs * 2 ** this.#failures++);
  }

  /** No step is made by time alone any more. */
  cancelTimer(): void {
    this.#timer?.cancel();
  }

  /** The running step is the last one. */
  end(): void {
    this.#ended = true;
    this.cancelTimer();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { step, failed } = this.#options;
    try {
      while (this.#dirty && !this.#ended && !signal.aborted) {
        this.#dirty = false;
        this.cancelTimer();
        try {
          const { wakeInMs, retry } = await step();
          if (!retry) this.#failures = 0;
          if (wakeInMs !== undefined) this.#wakeIn(wakeInMs);
        } catch (error) {
          if (signal.aborted) return;
          if (failed(error) === 'next') this.#dirty = true;
          else this.#wakeIn(this.nextRetryMs());
        }
      }
    } finally {
      this.#running = false;
      if (this.#dirty && !this.#ended && !signal.aborted) this.wake();
    }
  }

  #wakeIn(ms: number): void {
    this.cancelTimer();
    this.#timer = this.#options.clock.after(ms, () => this.wake());
  }
}
