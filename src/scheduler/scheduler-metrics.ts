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
  readonly #attempts: Readonly<Record<AttemptResult, Counter>>;
  readonly #attemptDurations: Readonly<Record<AttemptResult, Histogram>>;
  readonly #decisions: Histogram;
  readonly #tries: Histogram;
  readonly #podDurations: MetricFamily<Histogram>;
  readonly #pending: MetricFamily<Gauge>;
  readonly #stopShowing: () => void;

  constructor(registry: MetricRegistry, { profile, queue }: { profile: string; queue: SchedulingQueue }) {
    const buckets = exponentialBuckets(0.001, 2, 15);
    const attempts = registry.counter({
      name: 'scheduler_schedule_attempts_total',
      help: 'Attempts to find a node for a pod, by what came of them.',
      labels: ['result', 'profile'],
    });
    const durations = registry.histogram({
      name: 'scheduler_scheduling_attempt_duration_seconds',
      help: 'Time an attempt took, the binding included.',
      labels: ['result', 'profile'],
      buckets,
    });
    const each = <Series>(family: MetricFamily<Series>): Record<AttemptResult, Series> => ({
      scheduled: family.of('scheduled', profile),
      unschedulable: family.of('unschedulable', profile),
      error: family.of('error', profile),
    });
    this.#attempts = each(attempts);
    this.#attemptDurations = each(durations);
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
      help: 'Pods that wait for a node: to be tried at once, after their back-off, or when something has changed.',
      labels: ['queue'],
    });
    this.#stopShowing = registry.onRead(() => {
      const { active, backoff, asleep } = queue.counts();
      this.#pending.of('active').set(active);
      this.#pending.of('backoff').set(backoff);
      this.#pending.of('unschedulable').set(asleep);
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

  attempted(result: AttemptResult, durationMs: number): void {
    this.#attempts[result].increment();
    this.#attemptDurations[result].observe(durationMs / 1000);
  }

  /** A pod has its node, `waitedMs` after it was first seen. */
  scheduled(attempts: number, waitedMs: number): void {
    this.#tries.observe(attempts);
    const label = attempts >= attemptsShown ? `${attemptsShown}+` : String(attempts);
    this.#podDurations.of(label).observe(waitedMs / 1000);
  }
}
