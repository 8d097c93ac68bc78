// What the program's own parts offer to tests and to other programs: a control plane and a node, wired.
export { type RunningNode, startNode } from './agent.ts';
export { type AgentConfig, agentConfig } from './agent-config.ts';
export { createAuthorization } from './authorization.ts';
export type { ServerPart } from './control-loops.ts';
export { copyDatastore } from './datastore-copy.ts';
export { type StartClusterOptions, type StartedCluster, startCluster } from './embedded-cluster.ts';
export { trialsWith } from './node-trial.ts';
export { type RunningServer, startServer } from './server.ts';
export { type ServerOptions, serverDefaults } from './server-options.ts';
export { realSurroundings, type Surroundings } from './surroundings.ts';
export { programVersion, versionInfo } from './version.ts';
