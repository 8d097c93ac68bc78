// What node, pods and containers use at one moment, gathered from the runtime, the control groups, /proc and the walks of directories.
// Gathered only when somebody asks, and then for everybody who asks within the next seconds.
import * as path from 'node:path';
import type { coreV1, Pod } from '../../api/index.ts';
import type { Clock } from '../../base/index.ts';
import type { CgroupUsage, ContainerRuntime, ContainerStats, ContainerStatus } from '../../os/index.ts';
import { type PodRuntime, readySandbox } from '../plan/pod-runtime.ts';
import { volumeKind } from '../volumes/pod-volumes.ts';
import { claimOfVolume } from '../volumes/volume-source.ts';
import type { DirectoryUsage, DirectoryUsages } from './directory-usage.ts';
import type { DiskUsage, InterfaceUsage, MachineUsage, MemoryUsage, ProcessUsage } from './machine-usage.ts';

export interface ContainerSnapshot {
  readonly status: ContainerStatus;
  readonly stats: ContainerStats;
  /** Billionths of a processor, since the last look; undefined = the first one. */
  readonly nanoCores: number | undefined;
  readonly group: CgroupUsage | undefined;
  readonly logs: DirectoryUsage | undefined;
}

export interface VolumeSnapshot {
  readonly name: string;
  readonly claim: string | undefined;
  readonly usage: DirectoryUsage;
  /** Of the file system it lies on. */
  readonly disk: DiskUsage | undefined;
}

export interface PodSnapshot {
  readonly pod: Pod;
  readonly startedAtMs: number;
  readonly group: CgroupUsage | undefined;
  readonly nanoCores: number | undefined;
  readonly network: readonly InterfaceUsage[] | undefined;
  readonly containers: readonly ContainerSnapshot[];
  readonly volumes: readonly VolumeSnapshot[];
}

export interface NodeSnapshot {
  readonly nodeName: string;
  readonly atMs: number;
  readonly startedAtMs: number;
  readonly cpuNanoseconds: number | undefined;
  readonly nanoCores: number | undefined;
  readonly memory: MemoryUsage | undefined;
  readonly network: readonly InterfaceUsage[] | undefined;
  readonly processes: ProcessUsage | undefined;
  /** Where volumes and logs are. */
  readonly nodeFs: DiskUsage | undefined;
  /** Where images and what containers write are. */
  readonly imageFs: DiskUsage | undefined;
  readonly imageBytes: number;
  readonly imageInodes: number;
  /** All pods together. */
  readonly podsGroup: CgroupUsage | undefined;
  readonly podsNanoCores: number | undefined;
  readonly pods: readonly PodSnapshot[];
}

export interface StatsCollectorOptions {
  readonly nodeName: string;
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly machine: MachineUsage;
  readonly directories: DirectoryUsages;
  readonly stateDir: string;
  readonly cgroupParent: string;
  pods(): readonly Pod[];
  runtimeOf(uid: string): PodRuntime;
  podDir(uid: string): string;
  /** Where the files of a claim lie on this node; undefined = elsewhere, or the volume is none. */
  claimDirectory(pod: Pod, volume: coreV1.Volume): string | undefined;
  /** Where the control group of a pod lies. */
  groupOf(pod: Pod): string;
  group(path: string): CgroupUsage | undefined;
}

interface Sample {
  readonly ns: number;
  readonly atMs: number;
  readonly nanoCores: number | undefined;
  readonly round: number;
}

/** Two looks this close to each other say little about the speed. */
const leastMs = 1_000;

export class StatsCollector {
  readonly #options: StatsCollectorOptions;
  readonly #samples = new Map<string, Sample>();
  readonly #sandboxPids = new Map<string, number>();
  #last: NodeSnapshot | undefined;
  #collecting: Promise<NodeSnapshot> | undefined;
  #round = 0;

  constructor(options: StatsCollectorOptions) {
    this.#options = options;
  }

