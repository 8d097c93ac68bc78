// One decision: which node a pod goes to, or why none will do. Pure: the same nodes, pod and seed give the same answer.
// HOT: bench/scheduler.ts.
import type { Random } from '../base/index.ts';
import { fits, type NodeInfo, type Plugin, type PodInfo } from './plugin.ts';

export type Decision =
  | { readonly node: NodeInfo }
  | {
      readonly node: undefined;
      /** `0/5 nodes are available: 3 Insufficient cpu, 2 node(s) were unschedulable.` */
      readonly message: string;
      /** Plugins that refused a node: what they wait for decides when to try again. */
      readonly refusedBy: ReadonlySet<Plugin>;
    };

/** Finding more nodes than this (or this share of a large cluster) makes the choice slower, hardly better. */
const minFeasible = 100;

/** As kube-scheduler: 50 % of a small cluster, falling to 5 %, never less than a hundred. */
export function enoughFeasible(nodeCount: number): number {
  if (nodeCount <= minFeasible) return nodeCount;
  const percentage = Math.max(5, 50 - Math.floor(nodeCount / 125));
  return Math.max(minFeasible, Math.floor((nodeCount * percentage) / 100));
}

interface Active {
  readonly plugin: Plugin;
  readonly state: unknown;
}

export class Cycle {
  readonly #plugins: readonly Plugin[];
  readonly #random: Random;
  /** Where the search for nodes starts, so that every node gets its turn although a search ends early. */
  #start = 0;
  // Kept between decisions so that the inner loop does not allocate.
  #feasible: NodeInfo[] = [];
  #totals: Float64Array = new Float64Array(0);
  #raw: Float64Array = new Float64Array(0);

  constructor(plugins: readonly Plugin[], random: Random) {
    this.#plugins = plugins;
    this.#random = random;
  }

  decide(pod: PodInfo, nodes: readonly NodeInfo[]): Decision {
    if (nodes.length === 0)
      return {
        node: undefined,
        message: 'no nodes available to schedule pods',
        refusedBy: new Set(this.#plugins),
      };
    const active: Active[] = [];
    for (const plugin of this.#plugins) {
      const state = plugin.preFilter(pod, nodes);
      if (state !== undefined) active.push({ plugin, state });
    }
    const count = this.#findFeasible(active, nodes);
    if (count === 0) return explain(active, nodes);
    if (count === 1) return { node: this.#feasible[0]! };
    return { node: this.#best(active, count) };
  }

  #findFeasible(active: readonly Active[], nodes: readonly NodeInfo[]): number {
    const filters = active.filter(({ plugin }) => plugin.filter !== null);
    const wanted = enoughFeasible(nodes.length);
    const feasible = this.#feasible;
    feasible.length = 0;
    let looked = 0;
    const start = this.#start % nodes.length;
    search: for (; looked < nodes.length && feasible.length < wanted; looked++) {
      const at = start + looked;
      const node = nodes[at < nodes.length ? at : at - nodes.length]!;
      for (let i = 0; i < filters.length; i++) {
        const { plugin, state } = filters[i]!;
        if (plugin.filter!(state, node) !== fits) continue search;
      }
      feasible.push(node);
    }
    this.#start = (start + looked) % nodes.length;
    return feasible.length;
  }

  /** The node with the highest sum of weighted scores; among equals a random one. */
  #best(active: readonly Active[], count: number): NodeInfo {
    if (this.#totals.length < count) {
      this.#totals = new Float64Array(count * 2);
      this.#raw = new Float64Array(count * 2);
    }
    const totals = this.#totals.fill(0, 0, count);
    for (const { plugin, state } of active) {
      if (plugin.score === null) continue;
      const raw = this.#raw;
      let highest = 0;
      for (let i = 0; i < count; i++) {
        const score = plugin.score(state, this.#feasible[i]!);
        raw[i] = score;
        if (score > highest) highest = score;
      }
      for (let i = 0; i < count; i++) totals[i]! += plugin.weight * normalized(plugin, raw[i]!, highest);
    }
    let best = 0;
    let ties = 1;
    for (let i = 1; i < count; i++) {
      if (totals[i]! > totals[best]!) {
        best = i;
        ties = 1;
      } else if (totals[i] === totals[best] && this.#random.next() * ++ties < 1) best = i;
    }
    return this.#feasible[best]!;
  }
}

function normalized(plugin: Plugin, raw: number, highest: number): number {
  switch (plugin.normalize) {
    case 'none':
      return raw;
    case 'highest':
      return highest === 0 ? 0 : (raw * 100) / highest;
    case 'lowest':
      return highest === 0 ? 100 : ((highest - raw) * 100) / highest;
  }
}

/** Goes over all nodes again, now counting by its text why the first plugin that refuses a node does so. */
function explain(active: readonly Active[], nodes: readonly NodeInfo[]): Decision {
  const counts = new Map<string, number>();
  const refusedBy = new Set<Plugin>();
  for (const node of nodes) {
    for (const { plugin, state } of active) {
      const refusal = plugin.filter === null ? fits : plugin.filter(state, node);
      if (refusal === fits) continue;
      const texts = plugin.explain === null ? [plugin.reasons[refusal]!] : plugin.explain(state, node);
      for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
      refusedBy.add(plugin);
      break;
    }
  }
  const parts = [...counts].map(([text, count]) => `${count} ${text}`).sort();
  return {
    node: undefined,
    message: `0/${nodes.length} nodes are available: ${parts.join(', ')}.`,
    refusedBy,
  };
}
