// One decision: which node a pod goes to, or why none will do. Pure: the same nodes, pod and seed give the same answer.
// HOT: bench/scheduler.ts.
import type { Random } from '../base/index.ts';
import { type Active, FilterRun } from './filter-run.ts';
import type { NodeInfo } from './node-info.ts';
import { type ClusterView, fits, type Plugin, PodRefusal, type Rescue } from './plugin.ts';
import type { PodInfo } from './pod-info.ts';

export interface Placement {
  readonly node: NodeInfo;
  /** The plugins that matter to the pod, with what they found out: for reserve and preBind. */
  readonly active: readonly Active[];
}

export interface Refusal {
  readonly node: undefined;
  /** `0/5 nodes are available: 3 Insufficient cpu, 2 node(s) were unschedulable. preemption: …` */
  readonly message: string;
  /** Plugins that refused a node, or the pod: what they wait for decides when to try again. */
  readonly refusedBy: ReadonlySet<Plugin>;
  /** What a postFilter would do about it. */
  readonly rescue: Rescue | undefined;
}

export type Decision = Placement | Refusal;

/** Finding more nodes than this (or this share of a large cluster) makes the choice slower, hardly better. */
const minFeasible = 100;

/** As kube-scheduler: 50 % of a small cluster, falling to 5 %, never less than a hundred. `percentage` 0 = that. */
export function enoughFeasible(nodeCount: number, percentage = 0): number {
  if (nodeCount <= minFeasible) return nodeCount;
  const share = percentage > 0 ? percentage : Math.max(5, 50 - Math.floor(nodeCount / 125));
  if (share >= 100) return nodeCount;
  return Math.max(minFeasible, Math.floor((nodeCount * share) / 100));
}

export interface CycleOptions {
  readonly random: Random;
  /** How many of the nodes are enough to choose from; 0 = by the size of the cluster. */
  readonly percentageOfNodesToScore?: number;
}

export class Cycle {
  readonly #plugins: readonly Plugin[];
  readonly #random: Random;
  readonly #percentage: number;
  /** Where the search for nodes starts, so that every node gets its turn although a search ends early. */
  #start = 0;
  // Kept between decisions so that the inner loop does not allocate.
  #feasible: NodeInfo[] = [];
  #totals: Float64Array = new Float64Array(0);
  #raw: Float64Array = new Float64Array(0);

  constructor(plugins: readonly Plugin[], options: CycleOptions) {
    this.#plugins = plugins;
    this.#random = options.random;
    this.#percentage = options.percentageOfNodesToScore ?? 0;
  }

