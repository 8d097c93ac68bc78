// A service as DNS shows it: one address before many endpoints, or the endpoints themselves. Pure. HOT: bench/dns.ts.
import type { EndpointSlice, Service } from '../api/index.ts';
import { addressKey, endpointsOf, meaningOf, type NamedPort } from './endpoints.ts';
import type { ResourceRecord } from './message.ts';
import type { WireName } from './name.ts';
import { addressRecord, srvRecord } from './records.ts';

export interface ServiceParts {
  exists(): boolean;
  addresses(): readonly Buffer[];
  ports(): readonly NamedPort[];
  /** `extra` gets the addresses of the targets. */
  srv(
    name: WireName,
    wanted: (port: NamedPort) => boolean,
    extra: ResourceRecord[],
  ): readonly ResourceRecord[];
}

export class WithAddress implements ServiceParts {
  readonly #service: Service;
  readonly #target: WireName;

  /** `target`: the service's own name. */
  constructor(service: Service, target: WireName) {
    this.#service = service;
    this.#target = target;
  }

  /** One whose address is still to be given out does not. */
  exists(): boolean {
    return this.addresses().length > 0;
  }

  addresses(): readonly Buffer[] {
    return meaningOf(this.#service).addresses;
  }

  ports(): readonly NamedPort[] {
    return meaningOf(this.#service).ports;
  }

  srv(
    name: WireName,
    wanted: (port: NamedPort) => boolean,
    extra: ResourceRecord[],
  ): readonly ResourceRecord[] {
    const target = this.#target;
    const ports = this.ports().filter(wanted);
    for (const address of this.addresses()) extra.push(addressRecord(target, address));
    return ports.map(({ port }) => srvRecord(name, { port, target, of: ports.length }));
  }
}

export class Headless implements ServiceParts {
  readonly #slices: readonly EndpointSlice[];
  readonly #nameOfHost: (host: string) => WireName;

  constructor(slices: readonly EndpointSlice[], nameOfHost: (host: string) => WireName) {
    this.#slices = slices;
    this.#nameOfHost = nameOfHost;
  }

  /** Without a ready endpoint it does not (schema, 2.4.1). */
  exists(): boolean {
    return this.#slices.some((slice) => endpointsOf(slice).ready.length > 0);
  }

  addresses(): readonly Buffer[] {
    return this.#slices.flatMap((slice) =>
      endpointsOf(slice).ready.flatMap((endpoint) => endpoint.addresses),
    );
  }

  ports(): readonly NamedPort[] {
    return this.#slices.flatMap((slice) => endpointsOf(slice).ports);
  }

  srv(
    name: WireName,
    wanted: (port: NamedPort) => boolean,
    extra: ResourceRecord[],
  ): readonly ResourceRecord[] {
    // An endpoint of two families is in two slices, and one that moves between slices in both for a moment.
    const targets = new Map<string, { port: number; target: WireName }>();
    const seen = new Set<string>();
    for (const slice of this.#slices) {
      const { ready, ports } = endpointsOf(slice);
      const numbers = ports.filter(wanted);
      if (numbers.length === 0) continue;
      for (const { host, addresses: own } of ready) {
        const target = this.#nameOfHost(host);
        for (const { port } of numbers) targets.set(`${port} ${host}`, { port, target });
        for (const address of own) {
          const key = host + addressKey(address);
          if (seen.has(key)) continue;
          seen.add(key);
          extra.push(addressRecord(target, address));
        }
      }
    }
    return [...targets.values()].map((one) => srvRecord(name, { ...one, of: targets.size }));
  }
}
