// What every pod worker of a node shares. Made once by the agent; workers hold no other globals.
import type { coreV1, Pod, Service } from '../../api/index.ts';
import type { Clock, Log, Scope } from '../../base/index.ts';
import type { Client, EventType } from '../../client/index.ts';
import type { ContainerRuntime } from '../../os/index.ts';
import type { NodeDns } from '../container/dns.ts';
import type { Images } from '../images.ts';
import type { Limiter } from '../limiter.ts';
import type { CrashBackoff } from '../plan/crash-backoff.ts';
import type { ProbeManager } from '../probes/probe-manager.ts';
import type { References } from '../references.ts';
import type { RuntimeCache } from '../runtime-cache.ts';
import type { StatusWriter } from '../status-writer.ts';
import type { PodVolumes } from '../volumes/pod-volumes.ts';

/** An event about a pod, or about one of its containers. */
export type PodEvent = (
  pod: Pod,
  type: EventType,
  event: {
    readonly reason: string;
    readonly message: string;
    readonly container?: coreV1.Container | undefined;
  },
) => void;

export interface NodeContext {
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
  readonly event: PodEvent;
  readonly clock: Clock;
  readonly log: Log;
  readonly scope: Scope;
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
  readonly dns: NodeDns;
  readonly logDir: string;
  readonly cgroupParent: string;
  readonly memoryCapacityBytes: number;
  readonly nodeHostsFile: string;
  readonly userAgent: string;
  readonly seccompDir: string;
  allocatable(): Readonly<Record<string, string>>;
  services(): readonly Service[];
  /** Removes a pod's control group once nothing runs in it; the runtime removes only those of its containers. */
  removeCgroup(podUid: string): Promise<void>;
  /** Why no pod can get a network now; undefined = it can. */
  networkProblem(): string | undefined;
}
