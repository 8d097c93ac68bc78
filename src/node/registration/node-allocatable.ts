// What pods as a whole may use of the machine, as a limit of the kernel; told in the kubelet's words.
import { type CgroupLayout, ensureCgroup, limitCgroup } from '../../os/index.ts';
import type { NodeEvent } from './node-events.ts';

/** Idempotent. A limit that the kernel refuses is an event: the node works without it. */
export function enforceAllocatable(
  layout: CgroupLayout,
  cgroup: string,
  limits: { readonly memoryBytes: number },
): NodeEvent {
  ensureCgroup(layout, cgroup);
  const problems = limitCgroup(layout, cgroup, limits);
  if (problems.length === 0)
    return {
      type: 'Normal',
      reason: 'NodeAllocatableEnforced',
      message: 'Updated Node Allocatable limit across pods',
    };
  return {
    type: 'Warning',
    reason: 'FailedNodeAllocatableEnforcement',
    message: `Failed to update Node Allocatable Limits ${JSON.stringify(cgroup)}: ${problems.join(', ')}`,
  };
}
