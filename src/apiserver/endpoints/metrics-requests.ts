// The metrics of requests, named, labelled and bucketed as kube-apiserver's. HOT (bench/api.ts): the series of a request are found by
// its kind, subresource, verb and scope without a string being built; counting them is a few additions.
import type { Counter, Gauge, Histogram, MetricRegistry } from '../../base/index.ts';
import type { KindDef, Verb } from '../../machinery/index.ts';
import { findSubresource } from '../subresources/all.ts';
import { findConnection } from './connections.ts';
import type { Query } from './query.ts';
import { patchTypeOf } from './request-body.ts';
import type { ResourceRoute } from './route.ts';

/** kube-apiserver's, so that its recording rules and alerts hold. */
export const durationBuckets = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];

const sizeBuckets = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

const verbs = ['GET', 'LIST', 'WATCH', 'POST', 'PUT', 'PATCH', 'APPLY', 'DELETE', 'CONNECT'] as const;
const scopes = ['cluster', 'namespace', 'resource'] as const;
const dryRuns = ['', 'All', 'invalid'] as const;

/** The verb of a metric is the HTTP method, with reads, watches, applies and connections told apart. */
const verbIndex: Readonly<Record<Verb, number>> = {
  get: verbs.indexOf('GET'),
  list: verbs.indexOf('LIST'),
  watch: verbs.indexOf('WATCH'),
  create: verbs.indexOf('POST'),
  update: verbs.indexOf('PUT'),
  patch: verbs.indexOf('PATCH'),
  delete: verbs.indexOf('DELETE'),
  deletecollection: verbs.indexOf('DELETE'),
};

const labels = ['verb', 'group', 'version', 'resource', 'subresource', 'scope', 'component'] as const;
const withDryRun = ['verb', 'dry_run', ...labels.slice(1)];

type LabelSet = Readonly<Record<(typeof labels)[number], string>>;

/** What requests of one kind, verb and scope count into. */
export class RequestSeries {
  readonly #metrics: RequestMetrics;
  readonly #labels: LabelSet;
  readonly #dryRun: string;
  readonly #byCode = new Map<number, Counter>();
  #duration: Histogram | null = null;
  #sli: Histogram | null = null;
  #sizes: Histogram | null = null;
  #running: Gauge | null = null;

  constructor(metrics: RequestMetrics, at: LabelSet, dryRun: string) {
    this.#metrics = metrics;
    this.#labels = at;
    this.#dryRun = dryRun;
  }

  /** An answer has gone out. */
  finished(code: number, durationMs: number): void {
    const { families } = this.#metrics;
    let count = this.#byCode.get(code);
    if (count === undefined) {
      count = families.requests.of(...this.#withDryRun(), String(code));
      this.#byCode.set(code, count);
      this.#duration ??= families.durations.of(...this.#withDryRun());
      this.#sli ??= families.sli.of(...this.#values());
    }
    count.increment();
    const seconds = durationMs / 1000;
    this.#duration!.observe(seconds);
    this.#sli!.observe(seconds);
  }

  /** The body of a successful answer had so many bytes. Only what is read is weighed, as in kube-apiserver. */
  sent(bytes: number): void {
    const { verb } = this.#labels;
    if (verb !== 'GET' && verb !== 'LIST') return;
    this.#sizes ??= this.#metrics.families.sizes.of(...this.#values());
    this.#sizes.observe(bytes);
  }

  /** A watch or stream has begun (1) or ended (-1). */
  running(change: 1 | -1): void {
    this.#running ??= this.#metrics.families.running.of(...this.#values());
    this.#running.add(change);
  }

  /** The server refused the request to protect itself. */
  terminated(code: number): void {
    this.#metrics.families.terminations.of(...this.#values(), String(code)).increment();
  }

  #values(): string[] {
    return labels.map((label) => this.#labels[label]);
  }

  #withDryRun(): string[] {
    const [verb = '', ...rest] = this.#values();
    return [verb, this.#dryRun, ...rest];
  }
}

export class RequestMetrics {
  readonly families: ReturnType<typeof familiesOf>;
  /** Forgotten with the kind: custom resources come and go. */
  readonly #ofKind = new WeakMap<KindDef, Map<string, (RequestSeries | undefined)[]>>();
  readonly #ofPath = new Map<string, RequestSeries>();

