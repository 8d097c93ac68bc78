// The node agent and what the program needs to wire it.

export type { ContainerStatus, SandboxStatus } from '../os/index.ts';
export { type Agent, startAgent } from './agent.ts';
export {
  type AgentIntervals,
  type AgentOptions,
  type AgentServerOptions,
  defaultIntervals,
} from './agent-options.ts';
export {
  createNodeNetwork,
  type NodeNetwork,
  type NodeNetworkOptions,
  type PodNetworkBackend,
} from './network.ts';
export { CrashBackoff } from './plan/crash-backoff.ts';
export { whyNoDevices } from './plan/device-claims.ts';
export { type PodMemory, type PodPlan, planPod, type StartContainer } from './plan/pod-plan.ts';
export { buildPodStatus, type Waiting } from './plan/pod-status.ts';
export { planStatusPatch } from './plan/status-patch.ts';
export { checkAllowedSysctl } from './plan/sysctls.ts';
export { type MachineInfo, readMachine } from './registration/machine.ts';
export {
  defaultNodeSettings,
  type NodeSettingFlags,
  type NodeSettings,
  parseNodeSettings,
} from './registration/node-settings.ts';
export { buildNodeStatus, nodeLabels, statusDiffers } from './registration/node-status.ts';
export { handleExec, parseExecQuery, type RemoteCommandTarget } from './remote-command.ts';
export { humanSpan } from './span.ts';
export { type MachineUsage, thisMachine } from './stats/machine-usage.ts';
