// The quality of service class of a pod: who is evicted first when a node runs out of memory.
import { compareQuantity } from '../../../../machinery/index.ts';
import type { Pod, ResourceRequirements } from '../../../generated/core-v1.ts';
import { type Amounts, addTo, type ResourceList } from './quantities.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const counted = ['cpu', 'memory'] as const;

/** cpu and memory of a list, where they are more than zero. */
function positive(list: ResourceList | undefined): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of counted) {
    const text = list?.[name];
    if (text !== undefined && /[1-9]/.test(text) && !text.startsWith('-')) out[name] = text;
  }
  return out;
}

/**
 * Guaranteed: every container limits cpu and memory, and asks for just that much. BestEffort: nobody asks for anything.
 * What is given for the pod as a whole counts instead of what its containers say.
 */
export function qosClass(pod: Pod): QosClass {
  const { spec } = pod;
  const shared = spec.resources;
  const hasShared = Object.keys({ ...shared?.requests, ...shared?.limits }).length > 0;
  const parts: (ResourceRequirements | undefined)[] = hasShared
    ? [shared]
    : [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map((container) => container.resources);

  const requests: Amounts = new Map();
  const limits: Amounts = new Map();
  let allLimited = true;
  for (const part of parts) {
    addTo(requests, positive(part?.requests));
    const limited = positive(part?.limits);
    addTo(limits, limited);
    if (Object.keys(limited).length < counted.length) allLimited = false;
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort';
  const equal =
    requests.size === limits.size &&
    [...requests].every(([name, amount]) => {
      const limit = limits.get(name);
      return limit !== undefined && compareQuantity(amount, limit) === 0;
    });
  return allLimited && equal ? 'Guaranteed' : 'Burstable';
}
