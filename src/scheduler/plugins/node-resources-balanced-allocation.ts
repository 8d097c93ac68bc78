// NodeResourcesBalancedAllocation: nodes whose resources would be used up evenly are better, so that none is left over that nobody can
// use for want of the other.
import { fieldsOf } from '../arguments.ts';
import type { NodeInfo } from '../node-info.ts';
import { definePlugin, definePluginFactory } from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';
import {
  amountOf,
  capacityFor,
  cpuAndMemory,
  readResources,
  type ScoredResource,
  usedWith,
} from '../scored-resource.ts';

const name = 'NodeResourcesBalancedAllocation';

interface Args {
  readonly resources: readonly ScoredResource[];
}

function readArgs(given: Readonly<Record<string, unknown>>): Args {
  const { resources } = fieldsOf(given, '', ['resources']);
  const listed = readResources(resources, 'resources');
  return { resources: listed.length === 0 ? cpuAndMemory : listed };
}

/** The usual case, without arrays. */
function scoreOfTwo(pod: PodInfo, { total, free }: NodeInfo): number {
  if (total.cpuMilli === 0 || total.memoryBytes === 0) return 100;
  const cpu = Math.min(1, (total.cpuMilli - free.cpuMilli + pod.requests.cpuMilli) / total.cpuMilli);
  const memory = Math.min(
    1,
    (total.memoryBytes - free.memoryBytes + pod.requests.memoryBytes) / total.memoryBytes,
  );
  return Math.floor((1 - Math.abs((cpu - memory) / 2)) * 100);
}

function scoreOf(resources: readonly ScoredResource[], pod: PodInfo, node: NodeInfo): number {
  const shares: number[] = [];
  for (const { name: resource } of resources) {
    const capacity = capacityFor(pod, node, resource);
    if (capacity === 0) continue;
    shares.push(Math.min(1, usedWith(pod, node, { name: resource, unsaid: false }) / capacity));
  }
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  let deviation = 0;
  if (shares.length === 2) deviation = Math.abs((shares[0]! - shares[1]!) / 2);
  else if (shares.length > 2)
    deviation = Math.sqrt(shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length);
  return Math.floor((1 - deviation) * 100);
}

export const nodeResourcesBalancedAllocation = definePluginFactory<PodInfo, Args>({
  name,
  readArgs,
  build: (_, { resources }) =>
    definePlugin<PodInfo>({
      name,
      // A pod that asks for nothing balances nothing.
      preFilter: (pod) =>
        resources.some(({ name: resource }) => amountOf(pod.requests, resource) > 0) ? pod : undefined,
      score: resources === cpuAndMemory ? scoreOfTwo : (pod, node) => scoreOf(resources, pod, node),
    }),
});
