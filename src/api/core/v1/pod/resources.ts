// What a pod asks of a node and what it may use at most: its containers together, what is given for the pod as a whole, and the
// overhead of its runtime. While a resize is under way the larger of wanted and granted counts, so that no node is overbooked.
import type { Container, ContainerStatus, Pod } from '../../../generated/core-v1.ts';
import { aggregateContainers } from './aggregate.ts';
import { getCondition } from './conditions.ts';
import { type Amounts, addTo, amountsOf, quantityOrZero, raiseTo, toNumbers } from './quantities.ts';
import { isPodLevelResource } from './resource-names.ts';

/** cpu in thousandths of a core; everything else in whole units: bytes of memory, pieces of extended resources. */
export type ResourceNumbers = Readonly<Record<string, number>>;

/** Pure. Names that are not there are zero. */
export const podRequests = (pod: Pod): ResourceNumbers => toNumbers(podRequestAmounts(pod));

/** Pure. Names that are not there are unlimited. */
export const podLimits = (pod: Pod): ResourceNumbers => toNumbers(podLimitAmounts(pod));

/** As `podLimits`, in exact amounts. */
export function podLimitAmounts(pod: Pod): Amounts {
  const { spec } = pod;
  const total = aggregateContainers(spec, (container) => amountsOf(container.resources?.limits));
  overridePodLevel(total, spec.resources?.limits);
  const overhead = Object.entries(spec.overhead ?? {}).filter(([name]) => total.has(name));
  addTo(total, Object.fromEntries(overhead));
  return total;
}

/** As `podRequests`, in exact amounts. */
export function podRequestAmounts(pod: Pod): Amounts {
  const { spec } = pod;
  const granted = grantedByName(pod);
  const infeasible = granted !== undefined && getCondition(pod, 'PodResizePending')?.reason === 'Infeasible';
  const total = aggregateContainers(spec, (container) => {
    const status = granted?.get(container.name);
    return status === undefined
      ? amountsOf(container.resources?.requests)
      : inResize(container, status, infeasible);
  });
  overridePodLevel(total, spec.resources?.requests);
  addTo(total, spec.overhead);
  return total;
}

/** The statuses that tell what a container really has; undefined when none does, which is the usual case. */
function grantedByName(pod: Pod): Map<string, ContainerStatus> | undefined {
  let found: Map<string, ContainerStatus> | undefined;
  const { containerStatuses, initContainerStatuses } = pod.status ?? {};
  for (const list of [containerStatuses, initContainerStatuses])
    for (const status of list ?? [])
      if (status.resources !== undefined || status.allocatedResources !== undefined)
        (found ??= new Map()).set(status.name, status);
  return found;
}

/** A resize that the node has refused is not waited for. */
function inResize(container: Container, status: ContainerStatus, infeasible: boolean): Amounts {
  const amounts = amountsOf(status.resources?.requests);
  raiseTo(amounts, amountsOf(status.allocatedResources));
  if (!infeasible) raiseTo(amounts, amountsOf(container.resources?.requests));
  return amounts;
}

function overridePodLevel(total: Amounts, list: Readonly<Record<string, string>> | undefined): void {
  for (const name in list) if (isPodLevelResource(name)) total.set(name, quantityOrZero(list[name]));
}
