// How much a pod's containers need together. Init containers run one after another before the others, so of them only the largest
// counts; a sidecar keeps running, so it counts beside all that start after it.
import type { Container, PodSpec } from '../../../generated/core-v1.ts';
import { isSidecar } from './containers.ts';
import { type Amounts, addAmounts, amountsOf, raiseTo, toTexts } from './quantities.ts';

export type AmountsOfContainer = (container: Container) => Amounts;

export function aggregateContainers(spec: PodSpec, amounts: AmountsOfContainer): Amounts {
  const running: Amounts = new Map();
  for (const container of spec.containers ?? []) addAmounts(running, amounts(container));
  const sidecars: Amounts = new Map();
  const starting: Amounts = new Map();
  for (const container of spec.initContainers ?? []) {
    const own = amounts(container);
    if (isSidecar(container)) {
      addAmounts(running, own);
      addAmounts(sidecars, own);
      raiseTo(starting, sidecars);
    } else {
      const meanwhile: Amounts = new Map(own);
      addAmounts(meanwhile, sidecars);
      raiseTo(starting, meanwhile);
    }
  }
  raiseTo(running, starting);
  return running;
}

export const aggregateContainerRequests = (spec: PodSpec): Record<string, string> =>
  toTexts(aggregateContainers(spec, (container) => amountsOf(container.resources?.requests)));

export const aggregateContainerLimits = (spec: PodSpec): Record<string, string> =>
  toTexts(aggregateContainers(spec, (container) => amountsOf(container.resources?.limits)));
