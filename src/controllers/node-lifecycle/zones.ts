// Counts of silent nodes by zone, kept as nodes change, so that one silent node among thousands costs one step and not a walk over
// all of them. Says for which zones the network is to blame, and how fast nodes of a zone may be given up.

export type Health = 'ready' | 'notReady' | 'unreachable';

interface Zone {
  readonly nodes: Set<string>;
  silent: number;
}

/** As Kubernetes tells them apart; `everywhere` = no node of any zone is heard. */
export type ZoneState = 'normal' | 'partial' | 'full' | 'everywhere';

export interface ZoneOptions {
  /** Share of silent nodes above which a zone of three silent nodes or more is taken to be cut off. */
  readonly unhealthyZoneThreshold: number;
  /** Nodes a second that may be given up in a zone. */
  readonly nodeEvictionRate: number;
  /** The same in a zone that is partly cut off, when it is large; in a small one none is. */
  readonly secondaryNodeEvictionRate: number;
  /** A zone of more nodes is large. */
  readonly largeClusterSizeThreshold: number;
}

export interface Judged {
  /** Nodes whose zone is judged differently now. */
  readonly changed: readonly string[];
  /** Those of them whose zone was cut off and is not any more. */
  readonly relieved: readonly string[];
}

interface Verdict {
  readonly state: ZoneState;
  readonly cutOff: boolean;
  readonly rate: number;
}

export class Zones {
  readonly #options: ZoneOptions;
  readonly #zones = new Map<string, Zone>();
  readonly #places = new Map<string, { readonly zone: string; readonly silent: boolean }>();
  #silent = 0;
  #verdicts: ReadonlyMap<string, Verdict> = new Map();
  /** When a node of the zone was given up last. */
  readonly #lastMs = new Map<string, number>();

  constructor(options: ZoneOptions) {
    this.#options = options;
  }

  set(name: string, zone: string, health: Health): Judged {
    const before = this.#places.get(name);
    const silent = health !== 'ready';
    if (before?.zone === zone && before.silent === silent) return nothing;
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

  delete(name: string): Judged {
    if (!this.#places.has(name)) return nothing;
    this.#take(name);
    return this.#judge();
  }

  stateOf(zone: string): ZoneState {
    return this.#verdicts.get(zone)?.state ?? 'normal';
  }

  /** Most of its nodes are silent, or all nodes everywhere are. */
  isCutOff(zone: string): boolean {
    return this.#verdicts.get(zone)?.cutOff ?? false;
  }

  /**
   * Takes the zone's next turn to give a node up. 0 = it is taken; else how long until there may be one; undefined = not before the
   * zone is judged differently.
   */
  takeTurn(zone: string, nowMs: number): number | undefined {
    const rate = this.#verdicts.get(zone)?.rate ?? this.#options.nodeEvictionRate;
    if (rate <= 0) return undefined;
    const last = this.#lastMs.get(zone);
    const waitMs = last === undefined ? 0 : last + 1000 / rate - nowMs;
    if (waitMs > 0) return waitMs;
    this.#lastMs.set(zone, nowMs);
    return 0;
  }

  #take(name: string): void {
    const place = this.#places.get(name);
    if (place === undefined) return;
    this.#places.delete(name);
    const zone = this.#zones.get(place.zone)!;
    zone.nodes.delete(name);
    if (zone.nodes.size === 0) {
      this.#zones.delete(place.zone);
      this.#lastMs.delete(place.zone);
    }
    if (place.silent) {
      zone.silent--;
      this.#silent--;
    }
  }

  #judge(): Judged {
    const everySilent = this.#silent === this.#places.size;
    const now = new Map<string, Verdict>();
    const changed: string[] = [];
    const relieved: string[] = [];
    for (const [id, zone] of this.#zones) {
      const verdict = this.#verdictOn(zone, everySilent);
      now.set(id, verdict);
      const before = this.#verdicts.get(id);
      if (before === undefined) continue;
      if (before.cutOff !== verdict.cutOff || before.state !== verdict.state || before.rate !== verdict.rate)
        changed.push(...zone.nodes);
      if (before.cutOff && !verdict.cutOff) relieved.push(...zone.nodes);
    }
    this.#verdicts = now;
    return { changed, relieved };
  }

  #verdictOn({ nodes, silent }: Zone, everySilent: boolean): Verdict {
    const { unhealthyZoneThreshold, nodeEvictionRate, secondaryNodeEvictionRate, largeClusterSizeThreshold } =
      this.#options;
    const most = silent > 2 && silent / nodes.size >= unhealthyZoneThreshold;
    const cutOff = everySilent || most;
    if (everySilent) return { state: 'everywhere', cutOff, rate: 0 };
    if (silent === nodes.size) return { state: 'full', cutOff, rate: nodeEvictionRate };
    if (!most) return { state: 'normal', cutOff, rate: nodeEvictionRate };
    const rate = nodes.size > largeClusterSizeThreshold ? secondaryNodeEvictionRate : 0;
    return { state: 'partial', cutOff, rate };
  }
}

const nothing: Judged = { changed: [], relieved: [] };
