// Which thresholds are met, for how long, and what the node says about it: what the kubelet's eviction manager remembers from one look
// to the next. Pure: the state before and what is seen go in, the state after comes out.
import { amountOf, factsOf, type Observations, type PressureCondition, type Threshold } from './signals.ts';

export interface PressureState {
  /** Met thresholds, and since when. */
  readonly firstMet: ReadonlyMap<Threshold, number>;
  /** Those whose grace is over: they count until there is `minReclaim` more than they ask for. */
  readonly active: readonly Threshold[];
  /** When a condition was last true. */
  readonly lastSeen: ReadonlyMap<PressureCondition, number>;
  /** What the node reports, in the order of the thresholds. */
  readonly conditions: readonly PressureCondition[];
}

export const noPressure: PressureState = {
  firstMet: new Map(),
  active: [],
  lastSeen: new Map(),
  conditions: [],
};

/** Those that are short now. What cannot be observed is not short. */
export function thresholdsMet(
  thresholds: readonly Threshold[],
  observations: Observations,
  reclaim: 'ignored' | 'enforced',
): Threshold[] {
  return thresholds.filter((threshold) => {
    const seen = observations.get(threshold.signal);
    if (seen === undefined) return false;
    const more =
      reclaim === 'enforced' && threshold.minReclaim !== undefined
        ? amountOf(threshold.minReclaim, seen.capacity)
        : 0;
    return seen.available < amountOf(threshold.amount, seen.capacity) + more;
  });
}

export interface PressureInput {
  readonly before: PressureState;
  readonly thresholds: readonly Threshold[];
  readonly observations: Observations;
  /** Monotonic. */
  readonly nowMs: number;
  /** How long a condition stays after it was last true, so that a node on the edge does not take and lose its pods in turns. */
  readonly transitionMs: number;
}

export function nextPressure(input: PressureInput): PressureState {
  const { before, thresholds, observations, nowMs, transitionMs } = input;
  const met = thresholdsMet(thresholds, observations, 'ignored');
  for (const held of thresholdsMet(before.active, observations, 'enforced'))
    if (!met.includes(held)) met.push(held);
  const firstMet = new Map(met.map((one) => [one, before.firstMet.get(one) ?? nowMs]));
  const lastSeen = new Map(before.lastSeen);
  for (const { signal } of met) lastSeen.set(factsOf[signal].condition, nowMs);
  const conditions = [...lastSeen]
    .filter(([, at]) => at === nowMs || nowMs - at < transitionMs)
    .map(([condition]) => condition);
  for (const one of lastSeen.keys()) if (!conditions.includes(one)) lastSeen.delete(one);
  return {
    firstMet,
    active: met.filter((one) => nowMs - firstMet.get(one)! >= one.graceMs),
    lastSeen,
    conditions,
  };
}

/** The one threshold that is acted on: memory before all others. undefined = nothing is short. */
export function chooseThreshold(active: readonly Threshold[]): Threshold | undefined {
  return active.find(({ signal }) => factsOf[signal].resource === 'memory') ?? active[0];
}
