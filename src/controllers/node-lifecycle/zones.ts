// Counts of silent nodes by zone, kept as nodes change, so that one silent node among thousands costs one step and not a walk over
// all of them. Says for which zones the network is to blame, in which case nobody is evicted.
import type { Health } from './plan.ts';

interface Zone {
  readonly nodes: Set<string>;
  silent: number;
}

export class Zones {
  readonly #threshold: number;
  readonly #zones = new Map<string, Zone>();
  readonly #places = new Map<string, { readonly zone: string; readonly silent: boolean }>();
  #silent = 0;
  #cutOff: ReadonlySet<string> = new Set();

  /** `threshold`: the share of silent nodes from which a zone of three silent nodes or more is taken to be cut off. */
  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  /** Returns the names of the nodes whose zone is judged differently now. */
  set(name: string, zone: string, health: Health): readonly string[] {
    const before = this.#places.get(name);
    const silent = health !== 'ready';
    if (before?.zone === zone && before.silent === silent) return [];
    this.#take(name);
    let found = this.#zones.get(zone);
    if (found === undefined) this.#zones.set(zone, (found = { nodes: new Set(), silent: 0 }));
    this.#places.set(name, { zone, silent });
    found.nodes.add(name);
    if (silent) {
      found.silent++;
      this.#silent++;
    }
    return this.#judge();
  }

  /** As `set`. */
  delete(name: string): readonly string[] {
    this.#take(name);
    return this.#judge();
  }

  /** Most of its nodes are silent, or all nodes everywhere are. */
  isCutOff(zone: string): boolean {
    return this.#cutOff.has(zone);
  }

  #take(name: string): void {
    const place = this.#places.get(name);
    if (place === undefined) return;
    this.#places.delete(name);
    const zone = this.#zones.get(place.zone)!;
    zone.nodes.delete(name);
    if (zone.nodes.size === 0) this.#zones.delete(place.zone);
    if (place.silent) {
      zone.silent--;
      this.#silent--;
    }
  }

  #judge(): readonly string[] {
    const everySilent = this.#silent === this.#places.size;
    const now = new Set<string>();
    const changed: string[] = [];
    for (const [id, { nodes, silent }] of this.#zones) {
      if (everySilent || (silent > 2 && silent / nodes.size >= this.#threshold)) now.add(id);
      if (now.has(id) !== this.#cutOff.has(id)) changed.push(...nodes);
    }
    this.#cutOff = now;
    return changed;
  }
}
