// PodTopologySpread: matching pods spread evenly over the values of a topology key, as a must or as a preference. Pods that say
// nothing are spread over zones and nodes by default. Counts come from tallies; only a pod that is limited to some nodes makes us look
// at each node. Semantics of kube-scheduler 1.35. HOT: bench/scheduler.ts.
import { type coreV1, Node, type NodeTest, Pod } from '../../api/index.ts';
import { compileLabelSelector, formatLabelSelector, type LabelMatcher } from '../../machinery/index.ts';
import { choiceOf, fieldsOf, listOf, textOf, wholeOf } from '../arguments.ts';
import { DefaultSelectors } from '../default-selector.ts';
import type { NodeInfo } from '../node-info.ts';
import { requiredOfNode } from '../node-selector.ts';
import {
  ArgumentError,
  type ClusterView,
  definePlugin,
  definePluginFactory,
  fits,
  unresolvable,
  wakeOn,
} from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';
import type { PodGroup, Tally, Topology } from '../tallies.ts';

const name = 'PodTopologySpread';
const hostname = 'kubernetes.io/hostname';
const skewed = 1;
const noLabel = 2;

interface Rule {
  readonly maxSkew: number;
  readonly topologyKey: string;
  readonly whenUnsatisfiable: string;
  readonly minDomains: number;
  readonly honorsAffinity: boolean;
  readonly honorsTaints: boolean;
  /** What the default selector decides when undefined. */
  readonly labelSelector: coreV1.TopologySpreadConstraint['labelSelector'];
}

/** One rule for one pod. */
class Constraint {
  readonly rule: Rule;
  readonly topology: Topology;
  readonly tally: Tally;
  readonly matches: LabelMatcher;
  /** 1 = the pod counts for itself. */
  readonly self: number;
  /** Matching pods by value id. Shared with the tally until `owned`. */
  counts: Int32Array;
  owned = false;
  /** By value id: whether the value is a domain, 0 or 1; null = all values that a node has. */
  domains: Uint8Array | null = null;
  /** The fewest matching pods of a domain; -1 = to be found out. */
  least = -1;
  /** For scoring: what a pod in the domain counts. */
  weight = 0;

  constructor(rule: Rule, parts: { topology: Topology; tally: Tally; matches: LabelMatcher; pod: PodInfo }) {
    this.rule = rule;
    this.topology = parts.topology;
    this.tally = parts.tally;
    this.matches = parts.matches;
    this.self = parts.matches(parts.pod.pod.metadata.labels) ? 1 : 0;
    this.counts = parts.tally.sums(parts.topology);
  }

  leastOfDomains(): number {
    if (this.least >= 0) return this.least;
    const { topology, domains, counts } = this;
    let least = Number.POSITIVE_INFINITY;
    let found = 0;
    for (let id = 0; id < topology.nodes.length; id++) {
      if (domains === null ? topology.nodes[id] === 0 : domains[id] !== 1) continue;
      found++;
      const count = counts[id] ?? 0;
      if (count < least) least = count;
    }
    this.least = found < this.rule.minDomains || found === 0 ? 0 : Math.max(0, least);
    return this.least;
  }

  change(slot: number, by: number): void {
    const id = this.topology.valueOf[slot]!;
    if (!this.owned || id >= this.counts.length) {
      const copy = new Int32Array(Math.max(this.counts.length, this.topology.ids.size));
      copy.set(this.counts);
      this.counts = copy;
      this.owned = true;
    }
    this.counts[id]! += by;
    this.least = -1;
  }
}

class State {
  readonly pod: PodInfo;
  readonly hard: readonly Constraint[];
  readonly soft: readonly Constraint[];
  readonly required: NodeTest | null;
  /** Soft rules count only nodes that have all of their keys. */
  readonly needsAllKeys: boolean;

  constructor(
    pod: PodInfo,
    parts: { hard: readonly Constraint[]; soft: readonly Constraint[]; needsAllKeys: boolean },
  ) {
    this.pod = pod;
    this.hard = parts.hard;
    this.soft = parts.soft;
    this.needsAllKeys = parts.needsAllKeys;
    this.required = requiredOfNode(pod.pod);
  }

  counts(node: NodeInfo, { honorsAffinity, honorsTaints }: Rule): boolean {
    if (honorsAffinity && this.required !== null && !this.required(node)) return false;
    return !honorsTaints || node.isBorneBy(this.pod.pod.spec.tolerations ?? none);
  }
}

const none: readonly coreV1.Toleration[] = [];

function hasAllKeys(node: NodeInfo, constraints: readonly Constraint[]): boolean {
  for (const { topology } of constraints) if (topology.valueOf[node.slot]! < 0) return false;
  return true;
}

