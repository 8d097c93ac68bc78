// Requests and limits as the kernel takes them: cpu shares and quota, memory limit, who dies first when memory is short. Pure.
import { type coreV1, type Pod, qosClass } from '../../api/index.ts';
import { mustParseQuantity, toMilli, toValue } from '../../machinery/index.ts';
import type { LinuxResources } from '../../os/index.ts';

const minShares = 2;
const maxShares = 262_144;
export const periodUs = 100_000;
const minQuotaUs = 1_000;

export const cpuMilli = (quantity: string | undefined): number =>
  quantity === undefined ? 0 : toMilli(mustParseQuantity(quantity));
export const bytes = (quantity: string | undefined): number =>
  quantity === undefined ? 0 : toValue(mustParseQuantity(quantity));

export function cpuShares(milli: number): number {
  if (milli === 0) return minShares;
  return Math.min(maxShares, Math.max(minShares, Math.floor((milli * 1024) / 1000)));
}

export function cpuQuota(milli: number): number {
  return milli === 0 ? 0 : Math.max(minQuotaUs, Math.floor((milli * periodUs) / 1000));
}

const guaranteedOomScore = -997;
const bestEffortOomScore = 1000;
/** system-node-critical and above. */
const nodeCriticalPriority = 2_000_000_000;

/** The less of its request a burstable container may use before the node runs short, the sooner it dies. */
export function oomScoreAdj(pod: Pod, container: coreV1.Container, memoryCapacityBytes: number): number {
  if ((pod.spec.priority ?? 0) >= nodeCriticalPriority) return guaranteedOomScore;
  const qos = pod.status?.qosClass ?? qosClass(pod);
  if (qos === 'Guaranteed') return guaranteedOomScore;
  if (qos === 'BestEffort') return bestEffortOomScore;
  const request = bytes(container.resources?.requests?.['memory']);
  const score = 1000 - Math.floor((1000 * request) / Math.max(1, memoryCapacityBytes));
  if (score < 1000 + guaranteedOomScore) return 1000 + guaranteedOomScore;
  return score === bestEffortOomScore ? score - 1 : score;
}

export function containerResources(
  pod: Pod,
  container: coreV1.Container,
  memoryCapacityBytes: number,
): LinuxResources {
  const { requests, limits } = container.resources ?? {};
  const limitMilli = cpuMilli(limits?.['cpu']);
  // Without a request the limit is what is asked for.
  const requestMilli =
    requests?.['cpu'] === undefined && limitMilli > 0 ? limitMilli : cpuMilli(requests?.['cpu']);
  const quota = cpuQuota(limitMilli);
  return {
    cpuShares: cpuShares(requestMilli),
    ...(quota > 0 && { cpuPeriod: periodUs, cpuQuota: quota }),
    memoryLimitBytes: bytes(limits?.['memory']),
    oomScoreAdj: oomScoreAdj(pod, container, memoryCapacityBytes),
  };
}
