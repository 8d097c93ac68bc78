// What DNS counts, under the names that CoreDNS uses, so that its dashboards show it. Labels take values from small fixed sets only.
import type { Counter, Histogram, MetricRegistry } from '../base/index.ts';
import type { AnswerCache } from './answer-cache.ts';
import type { ForwardCounts } from './forwarder.ts';
import { rcode, type } from './message.ts';
import type { Query } from './query.ts';
import type { ServerCounts } from './server.ts';

const typeNames = new Map<number, string>(Object.entries(type).map(([name, number]) => [number, name]));
const rcodeNames = new Map<number, string>([
  [rcode.noError, 'NOERROR'],
  [rcode.formErr, 'FORMERR'],
  [rcode.servFail, 'SERVFAIL'],
  [rcode.nxDomain, 'NXDOMAIN'],
  [rcode.notImp, 'NOTIMP'],
  [rcode.refused, 'REFUSED'],
  [rcode.badVers, 'BADVERS'],
]);
const seconds = [
  0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 4, 8,
];

export class DnsMetrics implements ServerCounts, ForwardCounts {
  readonly #registry: MetricRegistry;
  readonly #requests = new Map<string, Counter>();
  readonly #responses = new Map<number, Counter>();
  readonly #durations: Histogram;
  readonly #hits: Record<'success' | 'denial', Counter>;
  readonly #misses: Counter;

  constructor(registry: MetricRegistry) {
    this.#registry = registry;
    this.#durations = registry
      .histogram({
        name: 'coredns_dns_request_duration_seconds',
        help: 'Time from a question to its answer.',
        labels: ['server', 'zone'],
        buckets: seconds,
      })
      .of('dns://:53', '.');
    const hits = registry.counter({
      name: 'coredns_cache_hits_total',
      help: 'Answers of other servers that were here already.',
      labels: ['server', 'type'],
    });
    this.#hits = { success: hits.of('dns://:53', 'success'), denial: hits.of('dns://:53', 'denial') };
    this.#misses = registry
      .counter({
        name: 'coredns_cache_misses_total',
        help: 'Questions for other servers whose answers were not here.',
        labels: ['server'],
      })
      .of('dns://:53');
  }

  answered(query: Query, of: { rcode: number; protocol: 'udp' | 'tcp'; seconds: number }): void {
    const name = typeNames.get(query.type) ?? 'other';
    const key = of.protocol + name;
    let requests = this.#requests.get(key);
    if (requests === undefined) {
      requests = this.#registry
        .counter({
          name: 'coredns_dns_requests_total',
          help: 'Questions.',
          labels: ['server', 'zone', 'proto', 'type'],
        })
        .of('dns://:53', '.', of.protocol, name);
      this.#requests.set(key, requests);
    }
    requests.increment();
    let responses = this.#responses.get(of.rcode);
    if (responses === undefined) {
      responses = this.#registry
        .counter({
          name: 'coredns_dns_responses_total',
          help: 'Answers.',
          labels: ['server', 'zone', 'rcode'],
        })
        .of('dns://:53', '.', rcodeNames.get(of.rcode) ?? 'other');
      this.#responses.set(of.rcode, responses);
    }
    responses.increment();
    this.#durations.observe(of.seconds);
  }

  cacheHit(kind: 'success' | 'denial'): void {
    this.#hits[kind].increment();
  }

  cacheMiss(): void {
    this.#misses.increment();
  }

  /** `to`: one of the few servers in the node's resolv.conf. */
  exchange(to: string, took: number, failed: boolean): void {
    this.#registry
      .histogram({
        name: 'coredns_proxy_request_duration_seconds',
        help: 'Time other servers took to answer.',
        labels: ['to', 'rcode'],
        buckets: seconds,
      })
      .of(to, failed ? 'SERVFAIL' : 'NOERROR')
      .observe(took);
  }

  showCache(cache: AnswerCache): void {
    const entries = this.#registry
      .gauge({
        name: 'coredns_cache_entries',
        help: 'Answers of other servers kept now.',
        labels: ['server'],
      })
      .of('dns://:53');
    this.#registry.onRead(() => entries.set(cache.size));
  }
}
