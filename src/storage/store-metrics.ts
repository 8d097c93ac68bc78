// What the store counts. Writes go by etcd's name, whichever backend takes them: dashboards know no other. HOT: series are kept by kind.
import type { Clock, Counter, Histogram, MetricRegistry } from '../base/index.ts';

export type WriteOperation = 'create' | 'update' | 'delete';

/** kube-apiserver's. */
const buckets = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];
const labels = ['operation', 'group', 'resource'];

interface OfOperation {
  readonly requests: Counter;
  readonly durations: Histogram;
  readonly errors: Counter;
}

/** The counts of one kind. */
class OfKind {
  readonly changes: Counter;
  readonly operations: Record<WriteOperation, OfOperation | null> = {
    create: null,
    update: null,
    delete: null,
  };

  constructor(changes: Counter) {
    this.changes = changes;
  }
}

export class StoreMetrics {
  readonly #clock: Clock;
  readonly #families: ReturnType<typeof familiesOf>;
  readonly #kinds = new Map<string, OfKind>();

  constructor(registry: MetricRegistry, clock: Clock) {
    this.#clock = clock;
    this.#families = familiesOf(registry);
    const { dispatched } = this.#families;
    // A change is handed to all watches as soon as it is received: one count shown under both names.
    registry.onRead(() => {
      for (const [prefix, { changes }] of this.#kinds)
        dispatched.of(...groupAndResource(prefix)).total = changes.total;
    });
  }

  /** A change of this kind has come from the backend. */
  received(kindPrefix: string): void {
    this.#of(kindPrefix).changes.increment();
  }

  /** Passes on what `write` gives, and notes how long it took and whether it failed. A lost compare is no failure. */
  async write<T>(kindPrefix: string, operation: WriteOperation, write: () => Promise<T>): Promise<T> {
    const kind = this.#of(kindPrefix);
    const series = (kind.operations[operation] ??= this.#ofOperation(kindPrefix, operation));
    const beganMs = this.#clock.monotonicMs();
    try {
      return await write();
    } catch (error) {
      series.errors.increment();
      throw error;
    } finally {
      series.requests.increment();
      series.durations.observe((this.#clock.monotonicMs() - beganMs) / 1000);
    }
  }

  #of(kindPrefix: string): OfKind {
    let kind = this.#kinds.get(kindPrefix);
    if (kind === undefined)
      this.#kinds.set(
        kindPrefix,
        (kind = new OfKind(this.#families.received.of(...groupAndResource(kindPrefix)))),
      );
    return kind;
  }

  #ofOperation(kindPrefix: string, operation: WriteOperation): OfOperation {
    const of = [operation, ...groupAndResource(kindPrefix)];
    const { requests, durations, errors } = this.#families;
    return { requests: requests.of(...of), durations: durations.of(...of), errors: errors.of(...of) };
  }
}

/** `/apps/deployments/` is of the group apps; the core group has the empty name. */
function groupAndResource(kindPrefix: string): [group: string, resource: string] {
  const [, group = '', resource = ''] = kindPrefix.split('/');
  return [group === 'core' ? '' : group, resource];
}

function familiesOf(registry: MetricRegistry) {
  const ofKind = ['group', 'resource'];
  return {
    requests: registry.counter({
      name: 'etcd_requests_total',
      help: 'Writes given to the storage backend, etcd or another.',
      labels,
    }),
    durations: registry.histogram({
      name: 'etcd_request_duration_seconds',
      help: 'Time until the storage backend, etcd or another, had made a write durable.',
      labels,
      buckets,
    }),
    errors: registry.counter({
      name: 'etcd_request_errors_total',
      help: 'Writes that the storage backend, etcd or another, could not take. A lost compare is none.',
      labels,
    }),
    received: registry.counter({
      name: 'apiserver_watch_cache_events_received_total',
      help: 'Changes that came from the storage backend.',
      labels: ofKind,
    }),
    dispatched: registry.counter({
      name: 'apiserver_watch_cache_events_dispatched_total',
      help: 'Changes that were handed to whoever watches.',
      labels: ofKind,
    }),
  };
}