  /** `nominatedNode`: where the pod was promised room; it goes there if it can. */
  decide(pod: PodInfo, cluster: ClusterView, nominatedNode = ''): Decision {
    const { nodes } = cluster;
    if (nodes.length === 0)
      return {
        node: undefined,
        message: 'no nodes available to schedule pods',
        refusedBy: new Set(this.#plugins),
        rescue: undefined,
      };
    const active: Active[] = [];
    for (const plugin of this.#plugins) {
      const state = plugin.preFilter(pod, nodes);
      if (state === undefined) continue;
      if (state instanceof PodRefusal)
        return this.#refused(new FilterRun(pod, []), { nodes, preFilter: state.message, by: [plugin] });
      active.push({ plugin, state });
    }
    const narrowed = narrow(active, cluster);
    if (typeof narrowed === 'string') {
      const by = active.filter(narrows).map(({ plugin }) => plugin);
      return this.#refused(new FilterRun(pod, active), { nodes, preFilter: narrowed, by });
    }
    const run = new FilterRun(pod, active);
    const promised = nominatedNode === '' ? undefined : cluster.node(nominatedNode);
    if (
      promised !== undefined &&
      (narrowed === null || narrowed.has(promised.name)) &&
      run.refuse(promised) === fits
    )
      return { node: promised, active };

    const among = narrowed === null ? nodes : [...narrowed.values()];
    const count = this.#findFeasible(run, among);
    if (count === 0) return this.#refused(run, { nodes, narrowed });
    if (count === 1) return { node: this.#feasible[0]!, active };
    return { node: this.#best(active), active };
  }

  #findFeasible(run: FilterRun, nodes: readonly NodeInfo[]): number {
    const feasible = this.#feasible;
    feasible.length = 0;
    if (nodes.length === 0) return 0;
    const wanted = enoughFeasible(nodes.length, this.#percentage);
    let looked = 0;
    const start = this.#start % nodes.length;
    for (; looked < nodes.length && feasible.length < wanted; looked++) {
      const at = start + looked;
      const node = nodes[at < nodes.length ? at : at - nodes.length]!;
      if (run.refuse(node) === fits) feasible.push(node);
    }
    this.#start = (start + looked) % nodes.length;
    return feasible.length;
  }

  /** What each node that would do scores, by name: all of them, none when the pod is refused as a whole. To look into decisions. */
  judge(pod: PodInfo, cluster: ClusterView): ReadonlyMap<string, number> {
    const active: Active[] = [];
    for (const plugin of this.#plugins) {
      const state = plugin.preFilter(pod, cluster.nodes);
      if (state instanceof PodRefusal) return new Map();
      if (state !== undefined) active.push({ plugin, state });
    }
    const narrowed = narrow(active, cluster);
    if (typeof narrowed === 'string') return new Map();
    const run = new FilterRun(pod, active);
    const among = narrowed === null ? cluster.nodes : [...narrowed.values()];
    this.#feasible = among.filter((node) => run.refuse(node) === fits);
    const totals = this.#score(active);
    return new Map(this.#feasible.map(({ name }, i) => [name, totals[i]!]));
  }

  /** The node with the highest sum of weighted scores; among equals a random one. */
  #best(active: readonly Active[]): NodeInfo {
    const totals = this.#score(active);
    const count = this.#feasible.length;
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

  /** The sums of weighted scores, in the order of the feasible nodes. */
  #score(active: readonly Active[]): Float64Array {
    const count = this.#feasible.length;
    if (this.#totals.length < count) {
      this.#totals = new Float64Array(count * 2);
      this.#raw = new Float64Array(count * 2);
    }
    const totals = this.#totals.fill(0, 0, count);
    for (const { plugin, state } of active) {
      if (plugin.score === null) continue;
      if (plugin.preScore !== null && !plugin.preScore(state, this.#feasible)) continue;
      this.#addScores(plugin, state, count);
    }
    return totals;
  }

  #addScores(plugin: Plugin, state: unknown, count: number): void {
    const raw = this.#raw;
    const totals = this.#totals;
    let highest = 0;
    for (let i = 0; i < count; i++) {
      const score = plugin.score!(state, this.#feasible[i]!);
      raw[i] = score;
      if (score > highest) highest = score;
    }
    const { normalize, weight } = plugin;
    if (typeof normalize === 'function') {
      normalize(state, raw, this.#feasible);
      for (let i = 0; i < count; i++) totals[i]! += weight * raw[i]!;
    } else for (let i = 0; i < count; i++) totals[i]! += weight * normalized(normalize, raw[i]!, highest);
  }

  /** `narrowed`: the only nodes that were looked at; null = all. `preFilter`: why none was, and then no node is worth a try. */
  #refused(
    run: FilterRun,
    found: {
      nodes: readonly NodeInfo[];
      narrowed?: ReadonlyMap<string, NodeInfo> | null;
      preFilter?: string;
      by?: readonly Plugin[];
    },
  ): Refusal {
    const { nodes, narrowed = null, preFilter } = found;
    const counts = new Map<string, number>();
    const refusedBy = new Set<Plugin>(found.by);
    const candidates: NodeInfo[] = [];
    const looked = preFilter !== undefined ? [] : narrowed === null ? nodes : [...narrowed.values()];
    for (const node of looked) {
      const { texts, plugin, resolvable } = run.explain(node);
      for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
      if (plugin !== undefined) refusedBy.add(plugin);
      if (resolvable) candidates.push(node);
    }
    if (narrowed !== null && preFilter === undefined) {
      const by = run.active.filter(narrows).map(({ plugin }) => plugin);
      for (const plugin of by) refusedBy.add(plugin);
      const names = by.map(({ name }) => name).sort();
      if (nodes.length > looked.length)
        counts.set(`node(s) didn't satisfy plugin(s) [${names.join(' ')}]`, nodes.length - looked.length);
    }
    const why = preFilter ?? summary(counts);
    let message = `0/${nodes.length} nodes are available: ${why}.`;
    const rescue = this.#rescue(run, nodes, candidates);
    if (rescue?.message !== undefined) message += ` ${rescue.message}`;
    return { node: undefined, message, refusedBy, rescue };
  }

  #rescue(run: FilterRun, nodes: readonly NodeInfo[], candidates: readonly NodeInfo[]): Rescue | undefined {
    const remarks: string[] = [];
    for (const plugin of this.#plugins) {
      const answer = plugin.postFilter?.({
        pod: run.pod,
        nodes,
        candidates,
        refusals: (node) => run.explain(node).texts,
        takeAway: (pod, node) => run.takeAway(pod, node),
        putBack: (pod, node) => run.putBack(pod, node),
      });
      if (answer === undefined) continue;
      if ('node' in answer)
        return answer.message === undefined || remarks.length === 0
          ? answer
          : { ...answer, message: [...remarks, answer.message].join(', ') };
      remarks.push(answer.message);
    }
    return remarks.length === 0 ? undefined : { node: 'unchanged', victims: [], message: remarks.join(', ') };
  }
}

/** `3 Insufficient cpu, 1 node(s) were unschedulable`, sorted as text, as Kubernetes does. */
export const summary = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .map(([text, count]) => `${count} ${text}`)
    .sort()
    .join(', ');

const narrows = ({ plugin, state }: Active): boolean => (plugin.narrow?.(state) ?? null) !== null;

/** The nodes that every plugin leaves, by name; null = all. A text = they leave none between them. */
function narrow(
  active: readonly Active[],
  cluster: ClusterView,
): ReadonlyMap<string, NodeInfo> | null | string {
  let left: Set<string> | null = null;
  const by: string[] = [];
  for (const { plugin, state } of active) {
    const names = plugin.narrow === null ? null : plugin.narrow(state);
    if (names === null) continue;
    by.push(plugin.name);
    const before: ReadonlySet<string> | null = left;
    left = new Set([...(before ?? names)].filter((name) => names.has(name)));
    if (left.size === 0)
      return by.length === 1
        ? `node(s) didn't satisfy plugin ${by[0]}`
        : `node(s) didn't satisfy plugin(s) [${by.join(' ')}] simultaneously`;
  }
  if (left === null) return null;
  const nodes = new Map<string, NodeInfo>();
  for (const name of left) {
    const node = cluster.node(name);
    if (node !== undefined) nodes.set(name, node);
  }
  return nodes;
}

function normalized(how: 'none' | 'highest' | 'lowest', raw: number, highest: number): number {
  switch (how) {
    case 'none':
      return raw;
    case 'highest':
      return highest === 0 ? 0 : Math.floor((raw * 100) / highest);
    case 'lowest':
      return highest === 0 ? 100 : 100 - Math.floor((raw * 100) / highest);
  }
}
