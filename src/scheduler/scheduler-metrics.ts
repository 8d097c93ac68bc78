// What the scheduler counts, under kube-scheduler's names: attempts, how long they and the pods took, and the pods that wait.
import {
  type Counter,
  exponentialBuckets,
  type Gauge,
  type Histogram,
  type MetricFamily,
  type MetricRegistry,
} from '../base/index.ts';
import type { SchedulingQueue } from './queue.ts';

/** error = the decision could not be written; the pod is tried again. */
export type AttemptResult = 'scheduled' | 'unschedulable' | 'error';

/** More attempts than this share a series. */
const attemptsShown = 15;

export class SchedulerMetrics {
  readonly #attempts: MetricFamily<Counter>;
  readonly #attemptDurations: MetricFamily<Histogram>;
  /** Series that were found already, by profile and result. */
  readonly #series = new Map<string, { readonly count: Counter; readonly duration: Histogram }>();
  readonly #preemptions: Counter;
  readonly #victims: Histogram;
  readonly #decisions: Histogram;
  readonly #tries: Histogram;
  readonly #podDurations: MetricFamily<Histogram>;
  readonly #pending: MetricFamily<Gauge>;
  readonly #stopShowing: () => void;

  constructor(registry: MetricRegistry, queue: SchedulingQueue) {
    const buckets = exponentialBuckets(0.001, 2, 15);
    this.#attempts = registry.counter({
      name: 'scheduler_schedule_attempts_total',
      help: 'Attempts to find a node for a pod, by what came of them.',
      labels: ['result', 'profile'],
    });
    this.#attemptDurations = registry.histogram({
      name: 'scheduler_scheduling_attempt_duration_seconds',
      help: 'Time an attempt took, the binding included.',
      labels: ['result', 'profile'],
      buckets,
    });
    this.#preemptions = registry
      .counter({
        name: 'scheduler_preemption_attempts_total',
        help: 'How often room was made for a pod by evicting others.',
      })
      .of();
    this.#victims = registry
      .histogram({
        name: 'scheduler_preemption_victims',
        help: 'How many pods were evicted at once to make room for one.',
        buckets: exponentialBuckets(1, 2, 7),
      })
      .of();
    this.#decisions = registry
      .histogram({
        name: 'scheduler_scheduling_algorithm_duration_seconds',
        help: 'Time until it was decided whether and where a pod can run.',
        buckets,
      })
      .of();
    this.#tries = registry
      .histogram({
        name: 'scheduler_pod_scheduling_attempts',
        help: 'How many attempts a pod took until it had a node.',
        buckets: exponentialBuckets(1, 2, 5),
      })
      .of();
    this.#podDurations = registry.histogram({
      name: 'scheduler_pod_scheduling_sli_duration_seconds',
      help: 'Time from when the scheduler first saw a pod until it had a node.',
      labels: ['attempts'],
      buckets: exponentialBuckets(0.01, 2, 20),
    });
    this.#pending = registry.gauge({
      name: 'scheduler_pending_pods',
      help: 'Pods that wait for a node: to be tried at once, after their back-off, when something has changed, or without gates.',
      labels: ['queue'],
    });
    this.#stopShowing = registry.onRead(() => {
      const { active, backoff, asleep, gated } = queue.counts();
      this.#pending.of('active').set(active);
      this.#pending.of('backoff').set(backoff);
      this.#pending.of('unschedulable').set(asleep);
      this.#pending.of('gated').set(gated);
    });
  }

  /** Nothing waits for this scheduler any more. */
  end(): void {
    this.#stopShowing();
    this.#pending.clear();
  }

  decided(durationMs: number): void {
    this.#decisions.observe(durationMs / 1000);
  }

  attempted(profile: string, result: AttemptResult, durationMs: number): void {
    const key = `${result} ${profile}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      series = {
        count: this.#attempts.of(result, profile),
        duration: this.#attemptDurations.of(result, profile),
      };
      this.#series.set(key, series);
    }
    series.count.increment();
    series.duration.observe(durationMs / 1000);
  }

  preempted(victims: number): void {
    this.#preemptions.increment();
    this.#victims.observe(victims);
  }

  /** A pod has its node, `waitedMs` after it was first seen. */
  scheduled(attempts: number, waitedMs: number): void {
    this.#tries.observe(attempts);
    const label = attempts >= attemptsShown ? `${attemptsShown}+` : String(attempts);
    this.#podDurations.of(label).observe(waitedMs / 1000);
  }
}
