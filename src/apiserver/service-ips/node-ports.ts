// Node ports: each held by one service, whatever its protocols. The services in the store are the truth; this table follows them,
// also when another server writes, and knows besides which ports are promised to writes on their way.
import type { Service } from '../../api/index.ts';
import type { Random } from '../../base/index.ts';
import type { Store } from '../../storage/index.ts';
import { objectOf } from '../registry/objects.ts';

export interface NodePortOptions {
  readonly store: Store;
  readonly services: string;
  readonly random: Random;
  /** Inclusive, e.g. [30000, 32767] */
  readonly range: readonly [number, number];
}

/** The node ports that a service has, the one for health checks included. */
export function nodePortsOf({ spec }: Service): Set<number> {
  const ports = (spec.ports ?? []).map((port) => port.nodePort ?? 0);
  return new Set([...ports, spec.healthCheckNodePort ?? 0].filter((port) => port !== 0));
}

export class NodePorts {
  readonly #range: readonly [number, number];
  readonly #random: Random;
  /** Port → namespace/name. */
  readonly #held = new Map<number, string>();
  readonly #promised = new Map<number, string>();

  constructor({ store, services, random, range }: NodePortOptions) {
    this.#range = range;
    this.#random = random;
    for (const entry of store.list(services)) this.#follow(undefined, objectOf<Service>(entry));
    store.watch(services, store.revision, {
      onEvents: (events) => {
        for (const { type, entry, previous } of events)
          this.#follow(
            previous && objectOf<Service>(previous),
            type === 'delete' ? undefined : objectOf<Service>(entry),
          );
      },
      // The store is closed or its history is gone; writes here still pass through `promise`.
      onLost() {},
    });
  }

  /** Promises a port, any free one for 0. A text says why it cannot be had. */
  promise(wanted: number, owner: string): number | string {
    const [low, high] = this.#range;
    const port = wanted === 0 ? this.#free() : wanted;
    if (port === undefined) return 'range is full';
    if (port < low || port > high)
      return `provided port is not in the valid range. The range of valid ports is ${low}-${high}`;
    const holder = this.#held.get(port) ?? this.#promised.get(port);
    if (holder !== undefined && holder !== owner) return 'provided port is already allocated';
    if (holder === undefined) this.#promised.set(port, owner);
    return port;
  }

  /** Whether a stored service has the port. */
  isHeld(port: number): boolean {
    return this.#held.has(port);
  }

  isHeldBy(port: number, owner: string): boolean {
    return this.#held.get(port) === owner;
  }

  /** The write has happened, or will not. */
  settle(ports: Iterable<number>): void {
    for (const port of ports) this.#promised.delete(port);
  }

  #follow(before: Service | undefined, now: Service | undefined): void {
    const owner = (service: Service) => `${service.metadata.namespace}/${service.metadata.name}`;
    if (before !== undefined)
      for (const port of nodePortsOf(before))
        if (this.#held.get(port) === owner(before)) this.#held.delete(port);
    if (now !== undefined) for (const port of nodePortsOf(now)) this.#held.set(port, owner(now));
  }

  #free(): number | undefined {
    const [low, high] = this.#range;
    const size = high - low + 1;
    const start = Math.floor(this.#random.next() * size);
    for (let i = 0; i < size; i++) {
      const port = low + ((start + i) % size);
      if (!this.#held.has(port) && !this.#promised.has(port)) return port;
    }
    return undefined;
  }
}
