// Cluster DNS on one node, put together: view, zone, forwarder, sockets.
import { type Clock, type Log, type MetricRegistry, type Random, Scope, sleep } from '../base/index.ts';
import type { Informers } from '../client/index.ts';
import { ClusterZone, parseBlock } from './cluster-zone.ts';
import { DnsMetrics } from './dns-metrics.ts';
import { Forwarder } from './forwarder.ts';
import { InformerView } from './informer-view.ts';
import { Resolver } from './resolver.ts';
import { startDnsServer } from './server.ts';
import { type Exchange, networkExchange, type UpstreamServer } from './upstream.ts';

export interface NodeDnsOptions {
  readonly informers: Informers;
  /** Addresses of this machine; already there. */
  readonly addresses: readonly string[];
  /** 53; 0 = any free one. */
  readonly port: number;
  /** `cluster.local` */
  readonly clusterDomain: string;
  /** Ranges of pods and services, such as 10.244.0.0/16. */
  readonly ranges: readonly string[];
  /** The name servers of the node now. */
  readonly upstreams: () => readonly UpstreamServer[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: MetricRegistry | undefined;
  /** For tests: how other servers are asked. */
  readonly exchange?: Exchange | undefined;
}

export interface NodeDns {
  readonly port: number;
  /** Resolves when names of the cluster are answered. Rejects when the informers end before. */
  readonly synced: Promise<void>;
  stop(): Promise<void>;
}

/** Until then a client that gets no answer asks again anyway; afterwards it shall hear that something is wrong. */
const waitForSyncMs = 5_000;
const upstreamTimeoutMs = 2_000;
const probeAgainMs = 60_000;
const firstProbeMs = 1_000;

/** Answers from the moment it resolves. Rejects when an address cannot be bound. */
export async function startNodeDns(options: NodeDnsOptions): Promise<NodeDns> {
  const { clock, random, log } = options;
  const scope = new Scope(log);
  const startedMs = clock.monotonicMs();
  const view = new InformerView(options.informers);
  const metrics = options.metrics === undefined ? undefined : new DnsMetrics(options.metrics);
  const forwarder = new Forwarder({
    servers: options.upstreams,
    exchange: options.exchange ?? networkExchange({ clock, random, timeoutMs: upstreamTimeoutMs }),
    clock,
    random,
    log,
    signal: scope.signal,
    counts: metrics,
  });
  metrics?.showCache(forwarder.cache);
  const zone = new ClusterZone({
    domain: options.clusterDomain,
    view,
    addresses: options.addresses,
    ranges: options.ranges.map(parseBlock),
  });
  const zoneState = () => {
    if (view.hasSynced) return 'ready';
    return clock.monotonicMs() - startedMs < waitForSyncMs ? 'later' : 'failed';
  };
  const resolver = new Resolver({ zone, forwarder, zoneState });
  try {
    const server = await startDnsServer({
      addresses: options.addresses,
      port: options.port,
      resolver,
      clock,
      log,
      counts: metrics,
    });
    scope.onStop(() => server.close());
    scope.run('DNS loop probe', async (signal) => {
      for (let delayMs = firstProbeMs; ; delayMs = probeAgainMs) {
        await sleep(clock, delayMs, signal);
        await forwarder.probeLoops();
      }
    });
    log.info('names are answered', { addresses: options.addresses.join(), port: server.port });
    const synced = view.synced.then(() => {});
    synced.catch(() => {});
    return { port: server.port, synced, stop: () => scope.stop() };
  } catch (error) {
    await scope.stop();
    throw error;
  }
}
