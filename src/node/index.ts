// The node agent and what the program needs to wire it.
export {
  type Agent,
  type AgentIntervals,
  type AgentOptions,
  type AgentServerOptions,
  defaultIntervals,
  startAgent,
} from './agent.ts';
export { createNodeNetwork, type NodeNetwork, type NodeNetworkOptions } from './network.ts';
export { type MachineInfo, readMachine } from './registration/machine.ts';
export { handleExec, parseExecQuery, type RemoteCommandTarget } from './remote-command.ts';
