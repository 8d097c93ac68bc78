// What the command line asks for. Each command calls one function of `Handlers`; `app` supplies them and imports what they need
// only when they are called, so that `status` does not pay for the API server. Flags that were not given are absent: defaults
// belong to whoever does the work.
import type { NodeSettingsFlags } from './commands/node-settings.ts';
import type { NodeGroupFlag } from './flags.ts';

export type LogLevelFlag = 'debug' | 'info' | 'warn' | 'error';

export interface LogFlags {
  readonly logLevel?: LogLevelFlag;
}

export interface RequestLogFlags {
  /** A line for each API request. */
  readonly logRequests?: boolean;
}

export interface ServerFlags extends LogFlags, RequestLogFlags {
  readonly dataDir?: string;
  /** `lmdb`, `memory` or `etcd=URL,URL…` */
  readonly datastoreEndpoint?: string;
  readonly etcdPrefix?: string;
  readonly etcdCafile?: string;
  readonly etcdCertfile?: string;
  readonly etcdKeyfile?: string;
  readonly etcdCompactionIntervalMs?: number;
  /** Of the servers that share an etcd. */
  readonly token?: string;
  readonly tokenFile?: string;
  readonly bindAddress?: string;
  readonly httpsListenPort?: number;
  readonly advertiseAddress?: string;
  readonly tlsSans?: readonly string[];
  readonly tokenAuthFile?: string;
  readonly writeKubeconfig?: string;
  readonly serviceCidr?: string;
  readonly clusterCidr?: string;
  readonly nodeCidrMaskSize?: number;
  readonly nodeCidrMaskSizeIpv6?: number;
  readonly clusterDomain?: string;
  readonly without?: readonly ('controllers' | 'scheduler' | 'local-storage' | 'servicelb' | 'ingress')[];
  readonly servicelbPool?: readonly string[];
  readonly leaderElectLeaseDurationMs?: number;
  readonly leaderElectRenewDeadlineMs?: number;
  readonly leaderElectRetryPeriodMs?: number;
  readonly nodeMonitorGracePeriodMs?: number;
  readonly nodeStartupGracePeriodMs?: number;
  readonly nodeOutOfServiceAfterMs?: number;
  readonly unhealthyZoneThreshold?: number;
  readonly nodeEvictionRate?: number;
  readonly secondaryNodeEvictionRate?: number;
  readonly largeClusterSizeThreshold?: number;
  readonly terminatedPodGcThreshold?: number;
  readonly clusterSigningDurationMs?: number;
  readonly horizontalPodAutoscaler?: AutoscalerFlags;
  readonly defaultNotReadyTolerationSeconds?: number;
  readonly defaultUnreachableTolerationSeconds?: number;
  readonly requestTimeoutMs?: number;
  readonly minRequestTimeoutSeconds?: number;
  readonly maxRequestsInflight?: number;
  readonly maxMutatingRequestsInflight?: number;
  readonly enablePriorityAndFairness?: boolean;
  /** A KubeSchedulerConfiguration file. */
  readonly schedulerConfig?: string;
  /** Nodes without containers, in the server's process. */
  readonly simulateNodes?: number;
  /** The file that says what happens on them. */
  readonly simulation?: string;
  /** Simulated nodes that come and go with the need for them. */
  readonly simulateNodeGroups?: readonly NodeGroupFlag[];
  readonly scaleDownUnneededTimeMs?: number;
  readonly scaleDownDelayAfterAddMs?: number;
}

/** Of every HorizontalPodAutoscaler, where its object does not say. */
export interface AutoscalerFlags {
  readonly syncPeriodMs?: number;
  readonly downscaleStabilizationMs?: number;
  readonly tolerance?: number;
  readonly cpuInitializationPeriodMs?: number;
  readonly initialReadinessDelayMs?: number;
}

/** Whose credentials a command on tokens uses. */
export interface TokenFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
}

export interface TokenCreateFlags extends TokenFlags {
  /** 0 = it never ends. */
  readonly ttlMs?: number;
  readonly description?: string;
}

