// Cluster DNS of `jotasu agent`, wired to this machine.
import { type Clock, type Log, MetricRegistry, type Random, Scope, sleep } from '../base/index.ts';
import type { Informers } from '../client/index.ts';
import {
  ensureAddresses,
  ensureSilence,
  serveDnsMetrics,
  serversOfFile,
  startNodeDns,
} from '../dns/index.ts';
import { systemExec } from '../os/index.ts';

const dnsPort = 53;
/** As CoreDNS'. */
const metricsPort = 9153;
const tryAgainMs = 5_000;

export interface DnsConfig {
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  readonly clusterCidr: string;
  readonly without: readonly ('dns' | 'ingress')[];
}

/** The addresses at which this node answers itself; none when somebody else does. */
export const ownDnsAddresses = ({ clusterDns, without }: Pick<DnsConfig, 'clusterDns' | 'without'>) =>
  without.includes('dns') ? [] : clusterDns;

/**
 * Resolves when names are answered, or when it failed for the first time: a node without DNS is of more use than none. Then it is tried
 * again until it is stopped.
 */
export async function startDns(
  config: DnsConfig,
  { informers, clock, random, log }: { informers: Informers; clock: Clock; random: Random; log: Log },
): Promise<{ stop(): Promise<void> }> {
  const addresses = ownDnsAddresses(config);
  const scope = new Scope(log);
  if (addresses.length === 0) return scope;
  const metrics = new MetricRegistry();
  const attempt = async (): Promise<boolean> => {
    try {
      await ensureAddresses(systemExec, addresses);
      const dns = await startNodeDns({
        informers,
        addresses,
        port: dnsPort,
        clusterDomain: config.clusterDomain,
        ranges: config.clusterCidr.split(','),
        upstreams: serversOfFile('/etc/resolv.conf', { own: addresses, clock }),
        clock,
        random,
        log,
        metrics,
      });
      scope.onStop(() => dns.stop());
      return true;
    } catch (error) {
      log.error('names of the cluster are not answered here, trying again', {
        addresses: addresses.join(),
        error,
      });
      return false;
    }
  };
  if (!(await attempt()))
    scope.run('DNS', async (signal) => {
      do await sleep(clock, tryAgainMs, signal);
      while (!(await attempt()));
    });
  scope.run('DNS silence', () => ensureSilence(systemExec, addresses));
  const served = serveDnsMetrics({ registry: metrics, port: metricsPort, log });
  scope.onStop(() => served.stop());
  return scope;
}