/** Limits counts and domains to the nodes that the rules let count. Nothing to do when that is all of them. */
function limit(
  state: State,
  constraints: readonly Constraint[],
  given: { cluster: ClusterView; needsAllKeys: boolean },
): void {
  const { nodes } = given.cluster;
  const allKeys =
    !given.needsAllKeys || constraints.every(({ topology }) => topology.nodesWithKey === nodes.length);
  for (const constraint of constraints) {
    const { rule, topology, tally } = constraint;
    const everyNode = allKeys && (!rule.honorsAffinity || state.required === null) && !rule.honorsTaints;
    if (everyNode) continue;
    const size = topology.ids.size;
    const counts = new Int32Array(size);
    const domains = new Uint8Array(size);
    for (const node of nodes) {
      if (given.needsAllKeys && !hasAllKeys(node, constraints)) continue;
      const id = topology.valueOf[node.slot]!;
      if (id < 0 || !state.counts(node, rule)) continue;
      counts[id]! += tally.onNode[node.slot]!;
      domains[id] = 1;
    }
    constraint.counts = counts;
    constraint.domains = domains;
    constraint.owned = true;
  }
}

function suppose(state: State, pod: PodInfo, given: { node: NodeInfo; by: number }): void {
  const { node, by } = given;
  if (pod.namespace !== state.pod.namespace || pod.pod.metadata.deletionTimestamp !== undefined) return;
  if (!hasAllKeys(node, state.hard)) return;
  for (const constraint of state.hard)
    if (constraint.matches(pod.pod.metadata.labels) && state.counts(node, constraint.rule))
      constraint.change(node.slot, by);
}

function ruleOf(constraint: coreV1.TopologySpreadConstraint): Rule {
  return {
    maxSkew: constraint.maxSkew,
    topologyKey: constraint.topologyKey,
    whenUnsatisfiable: constraint.whenUnsatisfiable,
    minDomains: constraint.minDomains ?? 1,
    honorsAffinity: constraint.nodeAffinityPolicy !== 'Ignore',
    honorsTaints: constraint.nodeTaintsPolicy === 'Honor',
    labelSelector: constraint.labelSelector,
  };
}

const systemDefaults: readonly Rule[] = [
  { topologyKey: hostname, whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 3 },
  { topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 5 },
].map(ruleOf);

interface Args {
  readonly system: boolean;
  readonly defaults: readonly Rule[];
}

function readArgs(given: Readonly<Record<string, unknown>>): Args {
  const { defaultConstraints, defaultingType = 'System' } = fieldsOf(given, '', [
    'defaultConstraints',
    'defaultingType',
  ]);
  const type = choiceOf(defaultingType, 'defaultingType', ['System', 'List']);
  const listed = listOf(defaultConstraints, 'defaultConstraints');
  if (type === 'System') {
    if (listed.length > 0)
      throw new ArgumentError(
        'defaultingType: Invalid value: "System": when .defaultConstraints are specified, .defaultingType must be "List"',
      );
    return { system: true, defaults: systemDefaults };
  }
  const seen = new Set<string>();
  const defaults = listed.map((one, i) => {
    const at = `defaultConstraints[${i}]`;
    const fields = fieldsOf(one, at, ['maxSkew', 'topologyKey', 'whenUnsatisfiable', 'labelSelector']);
    if (fields.labelSelector !== undefined)
      throw new ArgumentError(
        `${at}.labelSelector: Forbidden: constraint must not define a selector, as they deduced for each pod`,
      );
    const rule = {
      maxSkew: wholeOf(fields.maxSkew, `${at}.maxSkew`, { least: 1, most: 2 ** 31 - 1 }),
      topologyKey: textOf(fields.topologyKey, `${at}.topologyKey`),
      whenUnsatisfiable: choiceOf(fields.whenUnsatisfiable, `${at}.whenUnsatisfiable`, [
        'DoNotSchedule',
        'ScheduleAnyway',
      ]),
    };
    if (rule.topologyKey === '')
      throw new ArgumentError(`${at}.topologyKey: Required value: can not be empty`);
    const id = `{${rule.topologyKey}, ${rule.whenUnsatisfiable}}`;
    if (seen.has(id)) throw new ArgumentError(`${at}: Duplicate value: "${id}"`);
    seen.add(id);
    return ruleOf(rule);
  });
  return { system: false, defaults };
}

