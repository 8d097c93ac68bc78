// Which pods end when a machine is shut down, in which order, and how long they may take. Pure; the rules are the kubelet's
// (shutdownGracePeriod, shutdownGracePeriodCriticalPods, shutdownGracePeriodByPodPriority).
import type { Pod } from '../../api/index.ts';

/** Pods of this priority and above, up to the next one's, get this long together. */
export interface ShutdownGrace {
  readonly priority: number;
  readonly seconds: number;
}

export interface ShutdownGroup {
  readonly seconds: number;
  readonly pods: readonly Pod[];
}

/** Of system-cluster-critical; system-node-critical is above it. */
const criticalPriority = 2_000_000_000;

/** What two numbers mean by priority: critical pods end last, and their time is part of the whole. None when the whole is none. */
export function gracesByCriticality(totalSeconds: number, criticalSeconds: number): ShutdownGrace[] {
  if (totalSeconds === 0) return [];
  return [
    { priority: 0, seconds: totalSeconds - criticalSeconds },
    { priority: criticalPriority, seconds: criticalSeconds },
  ];
}

/** The pods in the order in which they end. A pod belongs to the highest priority that it reaches, and at least to the lowest. */
export function planShutdown(pods: readonly Pod[], graces: readonly ShutdownGrace[]): ShutdownGroup[] {
  const sorted = [...graces].sort((a, b) => a.priority - b.priority);
  const groups = sorted.map(({ seconds }) => ({ seconds, pods: [] as Pod[] }));
  for (const pod of pods) {
    const reached = sorted.filter(({ priority }) => priority <= (pod.spec.priority ?? 0)).length;
    groups[Math.max(0, reached - 1)]?.pods.push(pod);
  }
  return groups.filter((group) => group.pods.length > 0);
}

/** How long a pod of such a group may take: never longer than it asks for itself. */
export const shutdownGraceSeconds = ({ spec }: Pod, seconds: number): number =>
  Math.min(spec.terminationGracePeriodSeconds ?? seconds, seconds);
