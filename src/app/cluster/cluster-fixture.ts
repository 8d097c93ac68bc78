// Clusters as a machine would have them, for tests of what commands decide.
import type { Link, Route } from '../../os/index.ts';
import { type Allocation, planNode } from './plan-allocation.ts';
import type { ClusterState } from './state.ts';

export const eth0: Link = {
  name: 'eth0',
  mtu: 1400,
  up: true,
  master: undefined,
  addresses: ['192.0.2.2/24', 'fd00::2/64'],
};
export const wayOut: Route = { destination: 'default', gateway: '192.0.2.1', device: 'eth0' };
/** A machine with a way out and nothing else. */
export const plainMachine = { links: [eth0], routes: [wayOut], clusters: [] };

export function clusterOf(allocation: Allocation, more: Partial<ClusterState> = {}): ClusterState {
  return {
    format: 1,
    name: 'jotasu',
    ...allocation,
    dataDir: '/var/lib/jotasu/jotasu',
    apiPort: 6443,
    kubeconfig: { file: '/root/.kube/config', context: 'jotasu', isOurs: false },
    version: '0.1.0',
    server: null,
    nodes: [planNode(allocation, 1, 'jotasu-node-1'), planNode(allocation, 2, 'jotasu-node-2')],
    lastNodeNumber: 2,
    made: { directories: [], forwardingWasOff: false },
    ...more,
  };
}
/** Ranges of both families. */
export const twoFamilies = { clusterCidr: '10.244.0.0/16,fd00:10:244::/56' };