  constructor(registry: MetricRegistry) {
    this.families = familiesOf(registry);
  }

  /** The series of a request for a known kind. undefined = it has no such subresource, so nothing is counted. */
  ofResource(kind: KindDef, route: ResourceRoute, asked: AskedFor): RequestSeries | undefined {
    let ofKind = this.#ofKind.get(kind);
    if (ofKind === undefined) this.#ofKind.set(kind, (ofKind = new Map()));
    const { subresource } = route;
    let slots = ofKind.get(subresource);
    if (slots === undefined) {
      if (!isServed(kind, subresource)) return undefined;
      ofKind.set(subresource, (slots = []));
    }
    const { verb } = asked;
    const scope = route.name !== '' || verb === 'create' ? 2 : route.namespace !== undefined ? 1 : 0;
    const dryRun = verb === 'get' || verb === 'list' || verb === 'watch' ? 0 : dryRunOf(asked.query);
    let index = verbIndex[verb];
    if (verb === 'patch' && patchTypeOf(asked.contentType) === 'apply') index = verbs.indexOf('APPLY');
    else if (subresource !== '' && findConnection(kind, subresource) !== undefined)
      index = verbs.indexOf('CONNECT');
    const slot = (index * scopes.length + scope) * dryRuns.length + dryRun;
    return (slots[slot] ??= new RequestSeries(
      this,
      {
        verb: verbs[index]!,
        group: kind.group,
        version: kind.version,
        resource: kind.plural,
        subresource,
        scope: scopes[scope]!,
        component: 'apiserver',
      },
      dryRuns[dryRun]!,
    ));
  }

  /** The series of reads of a path that is no resource, e.g. `/readyz`. The caller knows that it is served. */
  ofPath(path: string): RequestSeries {
    let series = this.#ofPath.get(path);
    if (series === undefined) {
      const none = { group: '', version: '', resource: '', scope: '', component: '' };
      this.#ofPath.set(
        path,
        (series = new RequestSeries(this, { ...none, verb: 'GET', subresource: path }, '')),
      );
    }
    return series;
  }
}

interface AskedFor {
  readonly verb: Verb;
  readonly query: Query;
  readonly contentType: string | undefined;
}

const isServed = (kind: KindDef, subresource: string): boolean =>
  subresource === '' ||
  findSubresource(kind, subresource) !== undefined ||
  findConnection(kind, subresource) !== undefined;

/** An index into `dryRuns`. */
function dryRunOf(query: Query): number {
  const asked = query.getAll('dryRun');
  if (asked.length === 0) return 0;
  return asked.every((value) => value === 'All') ? 1 : 2;
}

function familiesOf(registry: MetricRegistry) {
  return {
    requests: registry.counter({
      name: 'apiserver_request_total',
      help: 'Requests that were authorised and answered, by what they asked for and the HTTP code of the answer.',
      labels: [...withDryRun, 'code'],
    }),
    durations: registry.histogram({
      name: 'apiserver_request_duration_seconds',
      help: 'Time from the arrival of a request to the end of its answer. Of a watch: how long it lasted.',
      labels: withDryRun,
      buckets: durationBuckets,
    }),
    sli: registry.histogram({
      name: 'apiserver_request_sli_duration_seconds',
      help: 'As apiserver_request_duration_seconds, without the time spent in webhooks and in waiting for room.',
      labels,
      buckets: durationBuckets.slice(2),
    }),
    sizes: registry.histogram({
      name: 'apiserver_response_sizes',
      help: 'Bytes of the bodies that answer gets and lists, as sent: compressed where they are.',
      labels,
      buckets: sizeBuckets,
    }),
    running: registry.gauge({
      name: 'apiserver_longrunning_requests',
      help: 'Watches and streams that are open now.',
      labels,
    }),
    terminations: registry.counter({
      name: 'apiserver_request_terminations_total',
      help: 'Requests that were refused so that the server could answer the others.',
      labels: [...labels, 'code'],
    }),
  };
}
