// Which pods a node's NoExecute taints drive away, and when. Pure.
import type { coreV1, Node, Pod } from '../../api/index.ts';
import { parseTime } from '../../machinery/index.ts';
import { outOfServiceTaint, unreachableTaint } from '../node-lifecycle/plan.ts';

type Taint = coreV1.Taint;
type Toleration = coreV1.Toleration;

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

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== '' && toleration.effect !== taint.effect)
    return false;
  if (toleration.key !== undefined && toleration.key !== '' && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  return (
    (toleration.operator === undefined || toleration.operator === '' || toleration.operator === 'Equal') &&
    (toleration.value ?? '') === (taint.value ?? '')
  );
}

/** `defaultSeconds`: what admission gives to pods that say nothing about unreachable nodes. */
export function planEvictions(
  node: Node,
  pods: readonly Pod[],
  defaultSeconds: number,
  nowMs: number,
): EvictionPlan {
  const taints = (node.spec.taints ?? []).filter((t) => t.effect === 'NoExecute');
  const evict: Eviction[] = [];
  let wakeInMs: number | undefined;
  if (taints.length === 0) return { evict, wakeInMs };
  for (const pod of pods) {
    const leftMs = leftFor(pod, taints, defaultSeconds, nowMs);
    const force = isOutOfService(taints, pod, defaultSeconds);
    if (leftMs === undefined) continue;
    if (leftMs <= 0) {
      // A pod already on its way out is only hurried when its machine is off.
      if (pod.metadata.deletionTimestamp === undefined || force) evict.push({ pod, force });
    } else if (wakeInMs === undefined || leftMs < wakeInMs) wakeInMs = leftMs;
  }
  return { evict, wakeInMs };
}

/** Milliseconds until the pod must go; undefined = it may stay. */
function leftFor(
  pod: Pod,
  taints: readonly Taint[],
  defaultSeconds: number,
  nowMs: number,
): number | undefined {
  const tolerations = pod.spec.tolerations ?? [];
  let left: number | undefined;
  for (const taint of taints) {
    if (taint.key === outOfServiceTaint && !isOutOfService([taint], pod, defaultSeconds)) continue;
    const bearing = tolerations.filter((t) => tolerates(t, taint));
    if (bearing.length === 0) return 0;
    const limits = bearing.map((t) => t.tolerationSeconds).filter((s) => s !== undefined && s !== null);
    if (limits.length === 0) continue;
    const until = (parseTime(taint.timeAdded) ?? nowMs) + Math.max(0, Math.min(...limits)) * 1000 - nowMs;
    if (left === undefined || until < left) left = until;
  }
  return left;
}

/** Whether an out-of-service taint counts for this pod: not when its author said how long it bears an unreachable node. */
function isOutOfService(taints: readonly Taint[], pod: Pod, defaultSeconds: number): boolean {
  const taint = taints.find((t) => t.key === outOfServiceTaint);
  if (taint === undefined) return false;
  const tolerations = pod.spec.tolerations ?? [];
  if (tolerations.some((t) => tolerates(t, taint))) return false;
  // A taint set by a person is an order; ours is a guess that an author's own words outweigh.
  if (taint.value !== 'unreachable') return true;
  const own = tolerations.find((t) => tolerates(t, { key: unreachableTaint, effect: 'NoExecute' }));
  return own === undefined || own.tolerationSeconds === defaultSeconds;
}
