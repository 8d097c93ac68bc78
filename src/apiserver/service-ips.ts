// Cluster IPs and node ports: each held by one service. The stored services are the truth; these maps follow them, whoever writes
// them, and hold besides what writes under way here are about to name. Other servers on the same store are kept off by claims.
import {
  type Service,
  setClusterIps,
  setNodePort,
  settleFamilies,
  wantedClusterIps,
  wantedNodePorts,
} from '../api/index.ts';
import type { Random } from '../base/index.ts';
import { at, type Causes, type KindDef, type KubeObject } from '../machinery/index.ts';
import type { Store, StoreEvent } from '../storage/index.ts';
import { type Allocation, type Allocator, storageFailure } from './registry/core.ts';
import { objectOf } from './registry/objects.ts';
import { type ClaimResult, ServiceClaims } from './service-claims.ts';

export interface ServiceIpOptions {
  readonly kind: KindDef;
  readonly store: Store;
  readonly random: Random;
  /** IPv4 range, e.g. `10.96.0.0/12` */
  readonly serviceCidr: string;
  /** Inclusive, e.g. [30000, 32767] */
  readonly nodePorts: readonly [number, number];
}

export const toNumber = (address: string): number =>
  address.split('.').reduce((n, part) => n * 256 + Number(part), 0);
