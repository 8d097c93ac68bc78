// Where everything of a cluster lies and what it is called: all of it follows from its state. Pure.
import { join } from 'node:path';
import type { ClusterState, NodeState } from './state.ts';

export const serverDir = (state: ClusterState): string => join(state.dataDir, 'server');
export const pkiDir = (state: ClusterState): string => join(serverDir(state), 'pki');
export const logDir = (state: ClusterState): string => join(state.dataDir, 'log');
export const serverLog = (state: ClusterState): string => join(logDir(state), 'server.log');
/** What its supervisor tells. */
export const serverRuns = (state: ClusterState): string => join(logDir(state), 'server.runs');
export const nodeRuns = (state: ClusterState, node: NodeState): string =>
  join(logDir(state), `${node.name}.runs`);
export const nodeLog = (state: ClusterState, node: NodeState): string =>
  join(logDir(state), `${node.name}.log`);
export const nodeDir = (state: ClusterState, node: NodeState): string =>
  join(state.dataDir, 'nodes', node.name);
/** Where the nodes of this machine agree on who evicts. */
export const machineDir = (state: ClusterState): string => join(state.dataDir, 'nodes', '.machine');
/** What a data directory holds of ours; anything else in it is somebody else's. */
export const ownEntries = [
  'cluster.json',
  'cluster.json.new',
  'server',
  'nodes',
  'log',
  'admin.kubeconfig',
  // Of a server that was killed while it wrote the last one.
  'admin.kubeconfig.new',
  'admin.kubeconfig.lock',
];

export const serverUrl = (state: ClusterState): string => `https://127.0.0.1:${state.apiPort}`;
/** The same server, as nodes and pods reach it. */
export function serverUrlOfNodes(state: ClusterState): string {
  const gateway = firstOf(state.gateway);
  return `https://${gateway.includes(':') ? `[${gateway}]` : gateway}:${state.apiPort}`;
}
/** Of what the state holds in two families, with a comma between. */
export const firstOf = (both: string): string => both.split(',')[0]!;

export const clusterCgroup = (state: Pick<ClusterState, 'name'>): string => `/jotasu/${state.name}`;
export const serverCgroup = (state: ClusterState): string => `${clusterCgroup(state)}/control-plane`;
export const nodeCgroup = (state: ClusterState, node: NodeState): string =>
  `${clusterCgroup(state)}/${node.name}`;

export const nftTable = (state: Pick<ClusterState, 'name'>): string => `jotasu-${state.name}`;
export const netnsFile = (runDir: string, state: ClusterState, node: NodeState): string =>
  join(runDir, state.name, `${node.name}.netns`);

/** Inside a node's own mount namespace, where /run is the node's own. */
export const runDirOfNode = '/run/jotasu';
export const containerdSocketOfNode = `${runDirOfNode}/containerd/containerd.sock`;

export const contextName = (name: string): string => (name === 'jotasu' ? 'jotasu' : `jotasu-${name}`);
export const nodeNameOf = (cluster: string, number: number): string => `${cluster}-node-${number}`;
