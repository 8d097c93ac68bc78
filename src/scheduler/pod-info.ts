// From API objects to what the scheduler reckons with.
import { type Node, type Pod, podRequests } from '../api/index.ts';
import { controllerOf, parseQuantity, toMilli, toValue } from '../machinery/index.ts';
import { PodInfo } from './plugin.ts';
import { type Resources, resourcesFrom } from './resources.ts';

export function podInfo(pod: Pod): PodInfo {
  const requests = resourcesFrom(podRequests(pod));
  requests.podSlots = 1;
  return new PodInfo(pod, requests, controllerOf(pod)?.uid ?? '');
}

/** What pods may use of a node; what is no quantity counts as nothing. */
export function nodeTotal({ status }: Node): Resources {
  const out: Record<string, number> = {};
  for (const [name, text] of Object.entries(status?.allocatable ?? status?.capacity ?? {})) {
    const quantity = parseQuantity(text);
    if (quantity !== undefined) out[name] = name === 'cpu' ? toMilli(quantity) : toValue(quantity);
  }
  return resourcesFrom(out);
}
