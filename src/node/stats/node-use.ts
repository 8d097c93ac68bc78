// What a node as a whole uses, for metrics-server and autoscalers: as with kubelets everything that runs on it and not its pods alone, so
// that the counter of processor time never goes back when a container goes.
import { type CgroupLayout, type CgroupUsage, leafOf, listProcesses } from '../../os/index.ts';
import type { MachineUsage } from './machine-usage.ts';

/** undefined = this machine does not tell. */
export interface NodeUse {
  readonly cpuNanoseconds: number | undefined;
  readonly memoryWorkingSetBytes: number | undefined;
}

/** `group`: of the control group that a node has to itself where it shares the machine with others; undefined = the machine is the node. */
export function nodeUse(machine: MachineUsage, group: CgroupUsage | undefined): NodeUse {
  return {
    cpuNanoseconds: group?.cpuNanoseconds ?? machine.cpuNanoseconds(),
    memoryWorkingSetBytes: group?.memoryWorkingSetBytes ?? machine.memory()?.workingSetBytes,
  };
}

/** Whether the agent runs within the group of its pods, which is then the whole node. */
export const isWholeNode = (layout: CgroupLayout, cgroupParent: string): boolean =>
  listProcesses(layout, leafOf(cgroupParent)).includes(process.pid);
