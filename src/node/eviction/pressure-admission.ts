// Which pods a node that is short of something still takes. Pure; reason and message are the kubelet's.
import { type Pod, qosClass, tolerates } from '../../api/index.ts';
import { isCritical } from './ranking.ts';
import type { PressureCondition } from './signals.ts';

/** undefined = it is taken. A refused pod has failed for good. */
export function refuseUnderPressure(
  pod: Pod,
  conditions: readonly PressureCondition[],
): { readonly reason: 'Evicted'; readonly message: string } | undefined {
  if (conditions.length === 0 || isCritical(pod)) return undefined;
  if (conditions.length === 1 && conditions[0] === 'MemoryPressure') {
    if (qosClass(pod) !== 'BestEffort') return undefined;
    const taint = { key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' };
    if ((pod.spec.tolerations ?? []).some((one) => tolerates(one, taint))) return undefined;
  }
  return { reason: 'Evicted', message: `The node had condition: [${conditions.join(' ')}]. ` };
}
