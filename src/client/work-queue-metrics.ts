// What a work queue counts, under client-go's names. One of these a queue; queues of one process share the families.
import {
  type Clock,
  type Counter,
  exponentialBuckets,
  type Gauge,
  type Histogram,
  type MetricRegistry,
} from '../base/index.ts';

const labels = ['name'];
const buckets = exponentialBuckets(1e-6, 10, 10);

export class WorkQueueMetrics {
  readonly #clock: Clock;
  /** When each key that waits was added. */
  readonly #added = new Map<string, number>();
  /** When the work on each key that is taken began. */
  readonly #begun = new Map<string, number>();
  readonly #depth: Gauge;
  readonly #adds: Counter;
  readonly #retries: Counter;
  readonly #waits: Histogram;
  readonly #works: Histogram;
  readonly #unfinished: Gauge;
  readonly #longest: Gauge;
  readonly #stopShowing: () => void;

  /** `depth` tells how many keys are ready now. */
  constructor(registry: MetricRegistry, { name, clock, depth }: QueueShown) {
    this.#clock = clock;
    this.#depth = registry
      .gauge({ name: 'workqueue_depth', help: 'Keys that are ready for work.', labels })
      .of(name);
    this.#adds = registry.counter({ name: 'workqueue_adds_total', help: 'Keys added.', labels }).of(name);
    this.#retries = registry
      .counter({ name: 'workqueue_retries_total', help: 'Keys added to be worked on later.', labels })
      .of(name);
    this.#waits = registry
      .histogram({
        name: 'workqueue_queue_duration_seconds',
        help: 'Time from the adding of a key until it is taken.',
        labels,
        buckets,
      })
      .of(name);
    this.#works = registry
      .histogram({
        name: 'workqueue_work_duration_seconds',
        help: 'Time from the taking of a key until it is done.',
        labels,
        buckets,
      })
      .of(name);
    this.#unfinished = registry
      .gauge({
        name: 'workqueue_unfinished_work_seconds',
        help: 'Time spent so far on the keys that are taken and not done, added up.',
        labels,
      })
      .of(name);
    this.#longest = registry
      .gauge({
        name: 'workqueue_longest_running_processor_seconds',
        help: 'Time spent so far on the key that was taken first and is not done.',
        labels,
      })
      .of(name);
    this.#stopShowing = registry.onRead(() => this.#show(depth()));
  }

  /** The queue has ended: nothing waits any more. Another of the same name may follow. */
  end(): void {
    this.#stopShowing();
    this.#added.clear();
    this.#begun.clear();
    this.#show(0);
  }

  added(key: string): void {
    this.#adds.increment();
    this.#added.set(key, this.#clock.monotonicMs());
  }

  retried(): void {
    this.#retries.increment();
  }

  taken(key: string): void {
    const nowMs = this.#clock.monotonicMs();
    this.#begun.set(key, nowMs);
    const addedMs = this.#added.get(key);
    if (addedMs === undefined) return;
    this.#added.delete(key);
    this.#waits.observe((nowMs - addedMs) / 1000);
  }

  done(key: string): void {
    const begunMs = this.#begun.get(key);
    if (begunMs === undefined) return;
    this.#begun.delete(key);
    this.#works.observe((this.#clock.monotonicMs() - begunMs) / 1000);
  }

  #show(depth: number): void {
    const nowMs = this.#clock.monotonicMs();
    let sumMs = 0;
    let longestMs = 0;
    for (const begunMs of this.#begun.values()) {
      sumMs += nowMs - begunMs;
      longestMs = Math.max(longestMs, nowMs - begunMs);
    }
    this.#depth.set(depth);
    this.#unfinished.set(sumMs / 1000);
    this.#longest.set(longestMs / 1000);
  }
}

interface QueueShown {
  readonly name: string;
  readonly clock: Clock;
  readonly depth: () => number;
}
