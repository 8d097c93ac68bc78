// Who has to go first when the node is short of something: the kubelet's orders. Those of which nothing is known, then those that use
// more than they asked for, then the less important, then who uses most beyond its request. Pure.
import { type Pod, podRequests } from '../../api/index.ts';
import { type DiskParts, diskUse, everything, type PodUse, type UseOf } from './pod-usage.ts';
import type { Signal, StarvedResource } from './signals.ts';
import { factsOf } from './signals.ts';

/** How urgently one pod should go. Comparable between nodes that share a machine. */
export interface Rank {
  /** Nothing is known of what it uses. */
  readonly unknown: boolean;
  readonly exceeds: boolean;
  readonly priority: number;
  /** Beyond what it asked for, in units of the resource; below zero = so much less. */
  readonly excess: number;
}

/** Below 0: `a` goes before `b`. */
export function compareRanks(a: Rank, b: Rank): number {
  if (a.unknown !== b.unknown) return a.unknown ? -1 : 1;
  if (a.exceeds !== b.exceeds) return a.exceeds ? -1 : 1;
  if (a.priority !== b.priority) return a.priority - b.priority;
  return b.excess - a.excess;
}

export interface RankedPod {
  readonly pod: Pod;
  readonly rank: Rank;
}

/** Whether images lie on a file system of their own: then each disk is freed by what lies on it. */
export type DiskLayout = 'one disk' | 'own image disk';

export interface RankInput {
  readonly pods: readonly Pod[];
  readonly use: UseOf;
  readonly signal: Signal;
  readonly disks: DiskLayout;
}

/** The first one goes first. Pods that are equal stay as they were. */
export function rankPods({ pods, use, signal, disks }: RankInput): RankedPod[] {
  const { resource } = factsOf[signal];
  const parts = partsOf(signal, disks);
  return pods
    .map((pod) => ({ pod, rank: rankOf(pod, use(pod.metadata.uid), { resource, parts }) }))
    .sort((a, b) => compareRanks(a.rank, b.rank));
}

function rankOf(
  pod: Pod,
  use: PodUse | undefined,
  { resource, parts }: { resource: StarvedResource; parts: DiskParts },
): Rank {
  const priority = pod.spec.priority ?? 0;
  if (use === undefined) return { unknown: true, exceeds: false, priority, excess: 0 };
  const known = (used: number, asked: number): Rank => ({
    unknown: false,
    exceeds: used > asked,
    priority,
    excess: used - asked,
  });
  switch (resource) {
    case 'memory':
      return known(use.memoryBytes, podRequests(pod)['memory'] ?? 0);
    case 'pids':
      // Nobody asks for processes: priority alone comes before their number.
      return { unknown: false, exceeds: false, priority, excess: use.processes };
    case 'ephemeral-storage':
      return known(disk(pod, use, parts).bytes, podRequests(pod)['ephemeral-storage'] ?? 0);
    case 'inodes':
      return known(disk(pod, use, parts).inodes, 0);
  }
}

const disk = (pod: Pod, use: PodUse, parts: DiskParts) =>
  diskUse(use, parts, (name) => onNodeDisk(pod, name));

function onNodeDisk(pod: Pod, name: string): boolean {
  const volume = pod.spec.volumes?.find((one) => one.name === name);
  if (volume === undefined) return false;
  return (
    volume.configMap !== undefined || (volume.emptyDir !== undefined && volume.emptyDir.medium !== 'Memory')
  );
}

function partsOf(signal: Signal, disks: DiskLayout): DiskParts {
  if (disks === 'one disk') return everything;
  return signal.startsWith('imagefs.')
    ? { root: true, logs: false, volumes: false }
    : { root: false, logs: true, volumes: true };
}

const configSource = 'kubernetes.io/config.source';
const mirror = 'kubernetes.io/config.mirror';
const systemCritical = 2_000_000_000;

/** Static pods, their mirrors, and pods of the system's priorities are never evicted: the node itself may need them. */
export function isCritical({ metadata, spec }: Pod): boolean {
  const source = metadata.annotations?.[configSource];
  if (source !== undefined && source !== 'api') return true;
  if (metadata.annotations?.[mirror] !== undefined) return true;
  return (spec.priority ?? 0) >= systemCritical;
}
