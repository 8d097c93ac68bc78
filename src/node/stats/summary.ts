// /stats/summary: a snapshot in the kubelet's shape (k8s.io/kubelet/pkg/apis/stats/v1alpha1). Pure.
import { formatTime } from '../../machinery/index.ts';
import type { CgroupUsage } from '../../os/index.ts';
import type { DirectoryUsage } from './directory-usage.ts';
import type { DiskUsage, InterfaceUsage } from './machine-usage.ts';
import type { ContainerSnapshot, NodeSnapshot, PodSnapshot } from './stats-collector.ts';

/** JSON leaves out what is undefined, as the kubelet leaves out what it cannot tell. */
type Told = Record<string, unknown>;

export function summary(snapshot: NodeSnapshot): Told {
  const { atMs, memory, processes } = snapshot;
  const time = formatTime(atMs);
  return {
    node: {
      nodeName: snapshot.nodeName,
      systemContainers:
        snapshot.podsGroup === undefined
          ? undefined
          : [
              {
                name: 'pods',
                startTime: formatTime(snapshot.startedAtMs),
                cpu: cpu(time, snapshot.podsNanoCores, snapshot.podsGroup.cpuNanoseconds),
                memory: groupMemory(time, snapshot.podsGroup),
              },
            ],
      startTime: formatTime(snapshot.startedAtMs),
      cpu: cpu(time, snapshot.nanoCores, snapshot.cpuNanoseconds),
      memory: memory && {
        time,
        availableBytes: memory.availableBytes,
        usageBytes: memory.usageBytes,
        workingSetBytes: memory.workingSetBytes,
        rssBytes: memory.rssBytes,
      },
      network: network(time, snapshot.network),
      fs: disk(time, snapshot.nodeFs),
      runtime: {
        imageFs: disk(time, snapshot.imageFs, { bytes: snapshot.imageBytes, inodes: snapshot.imageInodes }),
        containerFs: disk(time, snapshot.imageFs, sumOf(snapshot.pods.flatMap(writable))),
      },
      rlimit: processes && { time, maxpid: processes.max, curproc: processes.running },
      swap: { time },
    },
    pods: snapshot.pods.map((pod) => podSummary(pod, snapshot)),
  };
}

/** Takes away what `?only_cpu_and_memory=true` does not ask for. */
export function keepCpuAndMemory(told: Told): void {
  const { node, pods } = told as { node: Told; pods: Told[] };
  for (const name of ['network', 'fs', 'runtime', 'rlimit', 'swap']) delete node[name];
  for (const pod of pods) {
    for (const name of ['network', 'volume', 'ephemeral-storage', 'process_stats', 'swap']) delete pod[name];
    for (const container of pod['containers'] as Told[])
      for (const name of ['rootfs', 'logs', 'swap']) delete container[name];
  }
}

function podSummary(one: PodSnapshot, node: NodeSnapshot): Told {
  const time = formatTime(node.atMs);
  const { name, namespace, uid } = one.pod.metadata;
  const { group } = one;
  const cpuNs = group?.cpuNanoseconds ?? totalOf(one.containers.map(({ stats }) => stats.cpuNanoseconds));
  return {
    podRef: { name, namespace, uid },
    startTime: formatTime(one.startedAtMs),
    containers: one.containers.map((container) => containerSummary(container, node)),
    cpu: cpu(time, one.nanoCores ?? totalOf(one.containers.map((c) => c.nanoCores)), cpuNs),
    memory:
      group?.memoryWorkingSetBytes === undefined
        ? {
            time,
            workingSetBytes: totalOf(one.containers.map(({ stats }) => stats.memoryWorkingSetBytes)),
          }
        : groupMemory(time, group),
    network: network(time, one.network),
    volume: one.volumes.map(({ name: volume, claim, usage, disk: on }) => ({
      ...disk(formatTime(usage.atMs), on, { bytes: usage.usedBytes, inodes: usage.inodes }),
      name: volume,
      ...(claim !== undefined && { pvcRef: { name: claim, namespace } }),
    })),
    'ephemeral-storage': disk(time, node.nodeFs, ephemeral(one)),
    process_stats: { process_count: group?.processes ?? 0 },
    swap: { time, swapUsageBytes: group?.memorySwapBytes },
  };
}

