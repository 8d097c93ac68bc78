// How long things take that one pod waits for, from when its worker first saw it; told to the node's metrics.
import type { Pod } from '../../api/index.ts';
import type { Clock } from '../../base/index.ts';
import type { PodMetrics } from '../metrics/pod-metrics.ts';

export class PodTimes {
  readonly #metrics: PodMetrics;
  readonly #clock: Clock;
  readonly #seenMs: number;
  #new = true;
  /** Of one that ran when it was first seen nobody here knows how long that took. */
  #isToStart: boolean;

  /** The pod is seen now. */
  constructor({ status }: Pod, { metrics, clock }: { readonly metrics: PodMetrics; readonly clock: Clock }) {
    this.#metrics = metrics;
    this.#clock = clock;
    this.#seenMs = clock.monotonicMs();
    this.#isToStart = (status?.phase ?? 'Pending') === 'Pending';
  }

  /** One step of its worker; the first one is what makes the pod. Resolves and rejects as `work` does. */
  async step<T>(kind: 'sync' | 'kill', work: () => Promise<T>): Promise<T> {
    const startedMs = this.#clock.monotonicMs();
    if (this.#new) this.#metrics.firstStep((startedMs - this.#seenMs) / 1000);
    const step = kind === 'sync' && this.#new ? 'create' : kind;
    this.#new = false;
    try {
      return await work();
    } finally {
      this.#metrics.stepped(step, this.#seconds(startedMs));
    }
  }

  /** Its status says that it is in this phase. */
  reached(phase: string | undefined): void {
    if (!this.#isToStart || phase !== 'Running') return;
    this.#isToStart = false;
    this.#metrics.started(this.#seconds(this.#seenMs));
  }

  #seconds(sinceMs: number): number {
    return (this.#clock.monotonicMs() - sinceMs) / 1000;
  }
}
