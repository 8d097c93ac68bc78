// The seam between the node agent and what runs its containers: CRI v1 in plain values. Two implementations, one over gRPC
// (grpc-runtime.ts) and a fake in memory (fake-runtime.ts). Times are milliseconds since the epoch, 0 = not yet.

export type NamespaceMode = 'pod' | 'container' | 'node' | 'target';

export interface NamespaceOptions {
  readonly network: NamespaceMode;
  readonly pid: NamespaceMode;
  readonly ipc: NamespaceMode;
  /** With pid `target`: the container whose process namespace is joined. */
  readonly targetId?: string | undefined;
}

export interface SecurityProfile {
  readonly type: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  readonly localhostRef?: string | undefined;
}

export interface SelinuxOptions {
  readonly user?: string | undefined;
  readonly role?: string | undefined;
  readonly type?: string | undefined;
  readonly level?: string | undefined;
}

export interface LinuxResources {
  readonly cpuPeriod?: number | undefined;
  readonly cpuQuota?: number | undefined;
  readonly cpuShares?: number | undefined;
  readonly memoryLimitBytes?: number | undefined;
  readonly oomScoreAdj?: number | undefined;
}

export interface SandboxMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly attempt: number;
}

export interface PortMapping {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp?: string | undefined;
}

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface SandboxConfig {
  readonly metadata: SandboxMetadata;
  readonly hostname: string;
  readonly logDirectory: string;
  /** undefined = the machine's own resolv.conf */
  readonly dns?: DnsConfig | undefined;
  readonly portMappings: readonly PortMapping[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly cgroupParent: string;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly namespaces: NamespaceOptions;
  readonly privileged: boolean;
  readonly runAsUser?: number | undefined;
  readonly runAsGroup?: number | undefined;
  readonly supplementalGroups: readonly number[];
  readonly seccomp?: SecurityProfile | undefined;
  readonly selinux?: SelinuxOptions | undefined;
  /** Which of the runtime's runtimes; undefined = its own choice. */
  readonly runtimeHandler?: string | undefined;
}

export interface SandboxInfo {
  readonly id: string;
  readonly metadata: SandboxMetadata;
  readonly ready: boolean;
  readonly createdAtMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface SandboxStatus extends SandboxInfo {
  /** Empty for pods on the node's network, and while there is no network. */
  readonly ips: readonly string[];
}

export interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readOnly: boolean;
  readonly propagation?: 'private' | 'hostToContainer' | 'bidirectional' | undefined;
}

export interface ContainerConfig {
  readonly metadata: { readonly name: string; readonly attempt: number };
  /** What `imageStatus` answered as id: the image cannot change between the check and the start. */
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly Mount[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Relative to the sandbox's logDirectory. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly resources: LinuxResources;
  readonly security: ContainerSecurity;
}

export interface ContainerSecurity {
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly privileged: boolean;
  readonly namespaces: NamespaceOptions;
  readonly runAsUser?: number | undefined;
  readonly runAsUsername?: string | undefined;
  readonly runAsGroup?: number | undefined;
  readonly readOnlyRootfs: boolean;
  readonly supplementalGroups: readonly number[];
  readonly noNewPrivs: boolean;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp?: SecurityProfile | undefined;
  readonly apparmor?: SecurityProfile | undefined;
  readonly selinux?: SelinuxOptions | undefined;
}

export type ContainerState = 'created' | 'running' | 'exited' | 'unknown';

export interface ContainerInfo {
  readonly id: string;
  readonly sandboxId: string;
  readonly name: string;
  readonly attempt: number;
  readonly state: ContainerState;
  readonly createdAtMs: number;
  /** As asked for. */
  readonly image: string;
  readonly imageRef: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ContainerStatus extends ContainerInfo {
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  /** Absolute. */
  readonly logPath: string;
}

export interface ImageInfo {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
  /** The user the image runs as: a number, or a name; undefined and '' = root. */
  readonly uid: number | undefined;
  readonly username: string;
  /** The runtime itself needs it. */
  readonly pinned?: boolean | undefined;
}

export interface RegistryAuth {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly auth?: string | undefined;
  readonly serverAddress?: string | undefined;
  readonly identityToken?: string | undefined;
  readonly registryToken?: string | undefined;
}

export interface FilesystemUsage {
  readonly mountpoint: string;
  readonly usedBytes: number;
  readonly inodesUsed: number;
}

export interface ContainerStats {
  readonly containerId: string;
  readonly cpuNanoseconds: number;
  readonly memoryWorkingSetBytes: number;
  readonly writableLayerBytes: number;
  readonly atMs: number;
  /** What not every runtime tells. */
  readonly memoryUsageBytes?: number | undefined;
  readonly memoryRssBytes?: number | undefined;
  readonly pageFaults?: number | undefined;
  readonly majorPageFaults?: number | undefined;
  readonly writableLayerInodes?: number | undefined;
}

export interface RuntimeStatus {
  readonly runtimeReady: boolean;
  readonly networkReady: boolean;
  /** Why not, empty when both are. */
  readonly message: string;
}

/** Labels that must all be there. */
export interface RuntimeFilter {
  readonly id?: string | undefined;
  readonly sandboxId?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/**
 * notFound: no such sandbox, container or image. unavailable: the runtime does not answer, try again. deadlineExceeded: no
 * answer in time, the outcome is unknown. failed: it refused or could not; the message is for people.
 */
export type RuntimeErrorCode = 'notFound' | 'unavailable' | 'deadlineExceeded' | 'failed';

export class RuntimeError extends Error {
  readonly code: RuntimeErrorCode;
  constructor(code: RuntimeErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'RuntimeError';
    this.code = code;
  }
}

export interface ExecResult {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly exitCode: number;
}

export interface StreamRequest {
  readonly containerId: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/**
 * Everything rejects with a RuntimeError. Stops and removals are idempotent: they succeed when the thing is gone. Containers
 * and sandboxes live on when the agent or the runtime's daemon restarts.
 */
export interface ContainerRuntime {
  version(): Promise<{ name: string; version: string; apiVersion: string }>;
  status(): Promise<RuntimeStatus>;

  /** Makes and starts a sandbox with its network; resolves to its id. */
  runPodSandbox(config: SandboxConfig): Promise<string>;
  /** Kills every container in it without grace and takes its network away. */
  stopPodSandbox(id: string): Promise<void>;
  /** Stops it first when it runs. */
  removePodSandbox(id: string): Promise<void>;
  podSandboxStatus(id: string): Promise<SandboxStatus>;
  listPodSandbox(filter?: RuntimeFilter): Promise<readonly SandboxInfo[]>;

  createContainer(sandboxId: string, config: ContainerConfig, sandbox: SandboxConfig): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** SIGTERM (or the image's stop signal), then SIGKILL after `graceSeconds`. Resolves when it has ended. */
  stopContainer(id: string, graceSeconds: number): Promise<void>;
  /** Sends a signal, by its number, to the container's first process. What has ended already is fine. */
  signalContainer(id: string, signal: number): Promise<void>;
  removeContainer(id: string): Promise<void>;
  listContainers(filter?: RuntimeFilter): Promise<readonly ContainerInfo[]>;
  containerStatus(id: string): Promise<ContainerStatus>;
  updateContainerResources(id: string, resources: LinuxResources): Promise<void>;
  /** After the log file has been moved away: write to a new one. */
  reopenContainerLog(id: string): Promise<void>;
  containerStats(filter?: RuntimeFilter): Promise<readonly ContainerStats[]>;

  /** Runs a command to its end. A command that ends unsuccessfully is a result; `deadlineExceeded` when it took too long. */
  execSync(id: string, command: readonly string[], timeoutMs: number): Promise<ExecResult>;
  /** The URL at which the runtime streams the session. */
  exec(request: StreamRequest & { readonly command: readonly string[] }): Promise<string>;
  attach(request: StreamRequest): Promise<string>;
  /** A process that lives in the sandbox's network namespace as long as the sandbox does; undefined = there is none now. */
  sandboxPid(sandboxId: string): Promise<number | undefined>;

  /** undefined = not on this node. */
  imageStatus(image: string): Promise<ImageInfo | undefined>;
  /** Resolves to the image's id. */
  pullImage(image: string, auth?: RegistryAuth, signal?: AbortSignal): Promise<string>;
  listImages(): Promise<readonly ImageInfo[]>;
  removeImage(image: string): Promise<void>;
  imageFsInfo(): Promise<readonly FilesystemUsage[]>;

  /**
   * Calls `onExit` with the id of a container or sandbox soon after its process has ended. A hint that saves waiting for the
   * next list: some may be missed. Resolves when the stream has ended (also at once, when the runtime cannot tell).
   */
  watchExits(onExit: (id: string) => void, signal: AbortSignal): Promise<void>;
  close(): void;
}
