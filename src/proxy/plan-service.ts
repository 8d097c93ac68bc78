// What one service wants in the tables: pure, from the Service, its slices and this node. Where nothing special is asked for, that is
// elements of maps alone: the chain that spreads connections is shared by all services with as many endpoints. Chains of their own have
// the services with session affinity, with source ranges, and with external traffic kept to this node (docs/design/0014).
import type { EndpointSlice, Service } from '../api/index.ts';
import { type Contribution, ContributionBuilder, type Family } from './contribution.ts';
import { chooseEndpoints, gatherEndpoints, type NodePlace, type ProxyEndpoint } from './endpoints.ts';
import {
  addressType,
  endpointsMap,
  externalSpreadChain,
  externalSpreadRules,
  markRule,
  nodePortEndpointsMap,
  nodePortSpreadChain,
  nodePortSpreadRules,
  type Protocol,
  spreadChain,
  spreadRules,
} from './frame.ts';
import { isInRange } from './node-port-addresses.ts';
import {
  familyOfAddress,
  frontendKey,
  frontendsOf,
  portKey,
  type ServicePortFacts,
  servicePorts,
} from './service-ports.ts';

export interface NodeFacts {
  readonly place: NodePlace;
  readonly nodeIps: readonly string[];
  readonly podCidrs: readonly string[];
  readonly families: readonly Family[];
  /** What the kernel has. */
  readonly protocols: readonly Protocol[];
  /** Whether it passes on what belongs to no connection it can follow. */
  readonly dropInvalid: boolean;
}

export interface ServiceInput {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
}

export interface ServicePlan {
  /** By family. */
  readonly wanted: ReadonlyMap<Family, Contribution>;
  /** The order of endpoints, by list: given to the next plan, so that one that goes moves one other and not all. */
  readonly orders: ReadonlyMap<string, readonly string[]>;
  /** Where UDP comes in, and to which addresses it may have been sent. */
  readonly datagrams: ReadonlyMap<string, DatagramFrontend>;
  /** Asked for with externalTrafficPolicy Local: where load balancers ask whether this node serves. */
  readonly healthCheck: { readonly port: number; readonly localEndpoints: number } | undefined;
}

export interface DatagramFrontend {
  readonly family: Family;
  /** '' = each address of the node */
  readonly address: string;
  readonly port: number;
  /** `10.244.1.5 . 53` */
  readonly endpoints: ReadonlySet<string>;
}

export interface PlanContext {
  readonly node: NodeFacts;
  /** Of the same service's last plan. */
  readonly orders: ReadonlyMap<string, readonly string[]>;
  /** False when the address and port are another service's, or the node's own: `10.96.0.10 . udp . 53`. */
  readonly mayHave: (frontend: string) => boolean;
  /** False for an address of which the node itself serves ports: nothing is refused there. */
  readonly isPlain: (address: string) => boolean;
}

export function planService({ service, slices }: ServiceInput, context: PlanContext): ServicePlan {
  const { node } = context;
  const wanted = new Map<Family, ContributionBuilder>();
  const orders = new Map<string, readonly string[]>();
  const datagrams = new Map<string, DatagramFrontend>();
  const ports = servicePorts(service).filter(({ protocol }) => node.protocols.includes(protocol));
  const localAddresses = new Set<string>();
  for (const family of node.families) {
    const builder = new ContributionBuilder();
    for (const facts of ports) {
      // A service that has no address of a family has nothing in it, whatever else is written into it.
      if (!facts.clusterIps.some((ip) => familyOfAddress(ip) === family)) continue;
      const endpoints = gatherEndpoints(
        slices,
        { name: facts.portName, protocol: facts.protocol },
        { family, place: node.place },
      );
      for (const { local, ready, address } of endpoints) if (local && ready) localAddresses.add(address);
      new PortPlanner({ family, facts, endpoints, builder, orders, datagrams, context }).plan();
    }
    if (builder.elements.size > 0 || builder.chains.size > 0) wanted.set(family, builder);
  }
  const checkPort = service.spec.healthCheckNodePort ?? 0;
  return {
    wanted,
    orders,
    datagrams,
    healthCheck:
      checkPort !== 0 && ports.some(({ externalLocal }) => externalLocal)
        ? { port: checkPort, localEndpoints: localAddresses.size }
        : undefined,
  };
}

interface PortInput {
  readonly family: Family;
  readonly facts: ServicePortFacts;
  readonly endpoints: readonly ProxyEndpoint[];
  readonly builder: ContributionBuilder;
  readonly orders: Map<string, readonly string[]>;
  readonly datagrams: Map<string, DatagramFrontend>;
  readonly context: PlanContext;
}

type Policy = 'cluster' | 'local';

/** One port of a service in one family. */
class PortPlanner {
  readonly #input: PortInput;
  readonly #name: string;
  /** `10.244.1.5 . 80`, in the order in which they are numbered. */
  readonly #lists: Readonly<Record<Policy, readonly string[]>>;
  readonly #any: boolean;

