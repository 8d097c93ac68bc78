// Which pods go first when there are too many: those whose loss hurts least, in Kubernetes' order (ActivePodsWithRanks). Pure.
import { getCondition, isActive, isReady, isSidecar, type Pod } from '../../api/index.ts';
import { parseTime } from '../../machinery/index.ts';

const costAnnotation = 'controller.kubernetes.io/pod-deletion-cost';

export interface VictimOptions {
  readonly count: number;
  /** Pods whose crowding on a node counts; those that are not active do not. */
  readonly related: readonly Pod[];
  readonly nowMs: number;
}

export function chooseVictims(
  pods: readonly Pod[],
  { count, related, nowMs }: VictimOptions,
): readonly Pod[] {
  if (count >= pods.length) return pods;
  const perNode = new Map<string, number>();
  for (const pod of related) {
    const { nodeName } = pod.spec;
    if (nodeName && isActive(pod)) perNode.set(nodeName, (perNode.get(nodeName) ?? 0) + 1);
  }
  const ranked = pods.map((pod) => new Ranked(pod, perNode.get(pod.spec.nodeName ?? '') ?? 0, nowMs));
  ranked.sort(compareRanked);
  return ranked.slice(0, count).map(({ pod }) => pod);
}

function compareRanked(a: Ranked, b: Ranked): number {
  for (let i = 0; i < rules.length; i++) {
    const difference = a.rank(i) - b.rank(i);
    if (difference !== 0) return difference;
  }
  return a.pod.metadata.uid < b.pod.metadata.uid ? -1 : 1;
}

/** HOT: of ten thousand pods most differ by an early rule, so the later ones are asked when they are needed. */
class Ranked {
  readonly pod: Pod;
  readonly siblings: number;
  readonly nowMs: number;
  readonly #ranks: number[] = [];

  constructor(pod: Pod, siblings: number, nowMs: number) {
    this.pod = pod;
    this.siblings = siblings;
    this.nowMs = nowMs;
  }

  /** By the rule with this index. Asked in order. */
  rank(rule: number): number {
    if (rule === this.#ranks.length) this.#ranks.push(rules[rule]!(this));
    return this.#ranks[rule]!;
  }
}

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/** One number a rule, the first that differs decides; lower goes first. */
const rules: readonly ((ranked: Ranked) => number)[] = [
  ({ pod }) => (pod.spec.nodeName ? 1 : 0),
  ({ pod }) => phaseRank[pod.status?.phase ?? 'Pending'] ?? 0,
  ({ pod }) => (isReady(pod) ? 1 : 0),
  ({ pod }) => deletionCost(pod),
  ({ siblings }) => -siblings,
  ({ pod, nowMs }) =>
    isReady(pod) ? ageRank(parseTime(getCondition(pod, 'Ready')?.lastTransitionTime), nowMs) : 0,
  ({ pod }) => -restarts(pod, 'containers'),
  ({ pod }) => -restarts(pod, 'sidecars'),
  ({ pod, nowMs }) => ageRank(parseTime(pod.metadata.creationTimestamp), nowMs),
];

const int32 = 2 ** 31;

function deletionCost({ metadata }: Pod): number {
  const text = metadata.annotations?.[costAnnotation];
  if (text === undefined || !/^(?:0|-?[1-9]\d{0,9})$/.test(text)) return 0;
  const cost = Number(text);
  return cost >= -int32 && cost < int32 ? cost : 0;
}

function restarts({ spec, status }: Pod, of: 'containers' | 'sidecars'): number {
  let most = 0;
  if (of === 'containers') {
    for (const { restartCount } of status?.containerStatuses ?? []) most = Math.max(most, restartCount);
    return most;
  }
  const sidecars = new Set((spec.initContainers ?? []).filter(isSidecar).map((c) => c.name));
  for (const { name, restartCount } of status?.initContainerStatuses ?? [])
    if (sidecars.has(name)) most = Math.max(most, restartCount);
  return most;
}

/** Powers of two of the age in nanoseconds, so that small differences do not matter; unknown or not yet begun goes first. */
function ageRank(sinceMs: number | undefined, nowMs: number): number {
  const nanoseconds = sinceMs === undefined ? 0 : (nowMs - sinceMs) * 1e6;
  return nanoseconds <= 0 ? -1 : Math.floor(Math.log2(nanoseconds));
}
