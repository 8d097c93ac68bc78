// InterPodAffinity: pods that want to be near others or far from them, as a must or as a preference; and the others' own wish to be
// far from the pod. Everything is counted by tallies, so a decision does not look at pods. Semantics of kube-scheduler 1.35.
// HOT: bench/scheduler.ts.
import { Namespace, Node, Pod } from '../../api/index.ts';
import type { Labels } from '../../machinery/index.ts';
import { type AffinityTerm, type PodTerms, podTerms } from '../affinity-terms.ts';
import { booleanOf, fieldsOf, wholeOf } from '../arguments.ts';
import type { NodeInfo } from '../node-info.ts';
import { definePlugin, definePluginFactory, fits, unresolvable, wakeOn } from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';
import type { PodGroup, Tally, Topology } from '../tallies.ts';

const name = 'InterPodAffinity';
const noAffinity = 1;
const antiAffinity = 2;
const existingAntiAffinity = 3;

/** Counts around one topology; a copy of the tally's as soon as something is supposed. */
class Around {
  readonly topology: Topology;
  counts: Int32Array;
  #owned = false;

  constructor(topology: Topology, tally: Tally) {
    this.topology = topology;
    this.counts = tally.sums(topology);
  }

  /** At the node; 0 when it has not the label. */
  at(slot: number): number {
    const id = this.topology.valueOf[slot]!;
    return id < 0 ? 0 : (this.counts[id] ?? 0);
  }

  has(slot: number): boolean {
    return this.topology.valueOf[slot]! >= 0;
  }

  change(slot: number, by: number): void {
    const id = this.topology.valueOf[slot]!;
    if (id < 0) return;
    if (!this.#owned || id >= this.counts.length) {
      const copy = new Int32Array(Math.max(this.counts.length, this.topology.ids.size));
      copy.set(this.counts);
      this.counts = copy;
      this.#owned = true;
    }
    this.counts[id]! += by;
  }

  get empty(): boolean {
    for (let i = 0; i < this.counts.length; i++) if (this.counts[i] !== 0) return false;
    return true;
  }
}

interface Scored {
  readonly around: Around;
  readonly weight: number;
}

interface State {
  readonly pod: PodInfo;
  readonly terms: PodTerms;
  /** Per term: pods that match all required affinity terms. */
  readonly affinity: readonly Around[];
  /** The pod is the first of its kind: it matches its own terms. */
  readonly matchesItself: boolean;
  readonly antiAffinity: readonly Around[];
  /** Per topology key: required anti-affinity terms of others that the pod would break. */
  readonly existing: Around[];
  readonly scored: Scored[];
}

const noTerms: PodTerms = {
  affinity: [],
  antiAffinity: [],
  preferredAffinity: [],
  preferredAntiAffinity: [],
};

interface Args {
  readonly hardPodAffinityWeight: number;
  readonly ignorePreferredTermsOfExistingPods: boolean;
}

function readArgs(given: Readonly<Record<string, unknown>>): Args {
  const fields = fieldsOf(given, '', ['hardPodAffinityWeight', 'ignorePreferredTermsOfExistingPods']);
  const weight = fields.hardPodAffinityWeight ?? 1;
  return {
    hardPodAffinityWeight: wholeOf(weight, 'hardPodAffinityWeight', { least: 0, most: 100 }),
    ignorePreferredTermsOfExistingPods: booleanOf(
      fields.ignorePreferredTermsOfExistingPods ?? false,
      'ignorePreferredTermsOfExistingPods',
    ),
  };
}

const like = ({ namespace, pod }: PodInfo): { namespace: string; labels: Labels } => ({
  namespace,
  labels: pod.metadata.labels ?? {},
});