export const toAddress = (n: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join('.');

export interface Ipv4Range {
  readonly first: number;
  readonly last: number;
}

/** The usable addresses of a range: without the network's own and the broadcast address. Throws on nonsense. */
export function parseIpv4Range(cidr: string): Ipv4Range {
  const m = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(cidr);
  const bits = Number(m?.[2]);
  if (m === null || bits > 30 || m[1]!.split('.').some((p) => Number(p) > 255))
    throw new Error(`${JSON.stringify(cidr)} is no IPv4 range such as 10.96.0.0/16`);
  const size = 2 ** (32 - bits);
  const base = Math.floor(toNumber(m[1]!) / size) * size;
  return { first: base + 1, last: base + size - 2 };
}

/** The address that the kubernetes service always has. */
export const firstServiceIp = (cidr: string): string => toAddress(parseIpv4Range(cidr).first);

export class ServiceIps implements Allocator {
  readonly kind: KindDef;
  readonly #options: ServiceIpOptions;
  readonly #range: Ipv4Range;
  /** What is held, and by which service (namespace/name). */
  readonly #addresses = new Map<string, string>();
  readonly #ports = new Map<string, string>();
  /** null: nobody else writes to the store. */
  readonly #claims: ServiceClaims | null;

  constructor(options: ServiceIpOptions) {
    this.kind = options.kind;
    this.#options = options;
    this.#range = parseIpv4Range(options.serviceCidr);
    this.#claims = options.store.shared ? new ServiceClaims(options.store) : null;
    this.#follow();
  }

  async allocate(
    { object, old, dryRun }: { object: KubeObject; old: KubeObject | undefined; dryRun: boolean },
    causes: Causes,
  ): Promise<Allocation> {
    const service = object as Service;
    const before = old as Service | undefined;
    if (this.#claims !== null && !dryRun) return this.#allocateShared(service, before, causes);
    const taken = this.#take(service, before, causes);
    return {
      end: async (written) => {
        if (!written) giveBack(taken);
      },
    };
  }

  /** Each round either ends it or learns of a value that another server has, so there are not many. */
  async #allocateShared(service: Service, old: Service | undefined, causes: Causes): Promise<Allocation> {
    const claims = this.#claims!;
    const elsewhere: Taken[] = [];
    try {
      for (;;) {
        const asked = structuredClone(service.spec);
        const problems = causes.list.length;
        const taken = this.#take(service, old, causes);
        if (taken.length === 0 || causes.list.length > problems)
          return { end: async (written) => (written ? undefined : giveBack(taken)) };
        let result: ClaimResult;
        try {
          const values = taken.map(({ value }) => value);
          result = await claims.claim(values, ownerOf(service));
        } catch (error) {
          giveBack(taken);
          throw storageFailure(error);
        }
        const { lost, held } = result;
        const gone = taken.filter((t) => lost.includes(t.value) || t.map.get(t.value) !== t.owner);
        if (gone.length === 0) {
          return {
            end: async (written) => {
              if (!written) giveBack(taken);
              await claims.drop(held);
            },
          };
        }
        await claims.drop(held);
        giveBack(taken);
        for (const { map, value } of gone) {
          if (map.has(value)) continue;
          map.set(value, anotherServer);
          elsewhere.push({ map, value, owner: anotherServer });
        }
        service.spec = asked;
      }
    } finally {
      giveBack(elsewhere);
    }
  }

  /** Fills in the service and takes, in the maps, what it names and did not hold. */
  #take(service: Service, old: Service | undefined, causes: Causes): readonly Taken[] {
    const owner = ownerOf(service);
    const taken: Taken[] = [];
    const take = (map: Map<string, string>, value: string): void => {
      map.set(value, owner);
      taken.push({ map, value, owner });
    };
    const before = causes.list.length;
    settleFamilies({ service, old, families: ['IPv4'] }, causes);
    if (causes.list.length === before) {
      const ips = wantedClusterIps(service).map(({ ip }) => this.#takeIp(ip, owner, causes, take));
      if (ips.every((ip) => ip !== undefined)) setClusterIps(service, ips);
      this.#takePorts(service, owner, causes, take);
    }
    return taken;
  }

  /** Everything from here on that is stored as a service, by this server or another. */
  #follow(): void {
    const { store, kind } = this.#options;
    this.#addresses.clear();
    this.#ports.clear();
    for (const entry of store.list(kind.storagePrefix)) this.#hold(objectOf<Service>(entry));
    store.watch(kind.storagePrefix, store.revision, {
      onEvents: (events) => {
        for (const event of events) this.#see(event);
      },
      onLost: () => this.#follow(),
    });
  }

  #see({ type, entry, previous }: StoreEvent): void {
    if (previous !== undefined) {
      const service = objectOf<Service>(previous);
      const owner = ownerOf(service);
      const { addresses, ports } = held(service);
      giveBack([...addresses].map((value) => ({ map: this.#addresses, value, owner })));
      giveBack([...ports].map((value) => ({ map: this.#ports, value, owner })));
    }
    if (type === 'put') this.#hold(objectOf<Service>(entry));
  }

  #hold(service: Service): void {
    const owner = ownerOf(service);
    const { addresses, ports } = held(service);
    for (const address of addresses) this.#addresses.set(address, owner);
    for (const port of ports) this.#ports.set(port, owner);
  }

  #takeIp(
    asked: string,
    owner: string,
    causes: Causes,
    take: (map: Map<string, string>, value: string) => void,
  ): string | undefined {
    if (asked === '') {
      const address = this.#freeAddress();
      if (address === undefined)
        causes.invalid('spec.clusterIPs', [], 'failed to allocate a serviceIP: range is full');
      else take(this.#addresses, address);
      return address;
    }
    const holder = this.#addresses.get(asked);
    if (holder === owner) return asked;
    const n = toNumber(asked);
    const outside = !/^\d+(\.\d+){3}$/.test(asked) || n < this.#range.first || n > this.#range.last;
    if (holder !== undefined)
      causes.invalid(
        'spec.clusterIPs',
        [asked],
        `failed to allocate IP ${asked}: provided IP is already allocated`,
      );
    else if (outside) {
      const why = `the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${this.#options.serviceCidr}`;
      causes.invalid('spec.clusterIPs', [asked], `failed to allocate IP ${asked}: ${why}`);
    } else {
      take(this.#addresses, asked);
      return asked;
    }
    return undefined;
  }

  /** A random address, then the next free one. The lower part of the range is left for those who choose by themselves. */
  #freeAddress(): string | undefined {
    const { first, last } = this.#range;
    const size = last - first + 1;
    const reserved = Math.min(256, Math.max(16, Math.floor(size / 16)));
    const from = size > reserved ? reserved : 0;
    const start = from + Math.floor(this.#options.random.next() * (size - from));
    for (let i = 0; i < size; i++) {
      const address = toAddress(first + ((start + i) % size));
      if (!this.#addresses.has(address)) return address;
    }
    return undefined;
  }

  #takePorts(
    service: Service,
    owner: string,
    causes: Causes,
    take: (map: Map<string, string>, value: string) => void,
  ): void {
    const [low, high] = this.#options.nodePorts;
    for (const wanted of wantedNodePorts(service)) {
      const protocols = [...new Set(wanted.ports.map((i) => service.spec.ports![i]!.protocol ?? 'TCP'))];
      const path = at.child(at.index('spec.ports', wanted.ports[0]!), 'nodePort');
      const chosen = wanted.nodePort === 0 ? this.#freePort(protocols) : wanted.nodePort;
      if (chosen === undefined) {
        causes.invalid(path, 0, 'failed to allocate a nodePort: range is full');
        continue;
      }
      if (chosen < low || chosen > high) {
        causes.invalid(
          path,
          chosen,
          `provided port is not in the valid range. The range of valid ports is ${low}-${high}`,
        );
        continue;
      }
      const keys = protocols.map((protocol) => `${protocol}:${chosen}`);
      const others = keys.filter((key) => this.#ports.has(key) && this.#ports.get(key) !== owner);
      if (others.length > 0) {
        causes.invalid(path, chosen, 'provided port is already allocated');
        continue;
      }
      for (const key of keys) if (!this.#ports.has(key)) take(this.#ports, key);
      setNodePort(service, wanted, chosen);
    }
  }

  #freePort(protocols: readonly string[]): number | undefined {
    const [low, high] = this.#options.nodePorts;
    const size = high - low + 1;
    const start = Math.floor(this.#options.random.next() * size);
    for (let i = 0; i < size; i++) {
      const port = low + ((start + i) % size);
      if (protocols.every((protocol) => !this.#ports.has(`${protocol}:${port}`))) return port;
    }
    return undefined;
  }
}

/** A value that a service under way has taken in a map. */
interface Taken {
  readonly map: Map<string, string>;
  readonly value: string;
  readonly owner: string;
}

/** No service is called this. */
const anotherServer = '';

const ownerOf = ({ metadata }: Service): string => `${metadata.namespace}/${metadata.name}`;

function giveBack(taken: readonly Taken[]): void {
  for (const { map, value, owner } of taken) if (map.get(value) === owner) map.delete(value);
}

function held(service: Service): { addresses: Set<string>; ports: Set<string> } {
  const { spec } = service;
  const addresses = new Set(
    (spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : [])).filter((ip) => ip !== 'None' && ip !== ''),
  );
  const ports = new Set(
    (spec.ports ?? [])
      .filter((p) => (p.nodePort ?? 0) !== 0)
      .map((p) => `${p.protocol ?? 'TCP'}:${p.nodePort}`),
  );
  return { addresses, ports };
}
