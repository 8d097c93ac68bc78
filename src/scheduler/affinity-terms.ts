// Pod (anti-)affinity terms, compiled once a group of pods: which pods a term speaks of, and around which topology.
import type { coreV1, Pod } from '../api/index.ts';
import { compileLabelSelector, type LabelMatcher, type Labels } from '../machinery/index.ts';

export class AffinityTerm {
  readonly topologyKey: string;
  /** 1–100 for preferred terms, 0 for required ones. */
  readonly weight: number;
  /** The same for terms that speak of the same pods; the topology is not part of it. */
  readonly id: string;
  readonly #namespaces: ReadonlySet<string>;
  readonly #namespaceSelector: LabelMatcher | null;
  readonly #selector: LabelMatcher;

  constructor(term: coreV1.PodAffinityTerm, namespace: string, weight: number) {
    const { labelSelector, namespaces = [], namespaceSelector, topologyKey } = term;
    this.topologyKey = topologyKey;
    this.weight = weight;
    this.#namespaces =
      namespaces.length === 0 && namespaceSelector === undefined ? new Set([namespace]) : new Set(namespaces);
    this.#namespaceSelector =
      namespaceSelector === undefined ? null : compileLabelSelector(namespaceSelector);
    this.#selector = compileLabelSelector(labelSelector);
    this.id = JSON.stringify([[...this.#namespaces].sort(), namespaceSelector, labelSelector]);
  }

  /** `namespaceLabels` are those of the pod's namespace. */
  matches(pod: { namespace: string; labels: Labels }, namespaceLabels: Labels | undefined): boolean {
    if (!this.#namespaces.has(pod.namespace)) {
      if (this.#namespaceSelector === null || !this.#namespaceSelector(namespaceLabels ?? {})) return false;
    }
    return this.#selector(pod.labels);
  }
}

/** All terms of a pod by what they are for. */
export interface PodTerms {
  readonly affinity: readonly AffinityTerm[];
  readonly antiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly AffinityTerm[];
  readonly preferredAntiAffinity: readonly AffinityTerm[];
}

/** Waiting pods are asked for theirs again and again. */
const known = new WeakMap<Pod, PodTerms | null>();

/** null = it has none. */
export function podTerms(pod: Pod): PodTerms | null {
  let found = known.get(pod);
  if (found === undefined) known.set(pod, (found = compilePodTerms(pod)));
  return found;
}

function compilePodTerms({ metadata, spec }: Pod): PodTerms | null {
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {};
  if (podAffinity === undefined && podAntiAffinity === undefined) return null;
  const namespace = metadata.namespace ?? '';
  const required = (from: coreV1.PodAffinity | undefined) =>
    (from?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(
      (term) => new AffinityTerm(term, namespace, 0),
    );
  const preferred = (from: coreV1.PodAffinity | undefined) =>
    (from?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
      ({ weight, podAffinityTerm }) => new AffinityTerm(podAffinityTerm, namespace, weight),
    );
  return {
    affinity: required(podAffinity),
    antiAffinity: required(podAntiAffinity),
    preferredAffinity: preferred(podAffinity),
    preferredAntiAffinity: preferred(podAntiAffinity),
  };
}