function containerSummary(
  { status, stats, nanoCores, group, logs }: ContainerSnapshot,
  node: NodeSnapshot,
): Told {
  const time = formatTime(stats.atMs);
  const limit = group?.memoryLimitBytes;
  return {
    name: status.name,
    startTime: formatTime(status.startedAtMs),
    cpu: cpu(time, nanoCores, stats.cpuNanoseconds),
    memory: {
      time,
      ...(limit !== undefined && { availableBytes: Math.max(0, limit - stats.memoryWorkingSetBytes) }),
      usageBytes: stats.memoryUsageBytes ?? group?.memoryUsageBytes,
      workingSetBytes: stats.memoryWorkingSetBytes,
      rssBytes: stats.memoryRssBytes ?? group?.memoryRssBytes,
      pageFaults: stats.pageFaults ?? group?.pageFaults,
      majorPageFaults: stats.majorPageFaults ?? group?.majorPageFaults,
    },
    rootfs: disk(time, node.imageFs, {
      bytes: stats.writableLayerBytes,
      inodes: stats.writableLayerInodes ?? 0,
    }),
    logs:
      logs === undefined
        ? undefined
        : disk(time, node.nodeFs, { bytes: logs.usedBytes, inodes: logs.inodes }),
    swap: { time, swapUsageBytes: group?.memorySwapBytes },
  };
}

const cpu = (time: string, usageNanoCores: number | undefined, usageCoreNanoSeconds: number | undefined) =>
  usageCoreNanoSeconds === undefined ? undefined : { time, usageNanoCores, usageCoreNanoSeconds };

const groupMemory = (time: string, group: CgroupUsage): Told => ({
  time,
  ...(group.memoryLimitBytes !== undefined && {
    availableBytes: Math.max(0, group.memoryLimitBytes - (group.memoryWorkingSetBytes ?? 0)),
  }),
  usageBytes: group.memoryUsageBytes,
  workingSetBytes: group.memoryWorkingSetBytes,
  rssBytes: group.memoryRssBytes,
  pageFaults: group.pageFaults,
  majorPageFaults: group.majorPageFaults,
});

/** The interface that leads out first, by the kubelet's convention eth0. */
function network(time: string, interfaces: readonly InterfaceUsage[] | undefined): Told | undefined {
  if (interfaces === undefined) return undefined;
  const told = interfaces.map(({ name, rxBytes, rxErrors, txBytes, txErrors }) => ({
    name,
    rxBytes,
    rxErrors,
    txBytes,
    txErrors,
  }));
  return { time, ...told.find(({ name }) => name === 'eth0'), interfaces: told };
}

interface Used {
  readonly bytes: number;
  readonly inodes: number;
}

/** A file system, and what of it is used: by everybody, or by what `own` counts. */
function disk(time: string, on: DiskUsage | undefined, own?: Used): Told | undefined {
  if (on === undefined) return undefined;
  return {
    time,
    availableBytes: on.availableBytes,
    capacityBytes: on.capacityBytes,
    usedBytes: own?.bytes ?? on.usedBytes,
    inodesFree: on.inodesFree,
    inodes: on.inodes,
    inodesUsed: own?.inodes ?? on.inodes - on.inodesFree,
  };
}

const walked = (usage: DirectoryUsage | undefined): Used[] =>
  usage === undefined ? [] : [{ bytes: usage.usedBytes, inodes: usage.inodes }];

const writable = (one: PodSnapshot): Used[] =>
  one.containers.map(({ stats }) => ({
    bytes: stats.writableLayerBytes,
    inodes: stats.writableLayerInodes ?? 0,
  }));

/** What of the node's disk a pod takes until it ends: layers, logs, and volumes that are its own. */
const ephemeral = (one: PodSnapshot): Used =>
  sumOf([
    ...writable(one),
    ...one.containers.flatMap(({ logs }) => walked(logs)),
    ...one.volumes
      .filter(({ name, claim }) => claim === undefined && !inMemory(one, name))
      .map(({ usage }) => ({ bytes: usage.usedBytes, inodes: usage.inodes })),
  ]);

const inMemory = ({ pod }: PodSnapshot, volume: string): boolean =>
  pod.spec.volumes?.find(({ name }) => name === volume)?.emptyDir?.medium === 'Memory';

const sumOf = (all: readonly Used[]): Used => ({
  bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
  inodes: all.reduce((sum, { inodes }) => sum + inodes, 0),
});

const totalOf = (all: readonly (number | undefined)[]): number | undefined =>
  all.length === 0 || all.some((one) => one === undefined)
    ? undefined
    : all.reduce<number>((sum, one) => sum + one!, 0);
