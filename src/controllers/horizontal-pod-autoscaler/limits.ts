// From the size that the metrics call for to the size that may be had now: stabilised over recent wishes, within the policies of the
// behaviour, within minimum and maximum. Pure; the rules of kube-controller-manager.
import type { autoscalingV2 } from '../../api/index.ts';

type Rules = autoscalingV2.HPAScalingRules;
type Behavior = autoscalingV2.HorizontalPodAutoscalerBehavior;

export interface Stamped {
  /** A recommended size, or by how many pods the size was changed. */
  readonly replicas: number;
  readonly atMs: number;
}

/** What an autoscaler remembers. Kept in memory alone, as in Kubernetes: after a restart it begins with the size it finds. */
export interface History {
  /** Before anything was limited. */
  readonly recommendations: readonly Stamped[];
  readonly ups: readonly Stamped[];
  readonly downs: readonly Stamped[];
}

export interface LimitsInput {
  readonly current: number;
  /** What the metrics call for. */
  readonly desired: number;
  readonly min: number;
  readonly max: number;
  readonly behavior: Behavior | undefined;
  readonly history: History;
  readonly nowMs: number;
  readonly downscaleStabilizationMs: number;
}

interface Said {
  readonly reason: string;
  readonly message: string;
}

export interface Limited {
  readonly replicas: number;
  /** For the condition AbleToScale. */
  readonly stabilized: Said;
  /** For the condition ScalingLimited, which is true when `isLimited`. */
  readonly limited: Said;
  readonly isLimited: boolean;
  /** With the new recommendation. */
  readonly history: History;
}

export const newHistory = (replicas: number, nowMs: number): History => ({
  recommendations: [{ replicas, atMs: nowMs }],
  ups: [],
  downs: [],
});

const readyForNewScale: Said = {
  reason: 'ReadyForNewScale',
  message: 'recommended size matches current size',
};
const scaleDownStabilized: Said = {
  reason: 'ScaleDownStabilized',
  message: 'recent recommendations were higher than current one, applying the highest recent recommendation',
};
const scaleUpStabilized: Said = {
  reason: 'ScaleUpStabilized',
  message: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
};
const withinRange: Said = {
  reason: 'DesiredWithinRange',
  message: 'the desired count is within the acceptable range',
};
const tooFew: Said = {
  reason: 'TooFewReplicas',
  message: 'the desired replica count is less than the minimum replica count',
};
const tooMany: Said = {
  reason: 'TooManyReplicas',
  message: 'the desired replica count is more than the maximum replica count',
};
const tooFast: Said = {
  reason: 'ScaleUpLimit',
  message: 'the desired replica count is increasing faster than the maximum scale rate',
};
const tooFastDown: Said = {
  reason: 'ScaleDownLimit',
  message: 'the desired replica count is decreasing faster than the maximum scale rate',
};

export function limit(input: LimitsInput): Limited {
  const { desired, behavior, nowMs } = input;
  const { replicas: stable, windowMs } = stabilize(input);
  const stabilized =
    stable === desired
      ? readyForNewScale
      : behavior !== undefined && desired >= input.current
        ? scaleUpStabilized
        : scaleDownStabilized;
  const [replicas, limited] = behavior === undefined ? clamp(input, stable) : pace(input, stable);
  const recommendations = [
    ...input.history.recommendations.filter(({ atMs }) => atMs >= nowMs - windowMs),
    { replicas: desired, atMs: nowMs },
  ];
  return {
    replicas,
    stabilized,
    limited,
    isLimited: replicas !== stable,
    history: { ...input.history, recommendations },
  };
}

/** With a change of size that was made. Without a behaviour nobody asks for it. */
export function noteChange(
  history: History,
  change: { readonly from: number; readonly to: number; readonly atMs: number },
  behavior: Behavior | undefined,
): History {
  const { from, to, atMs } = change;
  if (behavior === undefined || from === to) return history;
  const kept = (events: readonly Stamped[]) =>
    events.filter((event) => event.atMs > atMs - longestPeriodMs(behavior));
  const event = { replicas: Math.abs(to - from), atMs };
  return to > from
    ? { ...history, ups: [...kept(history.ups), event], downs: kept(history.downs) }
    : { ...history, ups: kept(history.ups), downs: [...kept(history.downs), event] };
}