  constructor(input: PortInput) {
    this.#input = input;
    const { facts, family, orders, context } = input;
    this.#name = portKey(facts);
    const isOpen = facts.nodePort !== 0 || facts.externalIps.length > 0 || facts.balancerIps.length > 0;
    const chosen = chooseEndpoints(
      input.endpoints,
      { cluster: !facts.internalLocal || isOpen, local: facts.internalLocal || facts.externalLocal },
      context.node.place,
    );
    const order = (policy: Policy): readonly string[] => {
      const key = `${family} ${this.#name} ${policy}`;
      const list = keepOrder(
        context.orders.get(key) ?? [],
        chosen[policy].map(({ address, port }) => `${address} . ${port}`),
      );
      if (list.length > 0) orders.set(key, list);
      return list;
    };
    this.#lists = { cluster: order('cluster'), local: order('local') };
    this.#any = chosen.any;
  }

  plan(): void {
    const { facts, family, builder, endpoints, context } = this.#input;
    const internal: Policy = facts.internalLocal ? 'local' : 'cluster';
    for (const { kind, address } of frontendsOf(facts, family)) {
      const key = frontendKey(address, facts);
      if (kind === 'cluster' && context.isPlain(address)) builder.element('cluster-ips', address);
      if (!context.mayHave(key)) continue;
      if (kind === 'cluster') this.#planInternal(address, internal);
      else this.#planExternal(address);
      if (kind === 'balancer' && facts.sourceRanges.length > 0) this.#planFirewall(key);
    }
    if (facts.nodePort !== 0) this.#planNodePort();
    for (const { local, address, ready, serving } of endpoints)
      if (local && (ready || serving) && !context.node.nodeIps.includes(address))
        builder.element('hairpins', `${address} . ${address}`);
  }

  #planInternal(address: string, policy: Policy): void {
    const { facts, builder, family } = this.#input;
    const key = frontendKey(address, facts);
    const list = this.#lists[policy];
    this.#noteDatagrams(address, facts.port, list);
    if (list.length === 0) {
      builder.element('no-endpoint-services', key, this.#refusal);
      return;
    }
    if (facts.affinitySeconds > 0) {
      builder.element('service-ips', key, `goto ${this.#ownChain(policy)}`);
      return;
    }
    const chain = spreadChain(facts.protocol, list.length);
    builder.chain(chain, spreadRules(family, facts.protocol, list.length));
    builder.element('service-ips', key, `goto ${chain}`);
    this.#number(endpointsMap(facts.protocol), `${address} . ${facts.port}`, list);
  }

  #planExternal(address: string): void {
    const { facts, builder, family } = this.#input;
    const { protocol } = facts;
    const key = frontendKey(address, facts);
    const list = this.#lists[facts.externalLocal ? 'local' : 'cluster'];
    this.#noteDatagrams(address, facts.port, this.#any ? this.#reachable : []);
    if (list.length === 0) builder.element('no-endpoint-services', key, this.#refusal);
    if (!this.#any) return;
    if (facts.externalLocal || facts.affinitySeconds > 0) {
      builder.element('service-ips', key, `goto ${this.#externalChain()}`);
      return;
    }
    const chain = externalSpreadChain(protocol, list.length);
    builder.chain(chain, externalSpreadRules(protocol, list.length));
    builder.chain(spreadChain(protocol, list.length), spreadRules(family, protocol, list.length));
    builder.element('service-ips', key, `goto ${chain}`);
    this.#number(endpointsMap(protocol), `${address} . ${facts.port}`, list);
  }

  #planNodePort(): void {
    const { facts, builder, family } = this.#input;
    const { protocol, nodePort } = facts;
    const key = `${protocol} . ${nodePort}`;
    const list = this.#lists[facts.externalLocal ? 'local' : 'cluster'];
    this.#noteDatagrams('', nodePort, this.#any ? this.#reachable : []);
    if (list.length === 0) builder.element('no-endpoint-nodeports', key, this.#refusal);
    if (!this.#any) return;
    if (facts.externalLocal || facts.affinitySeconds > 0) {
      builder.element('service-nodeports', key, `goto ${this.#externalChain()}`);
      return;
    }
    const chain = nodePortSpreadChain(protocol, list.length);
    builder.chain(chain, nodePortSpreadRules(family, protocol, list.length));
    builder.element('service-nodeports', key, `goto ${chain}`);
    this.#number(nodePortEndpointsMap(protocol), String(nodePort), list);
  }

  /** Who is not in a range is dropped; the balancer's own address is let in where the node is. */
  #planFirewall(key: string): void {
    const { facts, builder, family, context } = this.#input;
    const ranges = facts.sourceRanges.filter((range) => familyOfAddress(range) === family);
    const name = `firewall-${this.#name}`;
    const admitsNode = context.node.nodeIps.some((ip) => ranges.some((range) => isInRange(ip, range)));
    const own = admitsNode ? facts.balancerIps.filter((ip) => familyOfAddress(ip) === family) : [];
    builder.chain(name, [...ranges, ...own].map((from) => `${family} saddr ${from} return`).concat('drop'));
    builder.element('firewall-ips', key, `goto ${name}`);
  }

  /** Kubernetes' distinction: nobody serves, or only others do. */
  get #refusal(): string {
    return this.#any ? 'drop' : 'goto reject-all';
  }

