// What a server can be told, and what holds of it that is not told. The command line, the library and tests fill in the same record: a
// flag is named here once.
import type { AutoscalerSettings } from '../controllers/index.ts';
import type { NodeGroupBounds } from '../simulation/index.ts';
import type { ServerPart } from './control-loops.ts';
import { type DatastoreOptions, datastoreDefaults } from './datastore.ts';

export interface ServerOptions extends DatastoreOptions {
  /** Of the servers that share an etcd: opens what they share. undefined = the data directory's. */
  readonly token: string | undefined;
  /** A file that holds it. */
  readonly tokenFile: string | undefined;
  readonly bindAddress: string;
  /** 0 = any free port */
  readonly httpsListenPort: number;
  /** The address by which nodes and pods reach this server; '' = chosen from what it listens on. */
  readonly advertiseAddress: string;
  /** Further names and addresses for the serving certificate. */
  readonly tlsSans: readonly string[];
  readonly tokenAuthFile: string | undefined;
  /** A file to write an administrator's kubeconfig to. */
  readonly writeKubeconfig: string | undefined;
  readonly serviceCidr: string;
  readonly clusterCidr: string;
  readonly nodeCidrMaskSize: number;
  readonly nodeCidrMaskSizeIpv6: number;
  readonly clusterDomain: string;
  readonly without: readonly ServerPart[];
  /** Ranges of addresses for services of type LoadBalancer; none = the nodes' own. */
  readonly servicelbPool: readonly string[];
  /** Of the Leases that servers of one etcd stand for. */
  readonly leaderElectLeaseDurationMs: number;
  readonly leaderElectRenewDeadlineMs: number;
  readonly leaderElectRetryPeriodMs: number;
  readonly nodeMonitorGracePeriodMs: number;
  /** For nodes that have never had a Lease. */
  readonly nodeStartupGracePeriodMs: number;
  readonly unhealthyZoneThreshold: number;
  readonly nodeEvictionRate: number;
  readonly secondaryNodeEvictionRate: number;
  readonly largeClusterSizeThreshold: number;
  readonly terminatedPodGcThreshold: number;
  /** The longest life of certificates that are signed for requests. */
  readonly clusterSigningDurationMs: number;
  /** What is not named is as kube-controller-manager has it. */
  readonly horizontalPodAutoscaler: Partial<AutoscalerSettings>;
  /** 0 = never */
  readonly nodeOutOfServiceAfterMs: number;
  readonly defaultNotReadyTolerationSeconds: number;
  readonly defaultUnreachableTolerationSeconds: number;
  /** Watches and streams excepted. */
  readonly requestTimeoutMs: number;
  /** For watches that name no timeout: they end after this time or up to twice of it. 0 = never */
  readonly minRequestTimeoutSeconds: number;
  /** With priority and fairness what its levels share is the sum of the two. Without it 0 = no limit. */
  readonly maxRequestsInflight: number;
  readonly maxMutatingRequestsInflight: number;
  readonly enablePriorityAndFairness: boolean;
  /** A line in the log for each API request. */
  readonly logRequests: boolean;
  /** Nodes without containers in this process: so many are made. 0 = only those that others make; undefined = none are run. */
  readonly simulateNodes: number | undefined;
  /** A YAML file that says what they are and what happens on them; docs/simulation.md. */
  readonly simulation: string | undefined;
  /** Groups of simulated nodes that grow and shrink with what pods need. */
  readonly simulateNodeGroups: readonly NodeGroupBounds[];
  /** How long a node of such a group is kept that is not needed, and after another was added. */
  readonly scaleDownUnneededTimeMs: number;
  readonly scaleDownDelayAfterAddMs: number;
  /** A KubeSchedulerConfiguration file; undefined = its defaults. */
  readonly schedulerConfig: string | undefined;
}

export const serverDefaults: ServerOptions = {
  dataDir: '/var/lib/jotasu/server',
  ...datastoreDefaults,
  token: undefined,
  tokenFile: undefined,
  bindAddress: '0.0.0.0',
  httpsListenPort: 6443,
  advertiseAddress: '',
  tlsSans: [],
  tokenAuthFile: undefined,
  writeKubeconfig: undefined,
  serviceCidr: '10.96.0.0/16',
  clusterCidr: '10.244.0.0/16',
  nodeCidrMaskSize: 24,
  nodeCidrMaskSizeIpv6: 64,
  clusterDomain: 'cluster.local',
  without: [],
  servicelbPool: [],
  leaderElectLeaseDurationMs: 4000,
  leaderElectRenewDeadlineMs: 3000,
  leaderElectRetryPeriodMs: 1000,
  nodeMonitorGracePeriodMs: 2000,
  nodeStartupGracePeriodMs: 60_000,
  unhealthyZoneThreshold: 0.55,
  nodeEvictionRate: 100,
  secondaryNodeEvictionRate: 0.01,
  largeClusterSizeThreshold: 50,
  terminatedPodGcThreshold: 12_500,
  clusterSigningDurationMs: 365 * 86_400_000,
  horizontalPodAutoscaler: {},
  nodeOutOfServiceAfterMs: 300,
  defaultNotReadyTolerationSeconds: 300,
  defaultUnreachableTolerationSeconds: 300,
  requestTimeoutMs: 60_000,
  minRequestTimeoutSeconds: 1800,
  maxRequestsInflight: 400,
  maxMutatingRequestsInflight: 200,
  enablePriorityAndFairness: true,
  logRequests: false,
  simulateNodes: undefined,
  simulation: undefined,
  simulateNodeGroups: [],
  scaleDownUnneededTimeMs: 600_000,
  scaleDownDelayAfterAddMs: 600_000,
  schedulerConfig: undefined,
};
