// Which pods a node's NoExecute taints drive away, and when. Pure.
import { type coreV1, getCondition, type Pod, tolerates } from '../../api/index.ts';
import { parseTime } from '../../machinery/index.ts';
import { ourTaintValue, outOfServiceTaint, unreachableTaint } from '../node-lifecycle/plan.ts';

type Taint = coreV1.Taint;

export interface Eviction {
  readonly pod: Pod;
  /** The machine is off: nobody will end the pod's containers, so nobody is waited for. */
  readonly force: boolean;
}

export interface EvictionPlan {
  readonly evict: readonly Eviction[];
  /** When the next pod's toleration ends. */
  readonly wakeInMs: number | undefined;
}

/** A NoExecute taint and since when the node has it: tolerations of pods that were there count from then. */
export interface Since {
  readonly taint: Taint;
  readonly sinceMs: number;
}

export interface EvictionView {
  readonly taints: readonly Since[];
  /** Those on the node. */
  readonly pods: readonly Pod[];
  /** The node says that it is ready: it ends its pods itself. */
  readonly ready?: boolean;
  /** What admission gives to pods that say nothing about unreachable nodes. */
  readonly defaultTolerationSeconds: number;
  readonly nowMs: number;
}

export function planEvictions({
  taints,
  pods,
  ready = false,
  defaultTolerationSeconds,
  nowMs,
}: EvictionView): EvictionPlan {
  const evict: Eviction[] = [];
  let wakeInMs: number | undefined;
  if (taints.length === 0) return { evict, wakeInMs };
  for (const pod of pods) {
    const counting = taints.filter(({ taint }) => !outweighed(taint, pod, defaultTolerationSeconds));
    const leftMs = leftFor(pod, counting, nowMs);
    if (leftMs === undefined) continue;
    if (leftMs > 0) {
      if (wakeInMs === undefined || leftMs < wakeInMs) wakeInMs = leftMs;
      continue;
    }
    const force =
      !ready && counting.some(({ taint }) => taint.key === outOfServiceTaint && !isBorne(taint, pod));
    // A pod already on its way out is only hurried when its machine is off.
    if (pod.metadata.deletionTimestamp === undefined || force) evict.push({ pod, force });
  }
  return { evict, wakeInMs };
}

const isBorne = (taint: Taint, { spec }: Pod): boolean =>
  (spec.tolerations ?? []).some((toleration) => tolerates(toleration, taint));

/** Milliseconds until the pod must go, of all taints the shortest; undefined = it may stay. */
function leftFor(pod: Pod, taints: readonly Since[], nowMs: number): number | undefined {
  const { spec } = pod;
  let left: number | undefined;
  for (const { taint, sinceMs } of taints) {
    const bearing = (spec.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
    if (bearing.length === 0) return 0;
    for (const { tolerationSeconds } of bearing) {
      if (tolerationSeconds === undefined) continue;
      const fromMs = Math.max(sinceMs, arrivalMs(pod));
      const until = fromMs + Math.max(0, tolerationSeconds) * 1000 - nowMs;
      if (left === undefined || until < left) left = until;
    }
  }
  return left;
}

/** When it came to its node: who comes to a node that was tainted long ago has all of its time before it. */
const arrivalMs = (pod: Pod): number => {
  const scheduled = getCondition(pod, 'PodScheduled');
  const since = scheduled?.status === 'True' ? scheduled.lastTransitionTime : undefined;
  return parseTime(since ?? pod.metadata.creationTimestamp) ?? 0;
};

/**
 * A taint out-of-service set by a person is an order. Ours is a guess, which yields to what the pod's author said about unreachable
 * nodes in their own words, that is, otherwise than admission would have.
 */
function outweighed(taint: Taint, { spec }: Pod, defaultTolerationSeconds: number): boolean {
  if (taint.key !== outOfServiceTaint || taint.value !== ourTaintValue) return false;
  const unreachable = { key: unreachableTaint, effect: 'NoExecute' };
  const own = (spec.tolerations ?? []).filter((toleration) => tolerates(toleration, unreachable));
  return own.some(({ tolerationSeconds }) => tolerationSeconds !== defaultTolerationSeconds);
}