  get #reachable(): readonly string[] {
    return [...new Set([...this.#lists.cluster, ...this.#lists.local])];
  }

  #number(map: string, frontend: string, list: readonly string[]): void {
    for (const [i, endpoint] of list.entries())
      this.#input.builder.element(map, `${frontend} . ${i}`, endpoint);
  }

  #noteDatagrams(address: string, port: number, list: readonly string[]): void {
    const { facts, family, datagrams } = this.#input;
    if (facts.protocol !== 'udp') return;
    datagrams.set(`${family} ${address} ${port}`, { family, address, port, endpoints: new Set(list) });
  }

  /** What comes to an external address, when a shared chain does not do. Idempotent. */
  #externalChain(): string {
    const { facts, family, builder, context } = this.#input;
    const name = `external-${this.#name}`;
    if (!facts.externalLocal) {
      builder.chain(name, [markRule, `goto ${this.#ownChain('cluster')}`]);
      return name;
    }
    // Who is in the cluster already needs no outside address: pods and the node itself reach every endpoint.
    const cluster = this.#ownChain('cluster');
    const pods = context.node.podCidrs.filter((cidr) => familyOfAddress(cidr) === family);
    builder.chain(name, [
      ...pods.map((cidr) => `${family} saddr ${cidr} goto ${cluster}`),
      `fib saddr type local ${markRule}`,
      `fib saddr type local goto ${cluster}`,
      ...(this.#lists.local.length > 0 ? [`goto ${this.#ownChain('local')}`] : []),
    ]);
    return name;
  }

  /** Spreads over one list of this port alone. Idempotent. */
  #ownChain(policy: Policy): string {
    const { facts, family, builder } = this.#input;
    const name = `${policy === 'cluster' ? 'service' : 'local'}-${this.#name}`;
    const list = this.#lists[policy];
    if (facts.affinitySeconds === 0) {
      const endpoints = list.map((endpoint, i) => `${i} : ${endpoint}`).join(', ');
      builder.chain(name, [
        `meta l4proto ${facts.protocol} dnat ${family} to numgen random mod ${list.length} map { ${endpoints} }`,
      ]);
      return name;
    }
    const targets = list.map((endpoint) => this.#affineEndpoint(endpoint));
    const spread = targets.map(({ chain }, i) => `${i} : goto ${chain}`).join(', ');
    builder.chain(name, [
      ...targets.map(({ set, chain }) => `${family} saddr @${set} goto ${chain}`),
      `numgen random mod ${list.length} vmap { ${spread} }`,
    ]);
    return name;
  }

  /** A chain that sends to one endpoint and a set that remembers, for a time, which clients it sent there. */
  #affineEndpoint(endpoint: string): { readonly set: string; readonly chain: string } {
    const { facts, family, builder } = this.#input;
    const [address = '', port = ''] = endpoint.split(' . ');
    const name = `${this.#name}_${address.replaceAll(':', '.')}/${port}`;
    const chain = `endpoint-${name}`;
    // The time is part of the name: a set cannot change its own.
    const set = `affinity-${facts.affinitySeconds}-${name}`;
    const target = family === 'ip6' ? `[${address}]:${port}` : `${address}:${port}`;
    builder.set(
      set,
      `type ${addressType(family)} ; flags dynamic,timeout ; timeout ${facts.affinitySeconds}s ;`,
    );
    builder.chain(chain, [
      `update @${set} { ${family} saddr }`,
      `meta l4proto ${facts.protocol} dnat ${family} to ${target}`,
    ]);
    return { set, chain };
  }
}

/** `wanted` in the order of `old`: each that goes is replaced by a new one or by the last. */
export function keepOrder(old: readonly string[], wanted: readonly string[]): string[] {
  const want = new Set(wanted);
  const had = new Set(old);
  const fresh = [...want].filter((item) => !had.has(item));
  const kept = old.slice();
  let next = 0;
  for (let i = 0; i < kept.length; ) {
    if (want.has(kept[i]!)) i++;
    else if (next < fresh.length) kept[i++] = fresh[next++]!;
    else {
      const last = kept.pop()!;
      if (i < kept.length) kept[i] = last;
    }
  }
  return [...kept, ...fresh.slice(next)];
}
