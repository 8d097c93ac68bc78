// No floating promises: every background task belongs to a scope, and stopping the scope waits for all of them.
import { setMaxListeners } from 'node:events';
import type { Log } from './log.ts';

export class Scope {
  readonly #abort = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  readonly #cleanups: (() => void | Promise<void>)[] = [];
  readonly #log: Log;

  constructor(log: Log, parent?: AbortSignal) {
    this.#log = log;
    // Everything that waits in the scope listens: many listeners are no leak.
    setMaxListeners(0, this.#abort.signal);
    if (parent?.aborted) this.#abort.abort(parent.reason);
    else
      parent?.addEventListener('abort', () => this.#abort.abort(parent.reason), {
        once: true,
        signal: this.#abort.signal,
      });
  }

  /** Aborted when the scope stops. Hand it to everything that waits. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Runs a background task. A rejection that is not the abort itself is logged, never lost. */
  run(name: string, task: (signal: AbortSignal) => Promise<void>): void {
    if (this.stopped) return;
    const promise = task(this.signal)
      .catch((error: unknown) => {
        if (!this.stopped) this.#log.error('background task failed', { task: name, error });
      })
      .finally(() => this.#tasks.delete(promise));
    this.#tasks.add(promise);
  }

  /** Registers something to undo on stop; undone last registered first, after all tasks have ended. */
  onStop(cleanup: () => void | Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  async stop(): Promise<void> {
    if (!this.stopped) this.#abort.abort(new Error('stopped'));
    while (this.#tasks.size > 0) await Promise.allSettled([...this.#tasks]);
    for (let cleanup = this.#cleanups.pop(); cleanup !== undefined; cleanup = this.#cleanups.pop())
      await cleanup();
  }
}
