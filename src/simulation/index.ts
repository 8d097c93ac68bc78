// Nodes without containers: what wires them, what they are told to do, and what a metrics API reads of them.
export * from './annotations.ts';
export { type Heartbeat, heartbeatFor } from './heartbeat.ts';
export {
  type NodeGroupBounds,
  nodeGroupLabel,
  SimulatedNodeGroups,
  type SimulatedNodeGroupsOptions,
} from './node-group.ts';
export { nodeNameOf } from './node-object.ts';
export { defaultScript, type Script } from './script.ts';
export { parseScript, readScript, ScriptError } from './script-file.ts';
export { type Simulation, type SimulationOptions, startSimulation } from './simulation.ts';
export type { ContainerUsage, NodeUsage, PodUsage } from './usage.ts';
export type { UsageSource } from './usage-source.ts';
