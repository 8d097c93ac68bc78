// What an evicted pod is told, in its status and its event: the kubelet's words. Pure.
import type { Pod } from '../../api/index.ts';
import { formatQuantity, mustParseQuantity, quantityOf, toValue } from '../../machinery/index.ts';
import type { ContainerUse, PodUse } from './pod-usage.ts';
import {
  amountOf,
  factsOf,
  type Observation,
  quantityText,
  type StarvedResource,
  type Threshold,
} from './signals.ts';

export interface EvictionReason {
  readonly message: string;
  /** Of the event, for programs. */
  readonly annotations: Readonly<Record<string, string>>;
}

export function evictionMessage(
  pod: Pod,
  use: PodUse | undefined,
  { threshold, seen }: { readonly threshold: Threshold; readonly seen: Observation },
): EvictionReason {
  const { resource } = factsOf[threshold.signal];
  const quantity = quantityText(threshold.signal, amountOf(threshold.amount, seen.capacity));
  const available = quantityText(threshold.signal, seen.available);
  const texts = [
    `The node was low on resource: ${resource}. `,
    `Threshold quantity: ${quantity}, available: ${available}. `,
  ];
  const offending: { name: string; usage: string }[] = [];
  for (const one of use?.containers ?? []) {
    const container = pod.spec.containers.find(({ name }) => name === one.name);
    const used = usedOf(one, resource);
    if (container === undefined || used === undefined) continue;
    const asked = container.resources?.requests?.[resource] ?? '0';
    if (used <= toValue(mustParseQuantity(asked))) continue;
    const usage = formatQuantity(quantityOf(used, 'BinarySI'));
    const request = formatQuantity(mustParseQuantity(asked));
    texts.push(
      `Container ${one.name} was using ${usage}, request is ${request}, has larger consumption of ${resource}. `,
    );
    offending.push({ name: one.name, usage });
  }
  return {
    message: texts.join(''),
    annotations: {
      offending_containers: offending.map(({ name }) => name).join(','),
      offending_containers_usage: offending.map(({ usage }) => usage).join(','),
      starved_resource: resource,
    },
  };
}

function usedOf({ memoryBytes, root, logs }: ContainerUse, resource: StarvedResource): number | undefined {
  if (resource === 'memory') return memoryBytes;
  if (resource === 'ephemeral-storage') return logs === undefined ? undefined : root.bytes + logs.bytes;
  return undefined;
}
