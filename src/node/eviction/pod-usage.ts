// What a pod uses of what a node can run short of, as ranking and limits need it. Pure.
import type { NodeSnapshot, PodSnapshot } from '../stats/stats-collector.ts';

export interface DiskUse {
  readonly bytes: number;
  readonly inodes: number;
}

export interface ContainerUse {
  readonly name: string;
  readonly memoryBytes: number;
  /** What it wrote into its own file system. */
  readonly root: DiskUse;
  /** undefined = not walked yet */
  readonly logs: DiskUse | undefined;
}

export interface PodUse {
  readonly memoryBytes: number;
  readonly processes: number;
  readonly containers: readonly ContainerUse[];
  /** By name, of those whose files are the pod's own. */
  readonly volumes: ReadonlyMap<string, DiskUse>;
}

export type UseOf = (podUid: string) => PodUse | undefined;

export function usesOf(snapshot: NodeSnapshot): UseOf {
  const byUid = new Map(snapshot.pods.map((one) => [one.pod.metadata.uid, one]));
  return (uid) => {
    const found = byUid.get(uid);
    return found === undefined ? undefined : useOf(found);
  };
}

function useOf(one: PodSnapshot): PodUse {
  const containers = one.containers.map(({ status, stats, logs }) => ({
    name: status.name,
    memoryBytes: stats.memoryWorkingSetBytes,
    root: { bytes: stats.writableLayerBytes, inodes: stats.writableLayerInodes ?? 0 },
    logs: logs === undefined ? undefined : { bytes: logs.usedBytes, inodes: logs.inodes },
  }));
  return {
    memoryBytes:
      one.group?.memoryWorkingSetBytes ?? containers.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
    processes: one.group?.processes ?? 0,
    containers,
    volumes: new Map(
      // What a claim holds is not the pod's own.
      one.volumes
        .filter(({ claim }) => claim === undefined)
        .map(({ name, usage }) => [name, { bytes: usage.usedBytes, inodes: usage.inodes }]),
    ),
  };
}

/** Which part of what a pod has on disk counts: its containers' layers, their logs, its volumes. */
export interface DiskParts {
  readonly root: boolean;
  readonly logs: boolean;
  readonly volumes: boolean;
}

export const everything: DiskParts = { root: true, logs: true, volumes: true };

const none: DiskUse = { bytes: 0, inodes: 0 };

/** `volume` says which volumes count. */
export function diskUse(use: PodUse, parts: DiskParts, volume: (name: string) => boolean): DiskUse {
  let { bytes, inodes } = none;
  const add = (more: DiskUse) => {
    bytes += more.bytes;
    inodes += more.inodes;
  };
  for (const { root, logs } of use.containers) {
    if (parts.root) add(root);
    if (parts.logs) add(logs ?? none);
  }
  if (parts.volumes) for (const [name, found] of use.volumes) if (volume(name)) add(found);
  return { bytes, inodes };
}
