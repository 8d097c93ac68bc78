// Between CRI messages and the plain values of the ContainerRuntime contract. Pure.
import type { MessageInitShape } from '@bufbuild/protobuf';
import type * as plain from './container-runtime.ts';
import * as cri from './generated/cri_pb.js';

const ms = (nanoseconds: bigint): number => (nanoseconds <= 0n ? 0 : Number(nanoseconds / 1_000_000n));

const int64 = (value: number | undefined) => (value === undefined ? undefined : { value: BigInt(value) });

/** Leaves out what is undefined: exactOptionalPropertyTypes, and a message field is present or it is not. */
function present<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  for (const key of Object.keys(object) as (keyof T)[]) if (object[key] === undefined) delete object[key];
  return object as { [K in keyof T]: Exclude<T[K], undefined> };
}

const modes: Record<plain.NamespaceMode, cri.NamespaceMode> = {
  pod: cri.NamespaceMode.POD,
  container: cri.NamespaceMode.CONTAINER,
  node: cri.NamespaceMode.NODE,
  target: cri.NamespaceMode.TARGET,
};

const namespaces = (options: plain.NamespaceOptions) => ({
  network: modes[options.network],
  pid: modes[options.pid],
  ipc: modes[options.ipc],
  targetId: options.targetId ?? '',
});

const profileTypes = {
  RuntimeDefault: cri.SecurityProfile_ProfileType.RuntimeDefault,
  Unconfined: cri.SecurityProfile_ProfileType.Unconfined,
  Localhost: cri.SecurityProfile_ProfileType.Localhost,
} as const;

const profile = (value: plain.SecurityProfile | undefined) =>
  value === undefined
    ? undefined
    : { profileType: profileTypes[value.type], localhostRef: value.localhostRef ?? '' };

const selinux = (value: plain.SelinuxOptions | undefined) =>
  value === undefined
    ? undefined
    : { user: value.user ?? '', role: value.role ?? '', type: value.type ?? '', level: value.level ?? '' };

export const linuxResources = (r: plain.LinuxResources) => ({
  cpuPeriod: BigInt(r.cpuPeriod ?? 0),
  cpuQuota: BigInt(r.cpuQuota ?? 0),
  cpuShares: BigInt(r.cpuShares ?? 0),
  memoryLimitInBytes: BigInt(r.memoryLimitBytes ?? 0),
  oomScoreAdj: BigInt(r.oomScoreAdj ?? 0),
});

const protocols = { TCP: cri.Protocol.TCP, UDP: cri.Protocol.UDP, SCTP: cri.Protocol.SCTP } as const;

export function sandboxConfig(
  config: plain.SandboxConfig,
): MessageInitShape<typeof cri.PodSandboxConfigSchema> {
  return present({
    metadata: { ...config.metadata },
    hostname: config.hostname,
    logDirectory: config.logDirectory,
    dnsConfig:
      config.dns === undefined
        ? undefined
        : {
            servers: [...config.dns.servers],
            searches: [...config.dns.searches],
            options: [...config.dns.options],
          },
    portMappings: config.portMappings.map((p) => ({
      protocol: protocols[p.protocol],
      containerPort: p.containerPort,
      hostPort: p.hostPort,
      hostIp: p.hostIp ?? '',
    })),
    labels: { ...config.labels },
    annotations: { ...config.annotations },
    linux: {
      cgroupParent: config.cgroupParent,
      sysctls: { ...config.sysctls },
      securityContext: present({
        namespaceOptions: namespaces(config.namespaces),
        privileged: config.privileged,
        runAsUser: int64(config.runAsUser),
        runAsGroup: int64(config.runAsGroup),
        supplementalGroups: config.supplementalGroups.map(BigInt),
        seccomp: profile(config.seccomp),
        selinuxOptions: selinux(config.selinux),
      }),
    },
  });
}

const propagations = {
  private: cri.MountPropagation.PROPAGATION_PRIVATE,
  hostToContainer: cri.MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
  bidirectional: cri.MountPropagation.PROPAGATION_BIDIRECTIONAL,
} as const;

export function containerConfig(
  config: plain.ContainerConfig,
): MessageInitShape<typeof cri.ContainerConfigSchema> {
  const { security } = config;
  return {
    metadata: { ...config.metadata },
    image: { image: config.image },
    command: [...config.command],
    args: [...config.args],
    workingDir: config.workingDir,
    envs: config.env.map((e) => ({ key: e.name, value: e.value })),
    mounts: config.mounts.map((m) => ({
      containerPath: m.containerPath,
      hostPath: m.hostPath,
      readonly: m.readOnly,
      propagation: propagations[m.propagation ?? 'private'],
    })),
    labels: { ...config.labels },
    annotations: { ...config.annotations },
    logPath: config.logPath,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    linux: {
      resources: linuxResources(config.resources),
      securityContext: present({
        capabilities: {
          addCapabilities: [...security.addCapabilities],
          dropCapabilities: [...security.dropCapabilities],
        },
        privileged: security.privileged,
        namespaceOptions: namespaces(security.namespaces),
        selinuxOptions: selinux(security.selinux),
        runAsUser: int64(security.runAsUser),
        runAsUsername: security.runAsUsername ?? '',
        runAsGroup: int64(security.runAsGroup),
        readonlyRootfs: security.readOnlyRootfs,
        supplementalGroups: security.supplementalGroups.map(BigInt),
        noNewPrivs: security.noNewPrivs,
        maskedPaths: [...security.maskedPaths],
        readonlyPaths: [...security.readonlyPaths],
        seccomp: profile(security.seccomp),
        apparmor: profile(security.apparmor),
      }),
    },
  };
}

