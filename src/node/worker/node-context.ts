// What every pod worker of a node shares. Made once by the agent; workers hold no other globals.
import type { Node, Pod, Service } from '../../api/index.ts';
import type { Clock, Log, Scope } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import type { ContainerRuntime } from '../../os/index.ts';
import type { NodeDns } from '../container/dns.ts';
import type { PressureCondition } from '../eviction/signals.ts';
import type { Images } from '../images.ts';
import type { Leftovers, Limiter } from '../limiter.ts';
import type { PodMetrics } from '../metrics/pod-metrics.ts';
import type { Rejection } from '../plan/admission.ts';
import type { CrashBackoff } from '../plan/crash-backoff.ts';
import type { PodEvent } from '../pod-events.ts';
import type { ProbeManager } from '../probes/probe-manager.ts';
import type { References } from '../references.ts';
import type { RuntimeCache } from '../runtime-cache.ts';
import type { StatusWriter } from '../status-writer.ts';
import type { PodVolumes } from '../volumes/pod-volumes.ts';
import type { Allocations } from './allocations.ts';
import type { PodCgroups } from './pod-cgroups.ts';

/** What this node lets pods do. */
export interface AdmissionRules {
  /** Kernel parameters that pods may set besides the safe ones; names, or starts of names that end in `*`. */
  readonly allowedSysctls: readonly string[];
  /** Whether the kernel enforces AppArmor profiles. */
  readonly appArmor: boolean;
}

/**
 * Called before containers of a pod start, with the pod's addresses: resolves when what keeps others from it, and it from others, is in
 * force. Rejects when that cannot be brought about, or with the signal's reason.
 */
export type IsolatePod = (pod: Pod, ips: readonly string[], signal: AbortSignal) => Promise<void>;

/** What is known of a node as soon as its agent starts, and stays so. */
export interface NodeFacts {
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
  readonly dns: NodeDns;
  readonly logDir: string;
  readonly cgroupParent: string;
  readonly seccompDir: string;
  readonly memoryCapacityBytes: number;
  /** The node's own, for pods in its network. */
  readonly nodeHostsFile: string;
  /** As whom its probes and hooks ask. */
  readonly userAgent: string;
  readonly admission: AdmissionRules;
  /** undefined = nothing isolates pods here */
  readonly isolate: IsolatePod | undefined;
}

export interface NodeContext extends NodeFacts {
  readonly client: Client;
  readonly runtime: ContainerRuntime;
  readonly cache: RuntimeCache;
  readonly images: Images;
  readonly volumes: PodVolumes;
  readonly references: References;
  readonly probes: ProbeManager;
  readonly statuses: StatusWriter;
  readonly crash: CrashBackoff;
  readonly starts: Limiter;
  readonly stops: Limiter;
  /** What is left of pods that the API has forgotten goes when no pod starts. */
  readonly leftovers: Leftovers;
  readonly event: PodEvent;
  /** As `Tokens` has it. */
  tokenDueInMs(podUid: string): number | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly scope: Scope;
  readonly metrics: PodMetrics;
  readonly allocations: Allocations;
  readonly cgroups: PodCgroups;
  allocatable(): Readonly<Record<string, string>>;
  services(): readonly Service[];
  /** This node as the API last had it. */
  node(): Node | undefined;
  /** Asks the API for it. */
  readNode(): Promise<Node>;
  /** Why the node takes no pod at all now; undefined = it does. */
  shutdown(): Rejection | undefined;
  /** What the node is short of: not every pod is taken then. */
  pressure(): readonly PressureCondition[];
  /** Why no pod can get a network now; undefined = it can. */
  networkProblem(): string | undefined;
}
