// The plugins in the order in which they are asked, with kube-scheduler's default weights. Adding one = its file and one line here.
import type { Plugin, PluginContext, PluginFactory } from './plugin.ts';
import { defaultPreemption } from './plugins/default-preemption.ts';
import { dynamicResources } from './plugins/dynamic-resources.ts';
import { imageLocality } from './plugins/image-locality.ts';
import { interPodAffinity } from './plugins/inter-pod-affinity.ts';
import { nodeAffinity } from './plugins/node-affinity.ts';
import { nodeName } from './plugins/node-name.ts';
import { nodePorts } from './plugins/node-ports.ts';
import { nodeResourcesBalancedAllocation } from './plugins/node-resources-balanced-allocation.ts';
import { nodeResourcesFit } from './plugins/node-resources-fit.ts';
import { nodeUnschedulable } from './plugins/node-unschedulable.ts';
import { nodeVolumeLimits } from './plugins/node-volume-limits.ts';
import { podTopologySpread } from './plugins/pod-topology-spread.ts';
import { prioritySort } from './plugins/priority-sort.ts';
import { schedulingGates } from './plugins/scheduling-gates.ts';
import { taintToleration } from './plugins/taint-toleration.ts';
import { volumeBinding } from './plugins/volume-binding.ts';
import { volumeRestrictions } from './plugins/volume-restrictions.ts';
import { volumeZone } from './plugins/volume-zone.ts';

export const catalogue: readonly (Plugin | PluginFactory)[] = [
  schedulingGates,
  prioritySort,
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResourcesFit,
  volumeRestrictions,
  nodeVolumeLimits,
  volumeBinding,
  volumeZone,
  podTopologySpread,
  interPodAffinity,
  // Better to give idle devices back than to evict somebody.
  dynamicResources,
  defaultPreemption,
  nodeResourcesBalancedAllocation,
  imageLocality,
] as readonly unknown[] as readonly (Plugin | PluginFactory)[];

/** One scheduler name and what decides for its pods. */
export interface Profile {
  readonly schedulerName: string;
  /** Built plugins: weights and switched off hooks are as the profile wants them. */
  readonly build: (context: PluginContext) => readonly Plugin[];
  readonly percentageOfNodesToScore: number;
}

/** Builds each plugin that needs a context; `args` by the plugin's name, read already. */
export function buildPlugins(
  entries: readonly (Plugin | PluginFactory)[],
  context: PluginContext,
  args: ReadonlyMap<string, unknown> = new Map(),
): readonly Plugin[] {
  return entries.map((entry) => {
    if (!('build' in entry)) return entry;
    return entry.build(context, args.has(entry.name) ? args.get(entry.name) : entry.readArgs?.({}));
  });
}

/** What kube-scheduler does when it is told nothing. */
export const defaultProfile: Profile = {
  schedulerName: 'default-scheduler',
  build: (context) => buildPlugins(catalogue, context),
  percentageOfNodesToScore: 0,
};
