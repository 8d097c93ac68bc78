// A slow and obvious scheduler for the tests: it keeps nothing, looks at every pod for every question, and says each rule in its own
// words. What it says of a pod and a cluster is what the real one must say.
import type { coreV1, Namespace, Node, Pod, ReplicaSet } from '../api/index.ts';

export const zone = 'topology.kubernetes.io/zone';
export const hostname = 'kubernetes.io/hostname';
const mebibyte = 1024 * 1024;

export interface World {
  readonly nodes: readonly Node[];
  readonly running: readonly Pod[];
  readonly sets: readonly ReplicaSet[];
  readonly namespaces: readonly Namespace[];
}

type Labels = Record<string, string> | undefined;
const hasLabels = (labels: Labels, wanted: Labels) =>
  Object.entries(wanted ?? {}).every(([key, value]) => labels?.[key] === value);
const sum = <T>(list: readonly T[], of: (one: T) => number) =>
  list.reduce((total, one) => total + of(one), 0);
const least = (list: readonly number[]) => list.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
const most = (list: readonly number[]) => list.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);

export class Reference {
  readonly pod: Pod;
  readonly world: World;

  constructor(pod: Pod, world: World) {
    this.pod = pod;
    this.world = world;
  }

  /** What each node that would do scores. */
  judge(): Record<string, number> {
    const feasible = this.world.nodes.filter((node) => this.fits(node));
    const parts: (readonly [weight: number, scores: readonly number[]])[] = [
      [3, reversed(feasible.map((node) => this.dislikes(node)))],
      [1, feasible.map((node) => this.emptiness(node))],
      [1, feasible.map((node) => this.balance(node))],
      [2, this.spreadScores(feasible)],
      [2, this.affinityScores(feasible)],
    ];
    return Object.fromEntries(
      feasible.map((node, i) => [node.metadata.name, sum(parts, ([weight, scores]) => weight * scores[i]!)]),
    );
  }

  here = (node: Node) => this.world.running.filter((p) => p.spec.nodeName === node.metadata.name);
  nodeOf = (pod: Pod) => this.world.nodes.find((node) => node.metadata.name === pod.spec.nodeName)!;
  borne = (taint: coreV1.Taint) => (this.pod.spec.tolerations ?? []).some((t) => t.key === taint.key);
  keptOff = (node: Node) =>
    (node.spec.taints ?? []).some((t) => t.effect !== 'PreferNoSchedule' && !this.borne(t));
  selected = (node: Node) => hasLabels(node.metadata.labels, this.pod.spec.nodeSelector);

  asked(pod: Pod, name: string): number {
    const text = pod.spec.containers[0]?.resources?.requests?.[name] ?? '0';
    const number = text.endsWith('m')
      ? Number(text.slice(0, -1))
      : Number(text) * (name === 'cpu' ? 1000 : 1);
    return number;
  }
  total = (node: Node, name: string) => Number(node.status!.allocatable![name]) * (name === 'cpu' ? 1000 : 1);
  used = (node: Node, name: string) => sum(this.here(node), (p) => this.asked(p, name));

  fits(node: Node): boolean {
    const { pod } = this;
    const room = (name: string) =>
      this.asked(pod, name) === 0 || this.asked(pod, name) <= this.total(node, name) - this.used(node, name);
    const ports = (p: Pod) => (p.spec.containers[0]!.ports ?? []).map(({ hostPort }) => hostPort);
    return (
      node.spec.unschedulable !== true &&
      !this.keptOff(node) &&
      this.selected(node) &&
      !this.here(node).some((p) => ports(p).some((port) => ports(pod).includes(port))) &&
      this.here(node).length < Number(node.status!.allocatable!.pods) &&
      room('cpu') &&
      room('memory') &&
      this.spreads(node) &&
      this.isNear(node) &&
      this.isFar(node)
    );
  }

