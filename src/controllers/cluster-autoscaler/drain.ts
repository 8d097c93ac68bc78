// What keeps a node: pods that nobody would make again, or that may not be moved. Pure; the rules of cluster-autoscaler.
import {
  isMirror,
  isTerminal,
  isTerminating,
  type Node,
  type Pod,
  type PodDisruptionBudget,
  podRequests,
} from '../../api/index.ts';
import {
  compileLabelSelector,
  controllerOf,
  labelRequirements,
  parseQuantity,
  toMilli,
  toValue,
} from '../../machinery/index.ts';

export const safeToEvictAnnotation = 'cluster-autoscaler.kubernetes.io/safe-to-evict';
export const scaleDownDisabledAnnotation = 'cluster-autoscaler.kubernetes.io/scale-down-disabled';
export const toBeDeletedTaint = 'ToBeDeletedByClusterAutoscaler';

/** Stays with its node, whatever becomes of it. */
export const isOfNode = (pod: Pod): boolean => isMirror(pod) || controllerOf(pod)?.kind === 'DaemonSet';

/** What has to run elsewhere when the node goes. */
export const movableOf = (pods: readonly Pod[]): readonly Pod[] =>
  pods.filter((pod) => !isOfNode(pod) && !isTerminal(pod));

/** Why a pod keeps its node; undefined = it does not. */
export function keepsNode(pod: Pod, budgets: readonly PodDisruptionBudget[]): string | undefined {
  const safe = pod.metadata.annotations?.[safeToEvictAnnotation];
  if (safe === 'false') return 'it is not safe to evict';
  const covering = budgets.filter((budget) => covers(budget, pod));
  if (covering.some(({ status }) => (status?.disruptionsAllowed ?? 0) < 1))
    return 'not enough pod disruption budget';
  if (safe === 'true' || isTerminating(pod)) return undefined;
  if (controllerOf(pod) === undefined) return 'it is not replicated';
  if (pod.metadata.namespace === 'kube-system' && covering.length === 0) return 'it is a system pod';
  const isLocal = (pod.spec.volumes ?? []).some(
    ({ emptyDir, hostPath }) =>
      hostPath !== undefined || (emptyDir !== undefined && emptyDir.medium !== 'Memory'),
  );
  return isLocal ? 'it has local storage' : undefined;
}

function covers({ metadata, spec }: PodDisruptionBudget, pod: Pod): boolean {
  if (metadata.namespace !== pod.metadata.namespace || spec?.selector === undefined) return false;
  return compileLabelSelector(labelRequirements(spec.selector))(pod.metadata.labels);
}

/** The larger share of cpu and memory that the pods request of the node; those that belong to it do not count. */
export function utilizationOf({ status }: Node, pods: readonly Pod[]): number {
  let cpu = 0;
  let memory = 0;
  for (const pod of movableOf(pods)) {
    const requests = podRequests(pod);
    cpu += requests['cpu'] ?? 0;
    memory += requests['memory'] ?? 0;
  }
  const { allocatable = {} } = status ?? {};
  const cpuTotal = toMilli(parseQuantity(allocatable['cpu'] ?? '0')!);
  const memoryTotal = toValue(parseQuantity(allocatable['memory'] ?? '0')!);
  return Math.max(cpuTotal === 0 ? 0 : cpu / cpuTotal, memoryTotal === 0 ? 0 : memory / memoryTotal);
}
