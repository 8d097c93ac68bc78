// Resources by name for scores: how much of one a node has, and would have given away with the pod on it. HOT: bench/scheduler.ts.

import { fieldsOf, join, listOf, textOf, wholeOf } from './arguments.ts';
import type { NodeInfo } from './node-info.ts';
import { ArgumentError } from './plugin.ts';
import type { PodInfo } from './pod-info.ts';
import type { Resources } from './resources.ts';

export interface ScoredResource {
  readonly name: string;
  readonly weight: number;
}

export const cpuAndMemory: readonly ScoredResource[] = [
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
];

export function amountOf(resources: Resources, name: string): number {
  switch (name) {
    case 'cpu':
      return resources.cpuMilli;
    case 'memory':
      return resources.memoryBytes;
    case 'ephemeral-storage':
      return resources.ephemeralStorageBytes;
    case 'pods':
      return resources.podSlots;
    default:
      return resources.other(name);
  }
}

const isNative = (name: string): boolean =>
  name === 'cpu' || name === 'memory' || name === 'ephemeral-storage' || name === 'pods';

/** What counts of the node for this pod; 0 = the resource does not matter: it has none, or the pod asks for none of a special one. */
export function capacityFor(pod: PodInfo, node: NodeInfo, name: string): number {
  if (!isNative(name) && pod.requests.other(name) === 0) return 0;
  return amountOf(node.total, name);
}

/** Given away with the pod on the node. `unsaid` counts requests that pods leave out as a little. */
export function usedWith(pod: PodInfo, node: NodeInfo, given: { name: string; unsaid: boolean }): number {
  const { name, unsaid } = given;
  if (unsaid && name === 'cpu') return node.scoredCpuMilli + pod.scoredCpuMilli;
  if (unsaid && name === 'memory') return node.scoredMemoryBytes + pod.scoredMemoryBytes;
  return amountOf(node.total, name) - amountOf(node.free, name) + amountOf(pod.requests, name);
}

/** `resources: [{name, weight}]` of a plugin's arguments. */
export function readResources(value: unknown, at: string): readonly ScoredResource[] {
  const seen = new Set<string>();
  return listOf(value, at).map((one, i) => {
    const here = `${at}[${i}]`;
    const fields = fieldsOf(one, here, ['name', 'weight']);
    const name = textOf(fields.name, join(here, 'name'));
    if (seen.has(name)) throw new ArgumentError(`${here}: Duplicate value: ${JSON.stringify(name)}`);
    seen.add(name);
    const weight = wholeOf(fields.weight ?? 1, join(here, 'weight'), { least: 1, most: 100 });
    return { name, weight };
  });
}