  constraints(when: string): readonly coreV1.TopologySpreadConstraint[] {
    const own = this.pod.spec.topologySpreadConstraints ?? [];
    if (own.length > 0) return own.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === when);
    const owner = this.pod.metadata.ownerReferences?.[0];
    const set = this.world.sets.find(
      ({ metadata }) => metadata.name === owner?.name && metadata.namespace === this.pod.metadata.namespace,
    );
    if (set === undefined || when === 'DoNotSchedule') return [];
    const labelSelector = set.spec.selector;
    return [
      { maxSkew: 3, topologyKey: hostname, whenUnsatisfiable: when, labelSelector },
      { maxSkew: 5, topologyKey: zone, whenUnsatisfiable: when, labelSelector },
    ];
  }

  matching(constraint: coreV1.TopologySpreadConstraint, nodes: readonly Node[]): number {
    const names = nodes.map(({ metadata }) => metadata.name);
    return this.world.running.filter(
      (p) =>
        p.metadata.namespace === this.pod.metadata.namespace &&
        p.metadata.deletionTimestamp === undefined &&
        names.includes(p.spec.nodeName!) &&
        hasLabels(p.metadata.labels, constraint.labelSelector?.matchLabels),
    ).length;
  }

  counting(constraint: coreV1.TopologySpreadConstraint, keys: readonly string[]): readonly Node[] {
    return this.world.nodes.filter(
      (node) =>
        keys.every((key) => node.metadata.labels?.[key] !== undefined) &&
        (constraint.nodeAffinityPolicy === 'Ignore' || this.selected(node)) &&
        (constraint.nodeTaintsPolicy !== 'Honor' || !this.keptOff(node)),
    );
  }

  spreads(node: Node): boolean {
    const all = this.constraints('DoNotSchedule');
    const keys = all.map(({ topologyKey }) => topologyKey);
    return all.every((constraint) => {
      const { topologyKey: key, maxSkew, minDomains = 1 } = constraint;
      const value = node.metadata.labels?.[key];
      if (value === undefined) return false;
      const nodes = this.counting(constraint, keys);
      const domain = (wanted: string) =>
        this.matching(
          constraint,
          nodes.filter((n) => n.metadata.labels?.[key] === wanted),
        );
      const values = [...new Set(nodes.map((n) => n.metadata.labels![key]!))];
      const fewest = values.length < minDomains ? 0 : least(values.map(domain));
      const self = hasLabels(this.pod.metadata.labels, constraint.labelSelector?.matchLabels) ? 1 : 0;
      return domain(value) + self - fewest <= maxSkew;
    });
  }

  spreadScores(feasible: readonly Node[]): readonly number[] {
    const all = this.constraints('ScheduleAnyway');
    const own = (this.pod.spec.topologySpreadConstraints?.length ?? 0) > 0;
    const keys = own ? all.map(({ topologyKey }) => topologyKey) : [];
    if (all.length === 0) return feasible.map(() => 0);
    const counts = (node: Node) => keys.every((key) => node.metadata.labels?.[key] !== undefined);
    const scored = feasible.filter(counts);
    const raw = feasible.map((node) => {
      if (!counts(node)) return undefined;
      const parts = all.map((constraint) => {
        const { topologyKey: key, maxSkew } = constraint;
        const value = node.metadata.labels?.[key];
        if (value === undefined) return 0;
        const inDomain =
          key === hostname
            ? [node]
            : this.counting(constraint, keys).filter((n) => n.metadata.labels?.[key] === value);
        const domains =
          key === hostname ? scored.length : new Set(scored.map((n) => n.metadata.labels?.[key])).size;
        return this.matching(constraint, inDomain) * Math.log(domains + 2) + maxSkew - 1;
      });
      return Math.round(sum(parts, (part) => part));
    });
    const known = raw.filter((score) => score !== undefined);
    const [low, high] = [least(known), Math.max(0, most(known))];
    return raw.map((score) =>
      score === undefined ? 0 : high === 0 ? 100 : Math.floor((100 * (high + low - score)) / high),
    );
  }

  /** Whether a term of `owner` speaks of `other`. */
  speaksOf(term: coreV1.PodAffinityTerm, owner: Pod, other: Pod): boolean {
    const { namespaces = [], namespaceSelector } = term;
    const own = namespaces.length === 0 && namespaceSelector === undefined;
    const namespace = other.metadata.namespace!;
    const labels = this.world.namespaces.find(({ metadata }) => metadata.name === namespace)?.metadata.labels;
    return (
      ((own && owner.metadata.namespace === namespace) ||
        namespaces.includes(namespace) ||
        (namespaceSelector !== undefined && hasLabels(labels, namespaceSelector.matchLabels))) &&
      hasLabels(other.metadata.labels, term.labelSelector?.matchLabels)
    );
  }

  together(a: Node, b: Node, key: string): boolean {
    const value = a.metadata.labels?.[key];
    return value !== undefined && value === b.metadata.labels?.[key];
  }

  isNear(node: Node): boolean {
    const terms = requiredOf(this.pod.spec.affinity?.podAffinity);
    const all = (other: Pod) => terms.every((term) => this.speaksOf(term, this.pod, other));
    const friends = this.world.running.filter(all);
    const hasKey = (n: Node, key: string) => n.metadata.labels?.[key] !== undefined;
    if (!terms.every(({ topologyKey }) => hasKey(node, topologyKey))) return false;
    if (terms.every((t) => friends.some((f) => this.together(node, this.nodeOf(f), t.topologyKey))))
      return true;
    const anywhere = terms.some((t) => friends.some((f) => hasKey(this.nodeOf(f), t.topologyKey)));
    return !anywhere && all(this.pod);
  }

  isFar(node: Node): boolean {
    const own = requiredOf(this.pod.spec.affinity?.podAntiAffinity);
    return this.world.running.every((other) => {
      const clashes = (term: coreV1.PodAffinityTerm, owner: Pod, about: Pod) =>
        this.speaksOf(term, owner, about) && this.together(node, this.nodeOf(other), term.topologyKey);
      return (
        !own.some((term) => clashes(term, this.pod, other)) &&
        !requiredOf(other.spec.affinity?.podAntiAffinity).some((term) => clashes(term, other, this.pod))
      );
    });
  }

  affinityScores(feasible: readonly Node[]): readonly number[] {
    const wishes: { readonly term: coreV1.PodAffinityTerm; readonly weight: number; readonly at: Node }[] =
      [];
    const collect = (owner: Pod, about: Pod, at: Node) => {
      const { podAffinity, podAntiAffinity } = owner.spec.affinity ?? {};
      const weighted = [
        ...preferredOf(podAffinity).map(({ weight, podAffinityTerm }) => ({ weight, term: podAffinityTerm })),
        ...preferredOf(podAntiAffinity).map((p) => ({ weight: -p.weight, term: p.podAffinityTerm })),
        ...(owner === this.pod ? [] : requiredOf(podAffinity).map((term) => ({ weight: 1, term }))),
      ];
      for (const { term, weight } of weighted)
        if (this.speaksOf(term, owner, about)) wishes.push({ term, weight, at });
    };
    for (const other of this.world.running) {
      collect(this.pod, other, this.nodeOf(other));
      collect(other, this.pod, this.nodeOf(other));
    }
    const raw = feasible.map((node) =>
      sum(
        wishes.filter(({ term, at }) => this.together(node, at, term.topologyKey)),
        ({ weight }) => weight,
      ),
    );
    const [low, high] = [least(raw), most(raw)];
    return raw.map((score) => (high === low ? 0 : Math.floor(100 * ((score - low) / (high - low)))));
  }

  dislikes = (node: Node) =>
    (node.spec.taints ?? []).filter((t) => t.effect === 'PreferNoSchedule' && !this.borne(t)).length;

  emptiness(node: Node): number {
    const of = (name: string, unsaid: number) => {
      const total = this.total(node, name);
      const used = sum([...this.here(node), this.pod], (p) => this.asked(p, name) || unsaid);
      return total === 0 ? [] : [used > total ? 0 : Math.floor(((total - used) * 100) / total)];
    };
    const scores = [...of('cpu', 100), ...of('memory', 200 * mebibyte)];
    return scores.length === 0 ? 0 : Math.floor(sum(scores, (score) => score) / scores.length);
  }

  balance(node: Node): number {
    if (this.asked(this.pod, 'cpu') === 0 && this.asked(this.pod, 'memory') === 0) return 0;
    const shares = ['cpu', 'memory']
      .filter((name) => this.total(node, name) > 0)
      .map((name) =>
        Math.min(1, (this.used(node, name) + this.asked(this.pod, name)) / this.total(node, name)),
      );
    return shares.length < 2 ? 100 : Math.floor((1 - Math.abs((shares[0]! - shares[1]!) / 2)) * 100);
  }
}

const requiredOf = (from: coreV1.PodAffinity | undefined) =>
  from?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
const preferredOf = (from: coreV1.PodAffinity | undefined) =>
  from?.preferredDuringSchedulingIgnoredDuringExecution ?? [];

function reversed(raw: readonly number[]): readonly number[] {
  const highest = Math.max(0, ...raw);
  return raw.map((score) => (highest === 0 ? 100 : 100 - Math.floor((score * 100) / highest)));
}
