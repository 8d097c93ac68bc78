// The service proxy of `jotasu agent`, and what announces addresses of load balancers, wired to this machine.
import { networkInterfaces } from 'node:os';
import type { Clock, Log } from '../base/index.ts';
import type { Informers } from '../client/index.ts';
import { systemExec } from '../os/index.ts';
import {
  ensureBridgeSeen,
  prepareConntrack,
  prepareStandIn,
  probeProtocols,
  type ServiceProxy,
  startLinkAnnouncer,
  startServiceProxy,
  systemConntrackSettings,
} from '../proxy/index.ts';
import { type DnsConfig, ownDnsAddresses } from './node-dns.ts';

/** As kube-proxy's. */
const proxyHealthPort = 10256;
const proxyMetricsPort = 10249;

export interface ProxyConfig extends DnsConfig {
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
  readonly nodeportAddresses: readonly string[] | undefined;
}

export function startProxy(
  config: ProxyConfig,
  { informers, clock, log }: { informers: Informers; clock: Clock; log: Log },
): ServiceProxy {
  const { nodeName, nodeIps, clusterCidr, nodeportAddresses } = config;
  return startServiceProxy({
    informers,
    nodeName,
    nodeIps,
    podCidrs: clusterCidr.split(','),
    nodePortAddresses: nodeportAddresses,
    // Answered by the node itself.
    localAddresses: ownDnsAddresses(config).flatMap((address) => [
      { address, port: 53, protocol: 'udp' },
      { address, port: 53, protocol: 'tcp' },
    ]),
    presentAddresses: () =>
      Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address)),
    kernel: {
      probeProtocols: (family) => probeProtocols(systemExec, family, log),
      ensureBridgeSeen: (families) => ensureBridgeSeen(systemExec, families),
      prepareConntrack: () => prepareConntrack(systemConntrackSettings, log),
    },
    healthPort: proxyHealthPort,
    metricsPort: proxyMetricsPort,
    exec: systemExec,
    clock,
    log,
  });
}

/** Addresses of load balancers from a pool, on the links of this machine. */
export const startAnnouncer = (
  { nodeName }: Pick<ProxyConfig, 'nodeName'>,
  around: { informers: Informers; clock: Clock; log: Log },
): { stop(): Promise<void> } =>
  startLinkAnnouncer({ ...around, nodeName, kernel: { prepareLink: prepareStandIn }, exec: systemExec });
