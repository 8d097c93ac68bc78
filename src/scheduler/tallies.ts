// How many pods of some sort there are on each node and in each zone, kept up to date while pods come and go. Pods with the same
// namespace, labels and affinity are one group; a tally gives every group a weight. HOT: bench/scheduler.ts.
//
// 1. tally.onNode[slot] = sum over the groups of weight × pods of the group on that node.
// 2. sums[value] = sum of onNode over the nodes that have this value of the topology key. Nodes without the key are in no sum.
// 3. A group's `feeds` name every living tally in which its weight is not 0.
import { isTerminating, type Pod } from '../api/index.ts';
import type { Labels } from '../machinery/index.ts';
import { type PodTerms, podTerms } from './affinity-terms.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

/** More tallies than this are not kept: those used least recently go, and are made anew when they are asked for again. */
const maxTallies = 1024;

/** Pods that no selector and no term can tell apart. */
export class PodGroup {
  readonly namespace: string;
  readonly labels: Labels;
  /** On their way out: they do not count for spreading. */
  readonly terminating: boolean;
  readonly terms: PodTerms | null;
  /** How many of them are on each node, by slot. */
  readonly onNodes = new Map<number, number>();
  feeds: { readonly tally: Tally; readonly weight: number }[] = [];

  constructor(pod: Pod) {
    this.namespace = pod.metadata.namespace ?? '';
    this.labels = pod.metadata.labels ?? {};
    this.terminating = isTerminating(pod);
    this.terms = podTerms(pod);
  }
}

/** The values of one label over all nodes. */
export class Topology {
  readonly key: string;
  readonly ids = new Map<string, number>();
  /** By slot: the id of the node's value, -1 = the node has no such label (or there is no such node). */
  valueOf: Int32Array;
  /** By id: how many nodes have the value. Ids of values that no node has any more stay, with 0. */
  readonly nodes: number[] = [];
  /** How many nodes have the label, and how many values they have. */
  nodesWithKey = 0;
  values = 0;

  constructor(key: string, capacity: number) {
    this.key = key;
    this.valueOf = new Int32Array(capacity).fill(-1);
  }

  idOf(value: string): number {
    let id = this.ids.get(value);
    if (id === undefined) {
      id = this.ids.size;
      this.ids.set(value, id);
      this.nodes.push(0);
    }
    return id;
  }

  set(slot: number, id: number): void {
    const old = this.valueOf[slot]!;
    this.valueOf[slot] = id;
    if (old >= 0) {
      this.nodesWithKey--;
      if (--this.nodes[old]! === 0) this.values--;
    }
    if (id >= 0) {
      this.nodesWithKey++;
      if (this.nodes[id]!++ === 0) this.values++;
    }
  }
}

interface Sums {
  readonly topology: Topology;
  counts: Int32Array;
}

export class Tally {
  readonly id: string;
  readonly weightOf: (group: PodGroup) => number;
  onNode: Int32Array;
  alive = true;
  readonly #sums: Sums[] = [];

  constructor(id: string, weightOf: (group: PodGroup) => number, capacity: number) {
    this.id = id;
    this.weightOf = weightOf;
    this.onNode = new Int32Array(capacity);
  }

