// Network policies of `jotasu agent`, wired to this machine.
import type { Clock, Log, Random } from '../base/index.ts';
import { type Client, createInformers, type Informers } from '../client/index.ts';
import { systemExec } from '../os/index.ts';
import { ensureBridgeSeen, type NodePolicies, startNodePolicies, trimForPolicies } from '../proxy/index.ts';
import { type DnsConfig, ownDnsAddresses } from './node-dns.ts';

export interface PoliciesConfig extends DnsConfig {
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
}

export interface PoliciesSurroundings {
  readonly client: Client;
  /** Shared by all parts of the node. */
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export function startPolicies(config: PoliciesConfig, around: PoliciesSurroundings): NodePolicies {
  const { client, informers, clock, random, log } = around;
  return startNodePolicies({
    informers,
    // Of their own: no other part of a node holds pods of other nodes.
    followPods: (scope) => createInformers(client, { scope, log, clock, random, trim: trimForPolicies }),
    nodeName: config.nodeName,
    nodeIps: config.nodeIps,
    dnsAddresses: ownDnsAddresses(config),
    ensureBridgeSeen: (families) => ensureBridgeSeen(systemExec, families),
    exec: systemExec,
    clock,
    log,
  });
}
