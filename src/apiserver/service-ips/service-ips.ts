// What services hold: cluster IPs and node ports, each held by one service. Taken before the service is written, given back after
// it is gone or has let go of them.
import {
  needsHealthCheckPort,
  type Service,
  type ServiceFamilies,
  setClusterIps,
  setNodePort,
  settleFamilies,
  wantedClusterIps,
  wantedNodePorts,
} from '../../api/index.ts';
import type { Clock, Log, Random } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import { at, type Causes, internalError, type KindDef, type KubeObject } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { type Allocation, type Allocator, storageFailure } from '../registry/core.ts';
import { parseRanges } from './address-range.ts';
import { type Claim, ServiceClaims } from './claims.ts';
import { ClusterIps, droppedIps } from './cluster-ips.ts';
import { type Holder, holderOf } from './holders.ts';
import { NodePorts } from './node-ports.ts';

export interface ServiceIpOptions {
  readonly kind: KindDef;
  readonly store: Store;
  readonly client: () => Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** `10.96.0.0/16`, or one range of each family, the family of services that do not choose first: `10.96.0.0/16,fd00::/112` */
  readonly serviceCidr: string;
  /** Inclusive, e.g. [30000, 32767] */
  readonly nodePorts: readonly [number, number];
}

/** What one write has taken so far. */
interface Basket {
  readonly service: Service;
  readonly holder: Holder;
  readonly owner: string;
  readonly dry: boolean;
  readonly causes: Causes;
  readonly madeIps: string[];
  /** Promised by this write, not held before. */
  readonly ports: Set<number>;
}

export class ServiceIps implements Allocator {
  readonly kind: KindDef;
  readonly #families: ServiceFamilies;
  readonly #clusterIps: ClusterIps;
  readonly #nodePorts: NodePorts;
  /** null: nobody else writes to the store. */
  readonly #claims: ServiceClaims | null;

  constructor(options: ServiceIpOptions) {
    const { kind, store, random } = options;
    this.kind = kind;
    this.#claims = store.shared ? new ServiceClaims(store) : null;
    const ranges = parseRanges(options.serviceCidr);
    this.#families = ranges.map(({ family }) => family) as unknown as ServiceFamilies;
    this.#clusterIps = new ClusterIps({ ...options, ranges });
    this.#nodePorts = new NodePorts({
      store,
      random,
      services: kind.storagePrefix,
      range: options.nodePorts,
    });
  }

  /** Makes the addresses that the API shows and the services agree. Addresses are given only after it. */
  repair(): Promise<void> {
    return this.#clusterIps.repair();
  }

  async allocate(
    { object, old, dryRun }: { object: KubeObject; old: KubeObject | undefined; dryRun: boolean },
    causes: Causes,
  ): Promise<Allocation> {
    const service = object as Service;
    const before = old as Service | undefined;
    const holder = holderOf(service);
    const owner = `${holder.namespace}/${holder.name}`;
    const basket: Basket = { service, holder, owner, dry: dryRun, causes, madeIps: [], ports: new Set() };
    let claims: readonly Claim[] = [];
    const end = async (written: boolean): Promise<void> => {
      this.#nodePorts.settle(basket.ports);
      await this.#claims?.drop(claims);
      const dropped = written && before !== undefined ? droppedIps(before, service) : [];
      await this.#clusterIps.release(written ? dropped : basket.madeIps, holder);
    };
    try {
      const faults = causes.list.length;
      settleFamilies({ service, old: before, families: this.#families }, causes);
      if (causes.list.length === faults) {
        await this.#takeIps(basket);
        claims = await this.#takePorts(basket);
      }
      return { end };
    } catch (error) {
      await end(false);
      throw storageFailure(error);
    }
  }

  async release(object: KubeObject): Promise<void> {
    const service = object as Service;
    await this.#clusterIps.release(droppedIps(service, undefined), holderOf(service));
  }

  async #takeIps({ service, holder, dry, causes, madeIps }: Basket): Promise<void> {
    const ips: string[] = [];
    const wanted = wantedClusterIps(service);
    for (const { family, ip } of wanted) {
      const taken = await this.#clusterIps.take(ip, { family, holder, dry });
      if (taken.ok) {
        ips.push(taken.ip);
        if (taken.made) madeIps.push(taken.ip);
      } else if (ip === '') throw internalError(new Error(`failed to allocate a serviceIP: ${taken.why}`));
      else causes.invalid('spec.clusterIPs', [ip], `failed to allocate IP ${ip}: ${taken.why}`);
    }
    if (ips.length === wanted.length) setClusterIps(service, ips);
  }

  /**
   * With several servers on the store a port is claimed until the service is written. Each round either ends it or learns of a port
   * that another server has, so there are not many.
   */
  async #takePorts(basket: Basket): Promise<readonly Claim[]> {
    const { service, dry, ports } = basket;
    const elsewhere: number[] = [];
    try {
      for (;;) {
        const asked = structuredClone(service.spec);
        this.#promiseServicePorts(basket);
        this.#promiseHealthCheckPort(basket);
        if (this.#claims === null || dry || ports.size === 0 || !basket.causes.empty) return [];
        const { lost, held } = await this.#claims.claim([...ports].map(claimOf), basket.owner);
        const gone = [...ports].filter(
          (port) => lost.includes(claimOf(port)) || this.#nodePorts.isHeld(port),
        );
        if (gone.length === 0) return held;
        await this.#claims.drop(held);
        this.#nodePorts.settle(ports);
        ports.clear();
        for (const port of gone)
          if (typeof this.#nodePorts.promise(port, anotherServer) === 'number') elsewhere.push(port);
        service.spec = asked;
      }
    } finally {
      this.#nodePorts.settle(elsewhere);
    }
  }

  #promise({ owner, ports }: Basket, wanted: number): number | string {
    const port = this.#nodePorts.promise(wanted, owner);
    if (typeof port === 'number' && !this.#nodePorts.isHeldBy(port, owner)) ports.add(port);
    return port;
  }

  #promiseServicePorts(basket: Basket): void {
    for (const wanted of wantedNodePorts(basket.service)) {
      const port = this.#promise(basket, wanted.nodePort);
      if (typeof port === 'number') setNodePort(basket.service, wanted, port);
      else if (wanted.nodePort === 0)
        throw internalError(new Error(`failed to allocate a nodePort: ${port}`));
      else {
        const path = at.child(at.index('spec.ports', wanted.ports[0]!), 'nodePort');
        basket.causes.invalid(path, wanted.nodePort, port);
      }
    }
  }

  /** By which load balancers ask a node whether it has pods of the service. */
  #promiseHealthCheckPort(basket: Basket): void {
    const { service } = basket;
    if (!needsHealthCheckPort(service)) return;
    const wanted = service.spec.healthCheckNodePort ?? 0;
    const port = this.#promise(basket, wanted);
    if (typeof port === 'number') {
      service.spec.healthCheckNodePort = port;
      return;
    }
    const what = wanted === 0 ? 'a HealthCheck NodePort 0' : `requested HealthCheck NodePort ${wanted}`;
    throw internalError(new Error(`failed to allocate ${what}: ${port}`));
  }
}

const claimOf = (port: number): string => `port:${port}`;
/** No service is called so. */
const anotherServer = 'another server';
