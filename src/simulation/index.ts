// Nodes without containers: what wires them, what they are told to do, and what a metrics API reads of them.
export { type Heartbeat, heartbeatFor } from './heartbeat.ts';
export {
  conditionsAnnotation,
  delayAnnotation,
  networkAnnotation,
  nodeNameOf,
  powerAnnotation,
  simulatedLabel,
} from './node-object.ts';
export { defaultScript, type Script } from './script.ts';
export { parseScript, readScript, ScriptError } from './script-file.ts';
export { type Simulation, type SimulationOptions, startSimulation, type UsageSource } from './simulation.ts';
export {
  type ContainerUsage,
  cpuUsageAnnotation,
  memoryUsageAnnotation,
  type NodeUsage,
  type PodUsage,
} from './usage.ts';