export const interPodAffinity = definePluginFactory<State, Args>({
  name,
  readArgs,
  build(context, { hardPodAffinityWeight, ignorePreferredTermsOfExistingPods }) {
    const { tallies } = context.cluster;
    const namespaces = context.watch(Namespace);
    const labelsOf = (namespace: string) => namespaces.get(namespace)?.metadata.labels;
    namespaces.onChange({
      added: () => tallies.reset(),
      updated: (old, now) => {
        if (JSON.stringify(old.metadata.labels) !== JSON.stringify(now.metadata.labels)) tallies.reset();
      },
    });
    const matches = (term: AffinityTerm, pod: { namespace: string; labels: Labels }) =>
      term.matches(pod, labelsOf(pod.namespace));
    const matchesAll = (terms: readonly AffinityTerm[], pod: { namespace: string; labels: Labels }) => {
      for (const term of terms) if (!matches(term, pod)) return false;
      return terms.length > 0;
    };
    const matchingPods = (term: AffinityTerm): Tally =>
      tallies.tally(`pods ${term.id}`, (group: PodGroup) => (matches(term, group) ? 1 : 0));
    const aroundOf = (topologyKey: string, tally: Tally) => new Around(tallies.topology(topologyKey), tally);

    /** Required anti-affinity terms of that topology which speak of the pod. */
    const brokenBy = (pod: PodInfo, topologyKey: string, terms: PodTerms | null): number => {
      if (terms === null) return 0;
      let count = 0;
      for (const term of terms.antiAffinity)
        if (term.topologyKey === topologyKey && matches(term, like(pod))) count++;
      return count;
    };
    const wishFor = (pod: PodInfo, topologyKey: string, terms: PodTerms | null): number => {
      if (terms === null) return 0;
      let sum = 0;
      const add = (list: readonly AffinityTerm[], factor: (term: AffinityTerm) => number) => {
        for (const term of list)
          if (term.topologyKey === topologyKey && matches(term, like(pod))) sum += factor(term);
      };
      add(terms.affinity, () => hardPodAffinityWeight);
      add(terms.preferredAffinity, ({ weight }) => weight);
      add(terms.preferredAntiAffinity, ({ weight }) => -weight);
      return sum;
    };

    const suppose = (state: State, pod: PodInfo, given: { node: NodeInfo; by: number }): void => {
      const { slot } = given.node;
      const group = like(pod);
      const { terms } = state;
      if (matchesAll(terms.affinity, group))
        for (const around of state.affinity) around.change(slot, given.by);
      terms.antiAffinity.forEach((term, i) => {
        if (matches(term, group)) state.antiAffinity[i]!.change(slot, given.by);
      });
      if (pod.pod.spec.affinity?.podAntiAffinity === undefined) return;
      const theirs = podTerms(pod.pod);
      for (const key of new Set(theirs?.antiAffinity.map(({ topologyKey }) => topologyKey))) {
        const broken = brokenBy(state.pod, key, theirs);
        if (broken === 0) continue;
        let around = state.existing.find(({ topology }) => topology.key === key);
        if (around === undefined) {
          around = aroundOf(
            key,
            tallies.tally('nothing', () => 0, 'withTerms'),
          );
          state.existing.push(around);
        }
        around.change(slot, broken * given.by);
      }
    };

    const mayMatter = (waiting: PodInfo, pod: Pod): boolean => {
      const own = podTerms(waiting.pod) ?? noTerms;
      const other = { namespace: pod.metadata.namespace ?? '', labels: pod.metadata.labels ?? {} };
      return [...own.affinity, ...own.antiAffinity].some((term) => matches(term, other));
    };
    const keepsOff = (waiting: PodInfo, pod: Pod): boolean =>
      pod.spec.affinity?.podAntiAffinity !== undefined &&
      (podTerms(pod) ?? noTerms).antiAffinity.some((term) => matches(term, like(waiting)));

    return definePlugin<State>({
      name,
      reasons: [
        '',
        unresolvable("node(s) didn't match pod affinity rules"),
        "node(s) didn't match pod anti-affinity rules",
        "node(s) didn't satisfy existing pods anti-affinity rules",
      ],
      weight: 2,
      wakeOn: [
        wakeOn(Pod, 'add', mayMatter),
        wakeOn(Pod, 'update', (waiting, pod, old) =>
          [pod, old].some((one) => one !== undefined && (mayMatter(waiting, one) || keepsOff(waiting, one))),
        ),
        wakeOn(Pod, 'delete', (waiting, pod) => mayMatter(waiting, pod) || keepsOff(waiting, pod)),
        wakeOn(Node, 'add'),
        wakeOn(Node, 'update'),
        wakeOn(Namespace, 'add'),
        wakeOn(Namespace, 'update'),
      ],
      preFilter(pod) {
        const terms = podTerms(pod.pod) ?? noTerms;
        const { antiAffinityKeys, scoredKeys } = tallies;
        if (terms === noTerms && antiAffinityKeys.size === 0 && scoredKeys.size === 0) return undefined;
        // One pod has to match all of the terms.
        const all = terms.affinity.map(({ id }) => id).join(' ');
        const affinity = terms.affinity.map(({ topologyKey }) =>
          aroundOf(
            topologyKey,
            tallies.tally(`all ${all}`, (group) => (matchesAll(terms.affinity, group) ? 1 : 0)),
          ),
        );
        const existing = [...antiAffinityKeys.keys()].map((key) =>
          aroundOf(
            key,
            tallies.tally(
              `broken ${key} ${pod.likeness}`,
              (group) => brokenBy(pod, key, group.terms),
              'withTerms',
            ),
          ),
        );
        return {
          pod,
          terms,
          affinity,
          matchesItself: matchesAll(terms.affinity, like(pod)),
          antiAffinity: terms.antiAffinity.map((term) => aroundOf(term.topologyKey, matchingPods(term))),
          existing,
          scored: [],
        };
      },
      skipFilter: ({ affinity, antiAffinity: own, existing }) =>
        affinity.length + own.length === 0 && existing.every((around) => around.empty),
      filter(state, { slot }) {
        const { affinity, antiAffinity: own, existing } = state;
        let near = true;
        for (let i = 0; i < affinity.length; i++) {
          if (!affinity[i]!.has(slot)) return noAffinity;
          if (affinity[i]!.at(slot) <= 0) near = false;
        }
        if (!near && !(state.matchesItself && affinity.every((around) => around.empty))) return noAffinity;
        for (let i = 0; i < own.length; i++) if (own[i]!.at(slot) > 0) return antiAffinity;
        for (let i = 0; i < existing.length; i++) if (existing[i]!.at(slot) > 0) return existingAntiAffinity;
        return fits;
      },
      addPod: (state, pod, node) => suppose(state, pod, { node, by: 1 }),
      removePod: (state, pod, node) => suppose(state, pod, { node, by: -1 }),
      preScore(state) {
        const { pod, terms, scored } = state;
        const preferences = terms.preferredAffinity.length + terms.preferredAntiAffinity.length;
        const add = (around: Around, weight: number) => {
          if (!around.empty) scored.push({ around, weight });
        };
        for (const term of terms.preferredAffinity)
          add(aroundOf(term.topologyKey, matchingPods(term)), term.weight);
        for (const term of terms.preferredAntiAffinity)
          add(aroundOf(term.topologyKey, matchingPods(term)), -term.weight);
        if (preferences > 0 || !ignorePreferredTermsOfExistingPods)
          for (const key of tallies.scoredKeys.keys())
            add(
              aroundOf(
                key,
                tallies.tally(
                  `wish ${hardPodAffinityWeight} ${key} ${pod.likeness}`,
                  (group) => wishFor(pod, key, group.terms),
                  'withTerms',
                ),
              ),
              1,
            );
        return scored.length > 0;
      },
      score({ scored }, { slot }) {
        let sum = 0;
        for (let i = 0; i < scored.length; i++) sum += scored[i]!.weight * scored[i]!.around.at(slot);
        return sum;
      },
      normalize(_, scores, nodes) {
        let least = Number.POSITIVE_INFINITY;
        let most = Number.NEGATIVE_INFINITY;
        for (let i = 0; i < nodes.length; i++) {
          if (scores[i]! < least) least = scores[i]!;
          if (scores[i]! > most) most = scores[i]!;
        }
        for (let i = 0; i < nodes.length; i++)
          scores[i] = most === least ? 0 : Math.floor(100 * ((scores[i]! - least) / (most - least)));
      },
    });
  },
});