export interface AgentFlags extends LogFlags, NodeSettingsFlags {
  /** The API servers: `https://HOST:PORT`. */
  readonly server?: readonly string[];
  /** By which this machine joins, when it holds no certificate of the cluster yet. */
  readonly token?: string;
  /** Instead of `server` and the three certificate files. */
  readonly kubeconfig?: string;
  readonly certificateAuthority?: string;
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  /** For the node's own HTTPS server (logs, exec). */
  readonly tlsCertFile?: string;
  readonly tlsPrivateKeyFile?: string;
  readonly nodeName?: string;
  /** One address, or one of each family with a comma between. */
  readonly nodeIp?: string;
  /** Kept: volumes, logs, images. */
  readonly stateDir?: string;
  /** Gone after a reboot: sockets and pid files. containerd's socket is `containerd/containerd.sock` in it. */
  readonly runDir?: string;
  /** The socket of a runtime that runs already, instead of an own containerd. */
  readonly containerRuntimeEndpoint?: string;
  /** The pods' cgroups are made below it. */
  readonly cgroupParent?: string;
  readonly clusterCidr?: string;
  readonly clusterDomain?: string;
  readonly clusterDns?: readonly string[];
  readonly without?: readonly ('dns' | 'ingress')[];
  readonly flannelBackend?: 'host-gw' | 'vxlan';
  readonly nodeLabels?: readonly string[];
  readonly port?: number;
  readonly maxPods?: number;
  readonly podManifestPath?: string;
  readonly allowedUnsafeSysctls?: string[];
  readonly podMaxPids?: number;
  readonly nodeportAddresses?: readonly string[];
}

/** Which cluster of this machine; the name is always there. */
export interface ClusterFlags {
  readonly name: string;
}

export interface UpFlags extends ClusterFlags {
  readonly nodes?: number;
  readonly dataDir?: string;
  readonly kubeconfig?: string;
  /** One range, or one of each address family with a comma between, as all such flags. */
  readonly clusterCidr?: string;
  readonly serviceCidr?: string;
  /** Whether missing packages may be installed. */
  readonly install: boolean;
  /** What the cluster is to be made without. */
  readonly without?: readonly ('local-storage' | 'servicelb' | 'ingress')[];
  /** Ranges, or `auto` alone. */
  readonly servicelbPool?: readonly string[];
  readonly images: readonly string[];
}

export interface StatusFlags extends ClusterFlags {
  readonly output: 'text' | 'json';
}

export interface NodeFlags extends ClusterFlags {
  readonly node: string;
  /** Of the server that simulates the node, instead of a cluster of this machine. */
  readonly kubeconfig?: string;
}

export interface NodeAddFlags extends ClusterFlags {
  readonly node?: string;
  /** So many nodes without containers, in the server's process. */
  readonly simulate?: number;
  readonly kubeconfig?: string;
}

export interface ImageLoadFlags extends ClusterFlags {
  readonly files: readonly string[];
  readonly nodes?: readonly string[];
  /** The name the image gets, for an archive that holds none. */
  readonly as?: string;
}

export interface DatastoreCopyFlags {
  /** `lmdb=DIR` or `etcd=URL,URL…` */
  readonly from: string;
  readonly to: string;
  readonly etcdPrefix?: string;
  readonly etcdCafile?: string;
  readonly etcdCertfile?: string;
  readonly etcdKeyfile?: string;
}

/** Each resolves when the command is done and rejects with a CommandFailure when it could not be. */
export interface Handlers {
  server(flags: ServerFlags): Promise<void>;
  agent(flags: AgentFlags): Promise<void>;
  up(flags: UpFlags): Promise<void>;
  down(flags: ClusterFlags): Promise<void>;
  status(flags: StatusFlags): Promise<void>;
  nodeList(flags: StatusFlags): Promise<void>;
  nodeKill(flags: NodeFlags): Promise<void>;
  nodeStop(flags: NodeFlags): Promise<void>;
  nodeStart(flags: NodeFlags): Promise<void>;
  nodeAdd(flags: NodeAddFlags): Promise<void>;
  nodeRemove(flags: NodeFlags): Promise<void>;
  imageLoad(flags: ImageLoadFlags): Promise<void>;
  tokenCreate(flags: TokenCreateFlags): Promise<void>;
  tokenList(flags: TokenFlags): Promise<void>;
  tokenDelete(flags: TokenFlags & { readonly token: string }): Promise<void>;
  datastoreCopy(flags: DatastoreCopyFlags): Promise<void>;
  /** Prints which program this is. */
  version(): Promise<void>;
}
