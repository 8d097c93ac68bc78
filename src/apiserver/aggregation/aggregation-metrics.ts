// What is counted of API services, under kube-aggregator's names.
import type { Counter, MetricFamily, MetricRegistry } from '../../base/index.ts';
import type { Availability } from './availability.ts';
import type { RemoteApis } from './remote-apis.ts';

export class AggregationMetrics {
  readonly #losses: MetricFamily<Counter>;

  constructor(registry: MetricRegistry, remotes: RemoteApis) {
    this.#losses = registry.counter({
      name: 'aggregator_unavailable_apiservice_total',
      help: 'Times that an API service was found to be away, by reason.',
      labels: ['name', 'reason'],
    });
    const away = registry.gauge({
      name: 'aggregator_unavailable_apiservice',
      help: 'Whether an API service is away.',
      labels: ['name'],
    });
    registry.onRead(() => {
      away.clear();
      for (const name of remotes.names) away.of(name).set(0);
      for (const { name, available } of remotes.all) if (!available) away.of(name).set(1);
    });
  }

  /** A condition was written. */
  turned(name: string, before: string | undefined, { status, reason }: Availability): void {
    if (before === 'True' && status !== 'True') this.#losses.of(name, reason).increment();
  }
}
