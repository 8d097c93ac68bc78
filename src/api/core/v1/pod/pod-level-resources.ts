// Defaults of spec.resources, what a pod's containers share: when some of it is given, the rest follows from the containers.
import type { PodSpec } from '../../../generated/core-v1.ts';
import { aggregateContainerLimits, aggregateContainerRequests } from './aggregate.ts';
import { isHugePages, isOvercommitAllowed, isPodLevelResource } from './resource-names.ts';

/** Mutates. Containers must have their own defaults already. */
export function defaultPodLevelResources(spec: PodSpec): void {
  const { resources } = spec;
  if (resources === undefined) return;
  const given = (list: Record<string, string> | undefined): boolean => Object.keys(list ?? {}).length > 0;

  if (given(resources.limits) || given(resources.requests)) {
    // Huge pages are never overcommitted: what the containers may use is what the pod may use.
    for (const [name, limit] of Object.entries(aggregateContainerLimits(spec))) {
      if (!isHugePages(name) || resources.requests?.[name] !== undefined) continue;
      resources.limits ??= {};
      resources.limits[name] ??= limit;
    }
  }
  if (!given(resources.limits)) return;
  const requests = { ...resources.requests };
  for (const [name, request] of Object.entries(aggregateContainerRequests(spec)))
    if (isPodLevelResource(name) && isOvercommitAllowed(name)) requests[name] ??= request;
  for (const [name, limit] of Object.entries(resources.limits ?? {}))
    if (isPodLevelResource(name)) requests[name] ??= limit;
  if (given(requests)) resources.requests = requests;
}