const metadata = (m: cri.PodSandboxMetadata | undefined): plain.SandboxMetadata => ({
  name: m?.name ?? '',
  namespace: m?.namespace ?? '',
  uid: m?.uid ?? '',
  attempt: m?.attempt ?? 0,
});

export const sandboxInfo = (s: cri.PodSandbox): plain.SandboxInfo => ({
  id: s.id,
  metadata: metadata(s.metadata),
  ready: s.state === cri.PodSandboxState.SANDBOX_READY,
  createdAtMs: ms(s.createdAt),
  labels: s.labels,
  annotations: s.annotations,
});

export const sandboxStatus = (s: cri.PodSandboxStatus): plain.SandboxStatus => ({
  id: s.id,
  metadata: metadata(s.metadata),
  ready: s.state === cri.PodSandboxState.SANDBOX_READY,
  createdAtMs: ms(s.createdAt),
  labels: s.labels,
  annotations: s.annotations,
  ips: [s.network?.ip ?? '', ...(s.network?.additionalIps ?? []).map((a) => a.ip)].filter((ip) => ip !== ''),
});

const states: Record<cri.ContainerState, plain.ContainerState> = {
  [cri.ContainerState.CONTAINER_CREATED]: 'created',
  [cri.ContainerState.CONTAINER_RUNNING]: 'running',
  [cri.ContainerState.CONTAINER_EXITED]: 'exited',
  [cri.ContainerState.CONTAINER_UNKNOWN]: 'unknown',
};

export const containerInfo = (c: cri.Container): plain.ContainerInfo => ({
  id: c.id,
  sandboxId: c.podSandboxId,
  name: c.metadata?.name ?? '',
  attempt: c.metadata?.attempt ?? 0,
  state: states[c.state] ?? 'unknown',
  createdAtMs: ms(c.createdAt),
  image: c.image?.image ?? '',
  imageRef: c.imageRef,
  labels: c.labels,
  annotations: c.annotations,
});

export const containerStatus = (c: cri.ContainerStatus): plain.ContainerStatus => ({
  id: c.id,
  sandboxId: '',
  name: c.metadata?.name ?? '',
  attempt: c.metadata?.attempt ?? 0,
  state: states[c.state] ?? 'unknown',
  createdAtMs: ms(c.createdAt),
  image: c.image?.image ?? '',
  imageRef: c.imageRef,
  labels: c.labels,
  annotations: c.annotations,
  startedAtMs: ms(c.startedAt),
  finishedAtMs: ms(c.finishedAt),
  exitCode: c.exitCode,
  reason: c.reason,
  message: c.message,
  logPath: c.logPath,
});

export const imageInfo = (i: cri.Image): plain.ImageInfo => ({
  id: i.id,
  repoTags: i.repoTags,
  repoDigests: i.repoDigests,
  sizeBytes: Number(i.size),
  uid: i.uid === undefined ? undefined : Number(i.uid.value),
  username: i.username,
  ...(i.pinned && { pinned: true }),
});

export const registryAuth = (a: plain.RegistryAuth) => ({
  username: a.username ?? '',
  password: a.password ?? '',
  auth: a.auth ?? '',
  serverAddress: a.serverAddress ?? '',
  identityToken: a.identityToken ?? '',
  registryToken: a.registryToken ?? '',
});

export const filesystemUsage = (f: cri.FilesystemUsage): plain.FilesystemUsage => ({
  mountpoint: f.fsId?.mountpoint ?? '',
  usedBytes: Number(f.usedBytes?.value ?? 0n),
  inodesUsed: Number(f.inodesUsed?.value ?? 0n),
});

export const containerStats = (s: cri.ContainerStats): plain.ContainerStats => ({
  containerId: s.attributes?.id ?? '',
  cpuNanoseconds: Number(s.cpu?.usageCoreNanoSeconds?.value ?? 0n),
  memoryWorkingSetBytes: Number(s.memory?.workingSetBytes?.value ?? 0n),
  writableLayerBytes: Number(s.writableLayer?.usedBytes?.value ?? 0n),
  atMs: ms(s.cpu?.timestamp ?? 0n),
  memoryUsageBytes: told(s.memory?.usageBytes),
  memoryRssBytes: told(s.memory?.rssBytes),
  pageFaults: told(s.memory?.pageFaults),
  majorPageFaults: told(s.memory?.majorPageFaults),
  writableLayerInodes: told(s.writableLayer?.inodesUsed),
});

const told = (value: cri.UInt64Value | undefined): number | undefined =>
  value === undefined ? undefined : Number(value.value);

export function runtimeStatus(status: cri.RuntimeStatus | undefined): plain.RuntimeStatus {
  const find = (type: string) => status?.conditions.find((c) => c.type === type);
  const runtime = find('RuntimeReady');
  const network = find('NetworkReady');
  const missing = [runtime, network]
    .filter((c) => c?.status === false)
    .map((c) => `${c!.type}=false reason:${c!.reason} message:${c!.message}`);
  return {
    runtimeReady: runtime?.status === true,
    networkReady: network?.status === true,
    message: missing.join(', '),
  };
}

/** The sandbox's process from the verbose part of its status, where containerd and CRI-O put it as JSON. */
export function processOf(info: Readonly<Record<string, string>>): number | undefined {
  try {
    const { pid } = JSON.parse(info['info'] ?? '{}') as { pid?: unknown };
    return typeof pid === 'number' && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}
