// What a node agent is made of: everything that comes from outside, so that tests give it another machine, runtime and time.
import type { coreV1 } from '../api/index.ts';
import type { Clock, Log, MetricRegistry, Random } from '../base/index.ts';
import type { Client, Informers } from '../client/index.ts';
import type { HttpsServer } from '../http/index.ts';
import type { ContainerRuntime, Exec } from '../os/index.ts';
import type { NodeNetwork } from './network.ts';
import type { MachineInfo } from './registration/machine.ts';
import type { NodeSettings } from './registration/node-settings.ts';
import type { MachineUsage } from './stats/machine-usage.ts';
import type { AdmissionRules, IsolatePod } from './worker/node-context.ts';
import type { PodCgroups } from './worker/pod-cgroups.ts';

export interface AgentOptions {
  readonly client: Client;
  /** Shared with other parts of the same node; undefined = the agent makes its own. They must outlive the agent. */
  readonly informers?: Informers | undefined;
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
  readonly clusterDns?: readonly string[] | undefined;
  /** Default `cluster.local`. */
  readonly clusterDomain?: string | undefined;
  readonly runtime: ContainerRuntime;
  /** Settles when the runtime has started and has what pods need of it, or cannot; undefined = somebody else's, which is waited for. */
  readonly runtimeStarted?: Promise<unknown> | undefined;
  readonly exec: Exec;
  /** Volumes and small files of pods; what /var/lib/kubelet is elsewhere. */
  readonly stateDir: string;
  /** Container logs go to `pods/…` below it. */
  readonly logDir: string;
  /** Below which the pods' control groups lie: `/jotasu/NODE`. */
  readonly cgroupParent: string;
  /** undefined = somebody else makes the pod network */
  readonly network?: NodeNetwork | undefined;
  /** undefined = nothing isolates pods of this node */
  readonly isolate?: IsolatePod | undefined;
  /** undefined = no HTTPS API: no logs, no exec */
  readonly server?: AgentServerOptions | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly taints?: readonly coreV1.Taint[] | undefined;
  readonly maxPods?: number | undefined;
  /** What kubectl shows as the node's version. */
  readonly version: string;
  /** In place of what is read from the machine: several nodes may share it, or there is none. */
  readonly machine?: MachineInfo | undefined;
  /** Default: read from this machine. */
  readonly usage?: MachineUsage | undefined;
  /** What is reserved, when pods are evicted, what is collected. Default: as the kubelet does. */
  readonly settings?: NodeSettings | undefined;
  /** A directory that all nodes on this machine see, through which they take turns in evicting; undefined = the machine is this node's. */
  readonly sharedDir?: string | undefined;
  /** Default: those of this machine. */
  readonly cgroups?: PodCgroups | undefined;
  /** A folder, or one file, with manifests of pods that run here whether there is an API or not. */
  readonly podManifestPath?: string | undefined;
  /** How many processes a pod may have. Default: as many as the node. */
  readonly podMaxPids?: number | undefined;
  /** What pods may do besides the usual. */
  readonly admission?: Partial<AdmissionRules> | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What else the process counts is shown with what the agent does. Default: the agent's own. */
  readonly metrics?: MetricRegistry | undefined;
  readonly intervals?: Partial<AgentIntervals> | undefined;
  /** How many pods start at once. Default twice the processors. */
  readonly parallelStarts?: number | undefined;
}

export interface AgentServerOptions {
  readonly host: string;
  /** 0 = any free one; what it is becomes part of the Node's status. Usually 10250. */
  readonly port: number;
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string;
  /** Called when it listens: who holds it may change its certificate. */
  readonly onListening?: ((server: Pick<HttpsServer, 'setCertificate'>) => void) | undefined;
}

export interface AgentIntervals {
  readonly leaseRenewMs: number;
  readonly statusCheckMs: number;
  readonly statusReportMs: number;
  readonly relistMs: number;
  readonly fastRelistMs: number;
  readonly firstStatusDelayMs: number;
}

export const defaultIntervals: AgentIntervals = {
  // A node that misses four of them is seen as lost after about two seconds.
  leaseRenewMs: 500,
  statusCheckMs: 10_000,
  statusReportMs: 300_000,
  relistMs: 10_000,
  fastRelistMs: 1_000,
  firstStatusDelayMs: 200,
};