  /** Not older than `maxAgeMs`. Rejects when the runtime does not answer. */
  async get(maxAgeMs: number): Promise<NodeSnapshot> {
    const { clock } = this.#options;
    if (this.#last !== undefined && clock.nowMs() - this.#last.atMs < maxAgeMs) return this.#last;
    this.#collecting ??= this.#collect().finally(() => {
      this.#collecting = undefined;
    });
    return this.#collecting;
  }

  /** Which directories have to be walked for the pods there are. */
  watchDirectories(): void {
    const { pods, runtimeOf, directories } = this.#options;
    directories.retain(
      pods().flatMap((pod) => [
        ...this.#volumesOf(pod).map(({ directory }) => directory),
        ...runtimeOf(pod.metadata.uid).containers.flatMap(({ logPath }) =>
          logPath === '' ? [] : [path.dirname(logPath)],
        ),
      ]),
    );
  }

  /** The disk of images; the node's own when the runtime does not tell. */
  async imageDisk(): Promise<{ disk: DiskUsage | undefined; usedBytes: number; inodesUsed: number }> {
    const { runtime, machine, stateDir } = this.#options;
    const all = await runtime.imageFsInfo();
    const first = all[0];
    return {
      disk: (first === undefined ? undefined : machine.disk(first.mountpoint)) ?? machine.disk(stateDir),
      usedBytes: all.reduce((sum, one) => sum + one.usedBytes, 0),
      inodesUsed: all.reduce((sum, one) => sum + one.inodesUsed, 0),
    };
  }

  async #collect(): Promise<NodeSnapshot> {
    const { nodeName, runtime, clock, machine, stateDir, cgroupParent, pods, runtimeOf, group } =
      this.#options;
    this.#round++;
    this.watchDirectories();
    const all = pods();
    const [stats, images] = await Promise.all([
      runtime.containerStats(),
      this.imageDisk(),
      this.#findSandboxPids(all.map((pod) => runtimeOf(pod.metadata.uid))),
    ]);
    const byId = new Map(stats.map((one) => [one.containerId, one]));
    const atMs = clock.nowMs();
    const cpuNanoseconds = machine.cpuNanoseconds();
    const podsGroup = group(cgroupParent);
    const snapshot: NodeSnapshot = {
      nodeName,
      atMs,
      startedAtMs: machine.bootedAtMs() ?? atMs,
      cpuNanoseconds,
      nanoCores: this.#rate('node', cpuNanoseconds, atMs),
      memory: machine.memory(),
      network: machine.network(),
      processes: machine.processes(),
      nodeFs: machine.disk(stateDir),
      imageFs: images.disk,
      imageBytes: images.usedBytes,
      imageInodes: images.inodesUsed,
      podsGroup,
      podsNanoCores: this.#rate('pods', podsGroup?.cpuNanoseconds, atMs),
      pods: all.flatMap((pod) => this.#pod(pod, byId, atMs) ?? []),
    };
    for (const [key, { round }] of this.#samples) if (round !== this.#round) this.#samples.delete(key);
    this.#last = snapshot;
    return snapshot;
  }

  /** undefined = nothing of it runs. */
  #pod(pod: Pod, stats: ReadonlyMap<string, ContainerStats>, atMs: number): PodSnapshot | undefined {
    const { runtimeOf, groupOf, group, machine } = this.#options;
    const { uid } = pod.metadata;
    const runtime = runtimeOf(uid);
    const sandbox = readySandbox(runtime);
    const own = groupOf(pod);
    const containers = runtime.containers.flatMap((status) => {
      const found = stats.get(status.id);
      return status.state !== 'running' || found === undefined ? [] : [this.#container(status, found, own)];
    });
    if (sandbox === undefined && containers.length === 0) return undefined;
    const usage = group(own);
    const pid = sandbox === undefined ? undefined : this.#sandboxPids.get(sandbox.id);
    return {
      pod,
      startedAtMs: sandbox?.createdAtMs ?? containers[0]!.status.startedAtMs,
      group: usage,
      nanoCores: this.#rate(`pod ${uid}`, usage?.cpuNanoseconds, atMs),
      network: pid === undefined || pod.spec.hostNetwork === true ? undefined : machine.network(pid),
      containers,
      volumes: [
        ...this.#volumesOf(pod).flatMap(({ name, directory }) => {
          const walked = this.#options.directories.get(directory);
          if (walked === undefined) return [];
          return [{ name, claim: undefined, usage: walked, disk: machine.disk(directory) }];
        }),
        ...this.#claimsOf(pod, atMs),
      ],
    };
  }

  #container(status: ContainerStatus, stats: ContainerStats, podGroup: string): ContainerSnapshot {
    const { group, directories } = this.#options;
    return {
      status,
      stats,
      nanoCores: this.#rate(status.id, stats.cpuNanoseconds, stats.atMs),
      group: group(`${podGroup}/${status.id}`),
      logs: status.logPath === '' ? undefined : directories.get(path.dirname(status.logPath)),
    };
  }

  #rate(key: string, ns: number | undefined, atMs: number): number | undefined {
    if (ns === undefined) return undefined;
    const before = this.#samples.get(key);
    if (before !== undefined && atMs - before.atMs < leastMs) {
      this.#samples.set(key, { ...before, round: this.#round });
      return before.nanoCores;
    }
    const nanoCores =
      before === undefined || ns < before.ns
        ? undefined
        : Math.round(((ns - before.ns) * 1000) / (atMs - before.atMs));
    this.#samples.set(key, { ns, atMs, nanoCores, round: this.#round });
    return nanoCores;
  }

  /** The volumes whose files are the pod's own. */
  #volumesOf(pod: Pod): { name: string; directory: string }[] {
    const base = path.join(this.#options.podDir(pod.metadata.uid), 'volumes');
    return (pod.spec.volumes ?? []).flatMap((volume: coreV1.Volume) => {
      const plugin = plugins[volumeKind(volume)];
      if (plugin === undefined) return [];
      return [{ name: volume.name, directory: path.join(base, plugin, volume.name) }];
    });
  }

  /** What the kubelet says of local volumes: the numbers of the file system, which the volume is taken to have for itself. */
  #claimsOf(pod: Pod, atMs: number): VolumeSnapshot[] {
    const { machine, claimDirectory } = this.#options;
    return (pod.spec.volumes ?? []).flatMap((volume) => {
      const directory = claimDirectory(pod, volume);
      const disk = directory === undefined ? undefined : machine.disk(directory);
      if (disk === undefined) return [];
      const usage = { usedBytes: disk.usedBytes, inodes: disk.inodes - disk.inodesFree, atMs };
      return [{ name: volume.name, claim: claimOfVolume(pod, volume)?.name, usage, disk }];
    });
  }

  /** Sandboxes keep their process for life, so each is asked for once. */
  async #findSandboxPids(runtimes: readonly PodRuntime[]): Promise<void> {
    const ready = runtimes.flatMap((one) => readySandbox(one)?.id ?? []);
    for (const id of this.#sandboxPids.keys()) if (!ready.includes(id)) this.#sandboxPids.delete(id);
    for (const id of ready) {
      if (this.#sandboxPids.has(id)) continue;
      const pid = await this.#options.runtime.sandboxPid(id).catch(() => undefined);
      if (pid !== undefined) this.#sandboxPids.set(id, pid);
    }
  }
}

const plugins: Readonly<Record<string, string>> = {
  emptyDir: 'kubernetes.io~empty-dir',
  configMap: 'kubernetes.io~configmap',
  secret: 'kubernetes.io~secret',
  downwardAPI: 'kubernetes.io~downward-api',
  projected: 'kubernetes.io~projected',
};