/** Policies of one direction count the changes of both. */
const longestPeriodMs = ({ scaleUp, scaleDown }: Behavior): number =>
  1000 *
  Math.max(0, ...[scaleUp, scaleDown].flatMap((rules) => rules?.policies ?? []).map((p) => p.periodSeconds));

function stabilize(input: LimitsInput): { replicas: number; windowMs: number } {
  const { current, desired, behavior, history, nowMs, downscaleStabilizationMs } = input;
  const { recommendations } = history;
  if (behavior === undefined) {
    let replicas = desired;
    for (const recent of recommendations)
      if (recent.atMs >= nowMs - downscaleStabilizationMs) replicas = Math.max(replicas, recent.replicas);
    return { replicas, windowMs: downscaleStabilizationMs };
  }
  const upMs = (behavior.scaleUp?.stabilizationWindowSeconds ?? 0) * 1000;
  const downSeconds = behavior.scaleDown?.stabilizationWindowSeconds;
  const downMs = downSeconds === undefined ? downscaleStabilizationMs : downSeconds * 1000;
  let lowest = desired;
  let highest = desired;
  for (const recent of recommendations) {
    if (recent.atMs > nowMs - upMs) lowest = Math.min(lowest, recent.replicas);
    if (recent.atMs > nowMs - downMs) highest = Math.max(highest, recent.replicas);
  }
  return { replicas: Math.min(Math.max(current, lowest), highest), windowMs: Math.max(upMs, downMs) };
}

/** Without a behaviour a size may double, or become 4, at once. */
function clamp({ current, min, max }: LimitsInput, wanted: number): readonly [number, Said] {
  const fastest = Math.max(2 * current, 4);
  const [most, why] = max > fastest ? ([fastest, tooFast] as const) : ([max, tooMany] as const);
  if (wanted < min) return [min, tooFew];
  if (wanted > most) return [most, why];
  return [wanted, withinRange];
}

function pace(
  { current, min, max, behavior, history, nowMs }: LimitsInput,
  wanted: number,
): readonly [number, Said] {
  if (wanted > current) {
    const fastest = Math.max(current, bound('up', behavior?.scaleUp, { current, history, nowMs }));
    const [most, why] = max > fastest ? ([fastest, tooFast] as const) : ([max, tooMany] as const);
    if (wanted > most) return [most, why];
  } else if (wanted < current) {
    const fastest = Math.min(current, bound('down', behavior?.scaleDown, { current, history, nowMs }));
    const [least, why] = min < fastest ? ([fastest, tooFastDown] as const) : ([min, tooFew] as const);
    if (wanted < least) return [least, why];
  }
  return [wanted, withinRange];
}

/** The size that the policies allow at most (`up`) or at least (`down`). */
function bound(
  direction: 'up' | 'down',
  rules: Rules | undefined,
  { current, history, nowMs }: { current: number; history: History; nowMs: number },
): number {
  const up = direction === 'up';
  const select = rules?.selectPolicy ?? 'Max';
  const policies = rules?.policies ?? [];
  if (select === 'Disabled' || policies.length === 0) return current;
  const bounds = policies.map(({ type, value, periodSeconds }) => {
    const since = nowMs - periodSeconds * 1000;
    const start = current - sumSince(history.ups, since) + sumSince(history.downs, since);
    if (type === 'Pods') return up ? start + value : start - value;
    return up ? Math.ceil(start * (1 + value / 100)) : Math.trunc(start * (1 - value / 100));
  });
  // The policy that allows the greatest change, or the smallest.
  return up === (select === 'Max') ? Math.max(...bounds) : Math.min(...bounds);
}

function sumSince(events: readonly Stamped[], sinceMs: number): number {
  let sum = 0;
  for (const { replicas, atMs } of events) if (atMs > sinceMs) sum += replicas;
  return sum;
}
