// Cluster IPs and node ports: each held by one service. The store is the truth; these maps are read from it at start and kept
// up to date by the writes that pass through here.
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
import type { Store } from '../storage/index.ts';
import type { Allocator } from './registry/core.ts';
import { objectOf } from './registry/objects.ts';

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

  constructor(options: ServiceIpOptions) {
    this.kind = options.kind;
    this.#options = options;
    this.#range = parseIpv4Range(options.serviceCidr);
    for (const entry of options.store.list(options.kind.storagePrefix)) this.#hold(objectOf<Service>(entry));
  }

  allocate(object: KubeObject, old: KubeObject | undefined, causes: Causes): () => void {
    const service = object as Service;
    const owner = `${service.metadata.namespace}/${service.metadata.name}`;
    const taken: [Map<string, string>, string][] = [];
    const take = (map: Map<string, string>, value: string): void => {
      map.set(value, owner);
      taken.push([map, value]);
    };
    const before = causes.list.length;
    settleFamilies({ service, old: old as Service | undefined, families: ['IPv4'] }, causes);
    if (causes.list.length === before) {
      const ips = wantedClusterIps(service).map(({ ip }) => this.#takeIp(ip, owner, causes, take));
      if (ips.every((ip) => ip !== undefined)) setClusterIps(service, ips);
      this.#takePorts(service, owner, causes, take);
    }
    return () => {
      for (const [map, value] of taken) map.delete(value);
    };
  }

  release(object: KubeObject, next: KubeObject | undefined): void {
    const keep =
      next === undefined ? { addresses: new Set<string>(), ports: new Set<string>() } : held(next as Service);
    const gone = held(object as Service);
    for (const address of gone.addresses) if (!keep.addresses.has(address)) this.#addresses.delete(address);
    for (const port of gone.ports) if (!keep.ports.has(port)) this.#ports.delete(port);
  }

  #hold(service: Service): void {
    const owner = `${service.metadata.namespace}/${service.metadata.name}`;
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