  /** By value id of the topology. Shared and live: copy it to change it. May be shorter than there are values: the rest is 0. */
  sums(topology: Topology): Int32Array {
    for (const known of this.#sums) if (known.topology === topology) return known.counts;
    const counts = new Int32Array(Math.max(8, topology.ids.size * 2));
    for (let slot = 0; slot < this.onNode.length; slot++) {
      const value = topology.valueOf[slot]!;
      if (value >= 0) counts[value]! += this.onNode[slot]!;
    }
    this.#sums.push({ topology, counts });
    return counts;
  }

  change(slot: number, by: number): void {
    this.onNode[slot]! += by;
    for (const sums of this.#sums) addTo(sums, sums.topology.valueOf[slot]!, by);
  }

  /** The node's value of a topology becomes another; call it before the topology knows. */
  moved(topology: Topology, slot: number, id: number): void {
    const here = this.onNode[slot]!;
    if (here === 0) return;
    for (const sums of this.#sums) {
      if (sums.topology !== topology) continue;
      addTo(sums, topology.valueOf[slot]!, -here);
      addTo(sums, id, here);
    }
  }
}

function addTo(sums: Sums, value: number, by: number): void {
  if (value < 0) return;
  if (value >= sums.counts.length) sums.counts = grown(sums.counts, (value + 1) * 2);
  sums.counts[value]! += by;
}

function grown(array: Int32Array, length: number): Int32Array {
  const out = new Int32Array(length);
  out.set(array);
  return out;
}

export class Tallies {
  readonly #groups = new Map<string, PodGroup>();
  readonly #groupsWithTerms = new Set<PodGroup>();
  readonly #topologies = new Map<string, Topology>();
  /** In the order of their last use. */
  readonly #tallies = new Map<string, Tally>();
  readonly #nodes: () => readonly NodeInfo[];
  /** Topology keys of required anti-affinity terms of pods with a node, each by how many groups. */
  readonly antiAffinityKeys = new Map<string, number>();
  /** The same of the terms that score. */
  readonly scoredKeys = new Map<string, number>();
  #capacity = 64;

  constructor(nodes: () => readonly NodeInfo[]) {
    this.#nodes = nodes;
  }

  /** Before the first pod of the node is added. */
  nodeAdded(node: NodeInfo): void {
    if (node.slot >= this.#capacity) this.#grow(node.slot);
    this.nodeChanged(node);
  }

  nodeChanged(node: NodeInfo): void {
    for (const topology of this.#topologies.values()) {
      const value = node.labels[topology.key];
      this.#setValue(topology, node.slot, value === undefined ? -1 : topology.idOf(value));
    }
  }

  /** After the last pod of the node was removed. */
  nodeRemoved(node: NodeInfo): void {
    for (const topology of this.#topologies.values()) this.#setValue(topology, node.slot, -1);
  }

  #setValue(topology: Topology, slot: number, id: number): void {
    if (topology.valueOf[slot] === id) return;
    for (const tally of this.#tallies.values()) tally.moved(topology, slot, id);
    topology.set(slot, id);
  }

  add(pod: PodInfo, node: NodeInfo): void {
    const key = pod.groupKey;
    let group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, (group = this.#newGroup(pod.pod)));
    group.onNodes.set(node.slot, (group.onNodes.get(node.slot) ?? 0) + 1);
    for (const { tally, weight } of livingFeeds(group)) tally.change(node.slot, weight);
  }

  remove(pod: PodInfo, node: NodeInfo): void {
    const group = this.#groups.get(pod.groupKey);
    const here = group?.onNodes.get(node.slot);
    if (group === undefined || here === undefined) return;
    for (const { tally, weight } of livingFeeds(group)) tally.change(node.slot, -weight);
    if (here > 1) group.onNodes.set(node.slot, here - 1);
    else group.onNodes.delete(node.slot);
    if (group.onNodes.size > 0) return;
    this.#groups.delete(pod.groupKey);
    if (this.#groupsWithTerms.delete(group)) this.#countKeys(group, -1);
  }

  /** The tally of that name; `weightOf` is pure and the same for the same name. With terms only: weights of other groups are 0. */
  tally(id: string, weightOf: (group: PodGroup) => number, among: 'all' | 'withTerms' = 'all'): Tally {
    let tally = this.#tallies.get(id);
    if (tally === undefined) {
      tally = this.#newTally(id, weightOf, among === 'all' ? this.#groups.values() : this.#groupsWithTerms);
      if (this.#tallies.size >= maxTallies) this.#dropOldest();
    } else this.#tallies.delete(id);
    this.#tallies.set(id, tally);
    return tally;
  }

  topology(key: string): Topology {
    let topology = this.#topologies.get(key);
    if (topology === undefined) {
      topology = new Topology(key, this.#capacity);
      this.#topologies.set(key, topology);
      for (const { slot, labels } of this.#nodes()) {
        const value = labels[key];
        if (value !== undefined) topology.set(slot, topology.idOf(value));
      }
    }
    return topology;
  }

  /** What weights were made of has changed (labels of namespaces): all tallies are made anew when they are needed. */
  reset(): void {
    for (const tally of this.#tallies.values()) tally.alive = false;
    this.#tallies.clear();
  }

  #newGroup(pod: Pod): PodGroup {
    const group = new PodGroup(pod);
    for (const tally of this.#tallies.values()) {
      const weight = tally.weightOf(group);
      if (weight !== 0) group.feeds.push({ tally, weight });
    }
    if (group.terms !== null) {
      this.#groupsWithTerms.add(group);
      this.#countKeys(group, 1);
    }
    return group;
  }

  #newTally(id: string, weightOf: (group: PodGroup) => number, groups: Iterable<PodGroup>): Tally {
    const tally = new Tally(id, weightOf, this.#capacity);
    for (const group of groups) {
      const weight = weightOf(group);
      if (weight === 0) continue;
      group.feeds.push({ tally, weight });
      for (const [slot, count] of group.onNodes) tally.onNode[slot]! += weight * count;
    }
    return tally;
  }

  #dropOldest(): void {
    for (const [id, tally] of this.#tallies) {
      tally.alive = false;
      this.#tallies.delete(id);
      return;
    }
  }

  #countKeys({ terms }: PodGroup, by: 1 | -1): void {
    const count = (keys: Map<string, number>, key: string) => {
      const now = (keys.get(key) ?? 0) + by;
      if (now === 0) keys.delete(key);
      else keys.set(key, now);
    };
    if (terms === null) return;
    for (const { topologyKey } of terms.antiAffinity) count(this.antiAffinityKeys, topologyKey);
    for (const list of [terms.affinity, terms.preferredAffinity, terms.preferredAntiAffinity])
      for (const { topologyKey } of list) count(this.scoredKeys, topologyKey);
  }

  #grow(slot: number): void {
    this.#capacity = (slot + 1) * 2;
    for (const tally of this.#tallies.values()) tally.onNode = grown(tally.onNode, this.#capacity);
    for (const topology of this.#topologies.values()) {
      const old = topology.valueOf;
      topology.valueOf = new Int32Array(this.#capacity).fill(-1);
      topology.valueOf.set(old);
    }
  }
}

/** Feeds of dropped tallies are forgotten here, when somebody comes by. */
function livingFeeds(group: PodGroup): PodGroup['feeds'] {
  for (const { tally } of group.feeds)
    if (!tally.alive) {
      group.feeds = group.feeds.filter((feed) => feed.tally.alive);
      break;
    }
  return group.feeds;
}
