// What the API server counts besides requests: who asks, what is refused, what is watched. Names, labels and buckets are
// kube-apiserver's of the version that this server stands for; docs/metrics.md lists them.
import { type Counter, exponentialBuckets, type Histogram, MetricRegistry } from '../../base/index.ts';
import type { KindDef } from '../../machinery/index.ts';
import type { UserInfo } from '../auth/attributes.ts';
import type { HealthChecks } from './health.ts';
import type { Lane } from './in-flight.ts';
import { RequestMetrics } from './metrics-requests.ts';

/** What the watches of one kind count into. */
export interface WatchSeries {
  readonly events: Counter;
  readonly sizes: Histogram;
  /** Watches that were cut off because their client did not read. */
  readonly cutOff: Counter;
}

/** kube-apiserver's words for the two lanes. */
const requestKinds: Readonly<Record<Lane, string>> = { reads: 'readOnly', writes: 'mutating' };

export class ApiMetrics {
  readonly requests: RequestMetrics;
  readonly #authenticated: Counter;
  readonly #unauthenticated: Counter;
  readonly #certificates: Histogram;
  readonly #allowed: Counter;
  readonly #denied: Counter;
  readonly #dropped: Readonly<Record<Lane, Counter>>;
  readonly #registry: MetricRegistry;
  readonly #ofUser: (name: string) => Counter;
  readonly #byUser = new WeakMap<UserInfo, Counter>();
  readonly #watches = new WeakMap<KindDef, WatchSeries>();

  constructor(registry: MetricRegistry) {
    this.#registry = registry;
    this.requests = new RequestMetrics(registry);
    const attempts = registry.counter({
      name: 'authentication_attempts',
      help: 'Requests by whether it became clear who sends them.',
      labels: ['result'],
    });
    this.#authenticated = attempts.of('success');
    this.#unauthenticated = attempts.of('failure');
    const users = registry.counter({
      name: 'authenticated_user_requests',
      help: 'Requests by user; users without a well-known name share a series.',
      labels: ['username'],
    });
    this.#ofUser = (name) => users.of(usernameLabel(name));
    this.#certificates = registry
      .histogram({
        name: 'apiserver_client_certificate_expiration_seconds',
        help: 'For how long the certificates that came with requests were still good.',
        buckets: [0, 0.5, 1, 2, 6, 12, 24, 48, 96, 168, 720, 2160, 4320, 8640].map((hours) => hours * 3600),
      })
      .of();
    const decisions = registry.counter({
      name: 'authorization_attempts_total',
      help: 'Requests by whether their user may make them.',
      labels: ['result'],
    });
    this.#allowed = decisions.of('allowed');
    this.#denied = decisions.of('denied');
    const dropped = registry.counter({
      name: 'apiserver_dropped_requests_total',
      help: 'Requests that were told to come again because too many were under way.',
      labels: ['request_kind'],
    });
    this.#dropped = { reads: dropped.of(requestKinds.reads), writes: dropped.of(requestKinds.writes) };
  }

  /** undefined = nobody we know. */
  authenticated(user: UserInfo | undefined): void {
    if (user === undefined) {
      this.#unauthenticated.increment();
      return;
    }
    this.#authenticated.increment();
    let requests = this.#byUser.get(user);
    if (requests === undefined) this.#byUser.set(user, (requests = this.#ofUser(user.name)));
    requests.increment();
  }

  /** A client certificate came with a request, and is good for so long; below 0 = no longer. */
  certificateShown(leftMs: number): void {
    this.#certificates.observe(leftMs / 1000);
  }

  authorized(may: boolean): void {
    if (may) this.#allowed.increment();
    else this.#denied.increment();
  }

  dropped(lane: Lane): void {
    this.#dropped[lane].increment();
  }

  watchesOf(kind: KindDef): WatchSeries {
    let series = this.#watches.get(kind);
    if (series === undefined) this.#watches.set(kind, (series = watchSeries(this.#registry, kind)));
    return series;
  }

  /** `peak` is the most requests of a lane at once within the last second. */
  showInFlight(peak: (lane: Lane) => number): void {
    const gauge = this.#registry.gauge({
      name: 'apiserver_current_inflight_requests',
      help: 'Most requests that were worked on at once within the last second.',
      labels: ['request_kind'],
    });
    this.#registry.onRead(() => {
      for (const lane of ['reads', 'writes'] as const) gauge.of(requestKinds[lane]).set(peak(lane));
    });
  }
}

/** Bounded, and no names of people: kube-apiserver's categories. */
function usernameLabel(name: string): string {
  if (wellKnownUsers.has(name)) return name;
  return name.includes('@') ? 'email_id' : 'other';
}

const wellKnownUsers = new Set([
  'admin',
  'client',
  'kube_proxy',
  'kubelet',
  'system:serviceaccount:kube-system:default',
]);

function watchSeries(registry: MetricRegistry, { group, version, plural }: KindDef): WatchSeries {
  const labels = ['group', 'version', 'resource'];
  const of = [group, version, plural] as const;
  return {
    events: registry
      .counter({ name: 'apiserver_watch_events_total', help: 'Events sent to watches.', labels })
      .of(...of),
    sizes: registry
      .histogram({
        name: 'apiserver_watch_events_sizes',
        help: 'Bytes of the events sent to watches.',
        labels,
        buckets: exponentialBuckets(1024, 2, 8),
      })
      .of(...of),
    cutOff: registry
      .counter({
        name: 'apiserver_terminated_watchers_total',
        help: 'Watches that were cut off because their client did not read.',
        labels: ['group', 'resource'],
      })
      .of(group, plural),
  };
}

/** What the health checks say, as metrics: they are asked whenever those are read. */
export class HealthMetrics {
  readonly #checks: HealthChecks;
  readonly #registry = new MetricRegistry();
  readonly #results = this.#registry.gauge({
    name: 'kubernetes_healthcheck',
    help: 'What a health check says now: 1 well, 0 not.',
    labels: ['name', 'type'],
  });
  readonly #totals = this.#registry.counter({
    name: 'kubernetes_healthchecks_total',
    help: 'Health checks that were asked here, by what they said.',
    labels: ['name', 'type', 'status'],
  });

  constructor(checks: HealthChecks) {
    this.#checks = checks;
  }

  async text(): Promise<string> {
    const types = ['healthz', 'livez', 'readyz'] as const;
    const asked = types.flatMap((type) =>
      this.#checks[type].map(async ({ name, check }) => ({
        type,
        name,
        well: (await check()) === undefined,
      })),
    );
    for (const { type, name, well } of await Promise.all(asked)) {
      this.#results.of(name, type).set(well ? 1 : 0);
      this.#totals.of(name, type, well ? 'success' : 'error').increment();
    }
    return this.#registry.text();
  }
}
