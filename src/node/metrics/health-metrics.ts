// What the health of a node is, for /metrics/slis, under the names that every part of a Kubernetes has for it.
import { MetricRegistry } from '../../base/index.ts';

export class HealthMetrics {
  readonly #problem: () => string | undefined;
  readonly #registry = new MetricRegistry();
  readonly #result = this.#registry
    .gauge({
      name: 'kubernetes_healthcheck',
      help: 'What a health check says now: 1 well, 0 not.',
      labels: ['name', 'type'],
    })
    .of('syncloop', 'healthz');
  readonly #totals = this.#registry.counter({
    name: 'kubernetes_healthchecks_total',
    help: 'Health checks that were asked here, by what they said.',
    labels: ['name', 'type', 'status'],
  });

  /** `problem` is what /healthz would say; undefined = healthy. */
  constructor(problem: () => string | undefined) {
    this.#problem = problem;
  }

  /** Asks, and tells. */
  text(): string {
    const well = this.#problem() === undefined;
    this.#result.set(well ? 1 : 0);
    this.#totals.of('syncloop', 'healthz', well ? 'success' : 'error').increment();
    return this.#registry.text();
  }
}