export const podTopologySpread = definePluginFactory<State, Args>({
  name,
  readArgs,
  build(context, { system, defaults }) {
    const { cluster } = context;
    const selectors = defaults.length === 0 ? null : new DefaultSelectors(context);

    const constraintOf = (
      pod: PodInfo,
      rule: Rule,
      selected: { id: string; matches: LabelMatcher },
    ): Constraint => {
      const { namespace } = pod;
      const { matches, id } = selected;
      const tally = cluster.tallies.tally(`spread ${namespace} ${id}`, (group: PodGroup) =>
        group.namespace === namespace && !group.terminating && matches(group.labels) ? 1 : 0,
      );
      return new Constraint(rule, {
        topology: cluster.tallies.topology(rule.topologyKey),
        tally,
        matches,
        pod,
      });
    };

    const constraintsOf = (pod: PodInfo): readonly Constraint[] | null => {
      const own = pod.pod.spec.topologySpreadConstraints ?? [];
      if (own.length > 0)
        return own.map((constraint) =>
          constraintOf(pod, ruleOf(constraint), {
            // No selector selects nothing, an empty one everything; their texts are the same.
            id:
              constraint.labelSelector === undefined
                ? '!'
                : `=${formatLabelSelector(constraint.labelSelector)}`,
            matches: compileLabelSelector(constraint.labelSelector),
          }),
        );
      const selector = selectors?.of(pod) ?? null;
      if (selector === null) return null;
      return defaults.map((rule) =>
        constraintOf(pod, rule, { id: `=${selector.id}`, matches: selector.matches }),
      );
    };

    return definePlugin<State>({
      name,
      reasons: [
        '',
        "node(s) didn't match pod topology spread constraints",
        unresolvable("node(s) didn't match pod topology spread constraints (missing required label)"),
      ],
      weight: 2,
      wakeOn: [
        wakeOn(Pod, 'add', (waiting, pod) => concerns(waiting, pod)),
        wakeOn(Pod, 'delete', (waiting, pod) => concerns(waiting, pod)),
        wakeOn(
          Pod,
          'update',
          (waiting, pod, old) => concerns(waiting, pod) || (old !== undefined && concerns(waiting, old)),
        ),
        wakeOn(Node, 'add'),
        wakeOn(Node, 'delete'),
        wakeOn(Node, 'update'),
      ],
      preFilter(pod) {
        const all = constraintsOf(pod);
        if (all === null) return undefined;
        const hard = all.filter(({ rule }) => rule.whenUnsatisfiable === 'DoNotSchedule');
        const soft = all.filter(({ rule }) => rule.whenUnsatisfiable === 'ScheduleAnyway');
        const ownOnes = (pod.pod.spec.topologySpreadConstraints?.length ?? 0) > 0;
        const state = new State(pod, { hard, soft, needsAllKeys: ownOnes || !system });
        limit(state, hard, { cluster, needsAllKeys: true });
        return state;
      },
      skipFilter: ({ hard }) => hard.length === 0,
      filter({ hard }, { slot }) {
        for (let i = 0; i < hard.length; i++) {
          const constraint = hard[i]!;
          const id = constraint.topology.valueOf[slot]!;
          if (id < 0) return noLabel;
          const count = constraint.counts[id] ?? 0;
          if (count + constraint.self - constraint.leastOfDomains() > constraint.rule.maxSkew) return skewed;
        }
        return fits;
      },
      addPod: (state, pod, node) => suppose(state, pod, { node, by: 1 }),
      removePod: (state, pod, node) => suppose(state, pod, { node, by: -1 }),
      preScore(state, feasible) {
        const { soft, needsAllKeys } = state;
        if (soft.length === 0) return false;
        limit(state, soft, { cluster, needsAllKeys });
        for (const constraint of soft)
          constraint.weight = Math.log(domainsAmong(feasible, constraint, needsAllKeys ? soft : []) + 2);
        return true;
      },
      score({ soft, needsAllKeys }, node) {
        const { slot } = node;
        if (needsAllKeys && !hasAllKeys(node, soft)) return ignored;
        let score = 0;
        for (let i = 0; i < soft.length; i++) {
          const { topology, tally, counts, weight, rule } = soft[i]!;
          const id = topology.valueOf[slot]!;
          if (id < 0) continue;
          const count = topology.key === hostname ? tally.onNode[slot]! : (counts[id] ?? 0);
          score += count * weight + (rule.maxSkew - 1);
        }
        return Math.round(score);
      },
      normalize(_, scores, nodes) {
        let least = Number.POSITIVE_INFINITY;
        let most = 0;
        for (let i = 0; i < nodes.length; i++) {
          const score = scores[i]!;
          if (score === ignored) continue;
          if (score < least) least = score;
          if (score > most) most = score;
        }
        for (let i = 0; i < nodes.length; i++) {
          const score = scores[i]!;
          if (score === ignored) scores[i] = 0;
          else scores[i] = most === 0 ? 100 : Math.floor((100 * (most + least - score)) / most);
        }
      },
    });
  },
});

/** The score of a node that lacks a key. */
const ignored = -1;

/** Whether a change of that pod may change what the waiting one counts: pods of its namespace do. */
const concerns = (waiting: PodInfo, pod: Pod): boolean => pod.metadata.namespace === waiting.namespace;

/** How many values of the key the nodes have; a node without it has a value of its own kind. */
function domainsAmong(
  nodes: readonly NodeInfo[],
  { topology }: Constraint,
  keys: readonly Constraint[],
): number {
  const skipsNone = keys.length === 0 || keys.every((key) => key.topology.nodesWithKey >= nodes.length);
  if (topology.key === hostname) {
    if (skipsNone && keys.length === 0) return nodes.length;
    let count = 0;
    for (const node of nodes) if (hasAllKeys(node, keys)) count++;
    return count;
  }
  const seen = new Uint8Array(topology.ids.size + 1);
  let count = 0;
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i]!;
    if (keys.length > 0 && !hasAllKeys(node, keys)) continue;
    const id = topology.valueOf[node.slot]! + 1;
    if (seen[id] === 1) continue;
    seen[id] = 1;
    count++;
  }
  return count;
}
