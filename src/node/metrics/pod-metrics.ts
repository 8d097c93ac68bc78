// What becomes of the pods of a node, under the kubelet's names: how long they take to start, what is tried for them, what fails.
import type { Counter, Histogram, MetricFamily, MetricRegistry } from '../../base/index.ts';
import { defaultBuckets } from './default-buckets.ts';

/** What a worker of a pod did in one step. */
export type PodStep = 'create' | 'sync' | 'kill';

const containerTypes = {
  init: 'init_container',
  app: 'container',
  ephemeral: 'ephemeral_container',
} as const;

/** The kubelet's, for anything that a whole pod waits for. */
const startBuckets = [
  0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700,
  3600,
];

export class PodMetrics {
  readonly #steps: MetricFamily<Histogram>;
  readonly #firstSteps: Histogram;
  readonly #starts: Histogram;
  readonly #sandboxes: Counter;
  readonly #failedSandboxes: Counter;
  readonly #sandboxTimes: MetricFamily<Histogram>;
  readonly #sandboxErrors: MetricFamily<Counter>;
  readonly #containers: MetricFamily<Counter>;
  readonly #failedContainers: MetricFamily<Counter>;

  constructor(registry: MetricRegistry) {
    const counter = (name: string, help: string, labels: readonly string[] = []) =>
      registry.counter({ name: `kubelet_${name}`, help, labels });
    const histogram = (
      name: string,
      help: string,
      {
        labels = [],
        buckets = defaultBuckets,
      }: { labels?: readonly string[]; buckets?: readonly number[] } = {},
    ) => registry.histogram({ name: `kubelet_${name}`, help, labels, buckets });
    this.#steps = histogram(
      'pod_worker_duration_seconds',
      'How long one step of a pod took, by what it did.',
      {
        labels: ['operation_type'],
      },
    );
    this.#firstSteps = histogram(
      'pod_worker_start_duration_seconds',
      'From when a pod was first seen to its first step.',
    ).of();
    this.#starts = histogram('pod_start_duration_seconds', 'From when a pod was first seen until it ran.', {
      buckets: startBuckets,
    }).of();
    this.#sandboxes = counter('started_pods_total', 'Sandboxes that were to be made.').of();
    this.#failedSandboxes = counter('started_pods_errors_total', 'Sandboxes that could not be made.').of();
    this.#sandboxTimes = histogram(
      'run_podsandbox_duration_seconds',
      'How long the runtime took to make a sandbox.',
      {
        labels: ['runtime_handler'],
      },
    );
    this.#sandboxErrors = counter(
      'run_podsandbox_errors_total',
      'Sandboxes that the runtime could not make.',
      ['runtime_handler'],
    );
    this.#containers = counter('started_containers_total', 'Containers that were to be started.', [
      'container_type',
    ]);
    this.#failedContainers = counter(
      'started_containers_errors_total',
      'Containers that could not be started, by the reason for which they wait.',
      ['container_type', 'code'],
    );
  }

  /** A worker has made a step. */
  stepped(step: PodStep, seconds: number): void {
    this.#steps.of(step).observe(seconds);
  }

  /** The first step of a pod begins, `seconds` after it was seen. */
  firstStep(seconds: number): void {
    this.#firstSteps.observe(seconds);
  }

  /** A pod runs, `seconds` after it was first seen. */
  started(seconds: number): void {
    this.#starts.observe(seconds);
  }

  sandboxTried(outcome: 'made' | 'failed'): void {
    this.#sandboxes.increment();
    if (outcome === 'failed') this.#failedSandboxes.increment();
  }

  /** Of a call of the runtime; its handler is '' when it chose itself. */
  sandboxRun(handler: string, outcome: { readonly seconds: number; readonly ok: boolean }): void {
    this.#sandboxTimes.of(handler).observe(outcome.seconds);
    if (!outcome.ok) this.#sandboxErrors.of(handler).increment();
  }

  containerTried(kind: keyof typeof containerTypes): void {
    this.#containers.of(containerTypes[kind]).increment();
  }

  /** `reason` is one of the few for which containers wait. */
  containerFailed(kind: keyof typeof containerTypes, reason: string): void {
    this.#failedContainers.of(containerTypes[kind], reason).increment();
  }
}
