// All tables of the proxy as they should be: services go in, the text of a transaction comes out. No I/O; everything that is
// remembered between two transactions is here.
import type { EndpointSlice, Service } from '../api/index.ts';
import type { TimedElement } from '../os/index.ts';
import { Claims } from './claims.ts';
import { ContributionBuilder, type Family } from './contribution.ts';
import { planFrame, tableName } from './frame.ts';
import { type DatagramFrontend, type NodeFacts, planService, type ServicePlan } from './plan-service.ts';
import { type FrameLine, RuleTable } from './rule-table.ts';
import { familyOfAddress, frontendKey, frontendsOf, servicePorts } from './service-ports.ts';

/** An address and port that the node itself answers at: no rule is made for it. */
export interface LocalAddress {
  readonly address: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
}

export interface RulesOptions {
  readonly node: NodeFacts;
  readonly localAddresses: readonly LocalAddress[];
  /** Addresses at which node ports answer; undefined = each address of the node. */
  readonly nodePortAddresses: readonly string[] | undefined;
}

/** By name of the set. */
export type RememberedSets = ReadonlyMap<string, readonly TimedElement[]>;

export interface DatagramChange {
  readonly was: DatagramFrontend | undefined;
  readonly is: DatagramFrontend | undefined;
}

export class Rules {
  readonly #tables: readonly RuleTable[];
  readonly #claims = new Claims();
  readonly #plans = new Map<string, ServicePlan>();
  readonly #local: ReadonlySet<string>;
  readonly #localIps: ReadonlySet<string>;
  #node: NodeFacts;
  #nodePortAddresses: readonly string[] | undefined;
  #maskedPodCidrs: readonly string[] = [];
  #serviceCidrs: readonly string[] = [];
  #datagrams: DatagramChange[] = [];

  constructor(options: RulesOptions) {
    this.#node = options.node;
    this.#local = new Set(options.localAddresses.map((local) => frontendKey(local.address, local)));
    this.#localIps = new Set(options.localAddresses.map(({ address }) => address));
    this.#nodePortAddresses = options.nodePortAddresses;
    this.#tables = options.node.families.map(
      (family) => new RuleTable(family, tableName, this.#frame(family)),
    );
    this.#putNodePortAddresses();
  }

  #frame(family: Family): FrameLine[] {
    return planFrame(family, {
      podCidrs: this.#node.podCidrs,
      serviceCidrs: this.#serviceCidrs,
      maskedPodCidrs: this.#maskedPodCidrs,
      everyNodeAddress: this.#nodePortAddresses === undefined,
      dropInvalid: this.#node.dropInvalid,
      protocols: this.#node.protocols,
    });
  }

  #putNodePortAddresses(): void {
    for (const table of this.#tables) {
      const own = new ContributionBuilder();
      for (const address of this.#nodePortAddresses ?? [])
        if (familyOfAddress(address) === table.family) own.element('nodeport-ips', address);
      table.put('', own);
    }
  }

  get families(): readonly Family[] {
    return this.#node.families;
  }

  /** Pods on this node that are masqueraded on the way to each other. Takes effect with the next replacement. */
  setMaskedPodCidrs(cidrs: readonly string[]): void {
    this.#maskedPodCidrs = cidrs;
    this.#setFrames();
  }

  /** Ranges of the addresses of services. Takes effect with the next replacement. */
  setServiceCidrs(cidrs: readonly string[]): void {
    this.#serviceCidrs = cidrs;
    this.#setFrames();
  }

  #setFrames(): void {
    for (const table of this.#tables) table.setFrame(this.#frame(table.family));
  }

  /** Where node ports answer; undefined = everywhere, which cannot be changed to or from. */
  setNodePortAddresses(addresses: readonly string[] | undefined): void {
    this.#nodePortAddresses = addresses;
    this.#putNodePortAddresses();
  }

  /** Where the node is has changed; the services must be put again. */
  setPlace(place: NodeFacts['place']): void {
    this.#node = { ...this.#node, place };
  }

  /**
   * What a service and its slices are now; undefined = it is gone. Returns other services that must be put again, because an address
   * passed to or from them.
   */
  put(key: string, service: Service | undefined, slices: readonly EndpointSlice[]): Set<string> {
    const touched = this.#claims.put(key, service === undefined ? new Map() : claimsOf(service, this.#node));
    const old = this.#plans.get(key);
    const plan =
      service === undefined
        ? undefined
        : planService(
            { service, slices },
            {
              node: this.#node,
              orders: old?.orders ?? new Map(),
              mayHave: (frontend) => this.#claims.owns(key, frontend) && !this.#local.has(frontend),
              isPlain: (address) => !this.#localIps.has(address),
            },
          );
    if (plan === undefined || (plan.wanted.size === 0 && plan.healthCheck === undefined))
      this.#plans.delete(key);
    else this.#plans.set(key, plan);
    for (const table of this.#tables) table.put(key, plan?.wanted.get(table.family));
    for (const [frontend, was] of old?.datagrams ?? [])
      this.#datagrams.push({ was, is: plan?.datagrams.get(frontend) });
    for (const [frontend, is] of plan?.datagrams ?? [])
      if (old?.datagrams.has(frontend) !== true) this.#datagrams.push({ was: undefined, is });
    return touched;
  }

  /** Commands from what the last text left; '' = nothing changed. */
  takeChanges(): string {
    return this.#tables.map((table) => table.takeChanges()).join('');
  }

  /** Commands that make everything anew, whatever there was; `remembered` is by family. */
  takeReplacement(remembered: ReadonlyMap<Family, RememberedSets> = new Map()): string {
    return this.#tables.map((table) => table.takeReplacement(remembered.get(table.family))).join('');
  }

  /** Families whose table has sets that the kernel fills. */
  get remembering(): readonly Family[] {
    return this.#tables.filter((table) => table.remembers).map(({ family }) => family);
  }

  /** Every way in of UDP. */
  datagrams(): DatagramFrontend[] {
    return [...this.#plans.values()].flatMap((plan) => [...plan.datagrams.values()]);
  }

  /** Where UDP goes differently since this was last asked. */
  takeDatagramChanges(): readonly DatagramChange[] {
    const changes = this.#datagrams;
    this.#datagrams = [];
    return changes;
  }

  /** By service: the ports that load balancers ask. */
  healthChecks(): Map<string, { readonly port: number; readonly localEndpoints: number }> {
    const found = new Map<string, { readonly port: number; readonly localEndpoints: number }>();
    for (const [key, { healthCheck }] of this.#plans)
      if (healthCheck !== undefined) found.set(key, healthCheck);
    return found;
  }
}

/** Every address and port of a service; those of the cluster's own range go before what others wrote. */
function claimsOf(service: Service, { families }: NodeFacts): Map<string, number> {
  const claims = new Map<string, number>();
  for (const facts of servicePorts(service))
    for (const family of families)
      for (const { kind, address } of frontendsOf(facts, family))
        claims.set(frontendKey(address, facts), kind === 'cluster' ? 0 : 1);
  return claims;
}
