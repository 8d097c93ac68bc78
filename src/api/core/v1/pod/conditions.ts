// Questions about a pod that many ask: is it ready, has it ended, is it going away. All pure, all safe on half-filled pods.
import type { ContainerStatus, Pod, PodCondition } from '../../../generated/core-v1.ts';

export function getCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

export const hasCondition = (pod: Pod, type: string): boolean => getCondition(pod, type)?.status === 'True';

/** May it be sent traffic? */
export const isReady = (pod: Pod): boolean => hasCondition(pod, 'Ready');

/** Ready for at least `minReadySeconds`. */
export function isAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  const condition = getCondition(pod, 'Ready');
  if (condition?.status !== 'True') return false;
  if (minReadySeconds <= 0) return true;
  const since = Date.parse(condition.lastTransitionTime ?? '');
  return since + minReadySeconds * 1000 <= nowMs;
}

/** Has it been given a node? */
export const isScheduled = (pod: Pod): boolean => (pod.spec.nodeName ?? '') !== '';

export const isTerminalPhase = (phase: string | undefined): boolean =>
  phase === 'Succeeded' || phase === 'Failed';

/** All of its containers have ended, and none will start again. */
export const isTerminal = (pod: Pod): boolean => isTerminalPhase(pod.status?.phase);

/** Somebody has deleted it; it stops when its containers have. */
export const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

/** Neither ended nor going away: what a controller counts as its own. */
export const isActive = (pod: Pod): boolean => !isTerminal(pod) && !isTerminating(pod);

/** It waits for its scheduling gates to be removed. */
export const isGated = (pod: Pod): boolean => (pod.spec.schedulingGates ?? []).length > 0;

/** Of a static pod: a node made it, the API only shows it. */
export const isMirror = (pod: Pod): boolean =>
  pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;

export function containerStatus(pod: Pod, name: string): ContainerStatus | undefined {
  const { containerStatuses, initContainerStatuses, ephemeralContainerStatuses } = pod.status ?? {};
  for (const list of [containerStatuses, initContainerStatuses, ephemeralContainerStatuses]) {
    const found = list?.find((status) => status.name === name);
    if (found !== undefined) return found;
  }
  return undefined;
}
