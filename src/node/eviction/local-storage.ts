// Pods that have written more to the node's disk than their limits allow. Pure; messages are the kubelet's.
import { type Pod, podLimits } from '../../api/index.ts';
import { formatQuantity, mustParseQuantity, quantityOf, toValue } from '../../machinery/index.ts';
import { diskUse, everything, type PodUse } from './pod-usage.ts';
import type { DiskLayout } from './ranking.ts';
import type { StorageLimit } from './signals.ts';

const storage = 'ephemeral-storage';
const bytesOf = (quantity: string): number => toValue(mustParseQuantity(quantity));

/** Whether there is any limit to look after: of most pods nothing has to be measured. */
export const hasStorageLimits = (pod: Pod): boolean =>
  (pod.spec.volumes ?? []).some(({ emptyDir }) => emptyDir?.sizeLimit !== undefined) ||
  podLimits(pod)[storage] !== undefined;

export interface Exceeded {
  readonly signal: StorageLimit;
  readonly message: string;
}

/** Why it has to go, and what is said then; undefined = it keeps to its limits. */
export function exceededStorage(pod: Pod, use: PodUse, disks: DiskLayout): Exceeded | undefined {
  return (
    because('emptydirfs.limit', exceededVolume(pod, use)) ??
    because('ephemeralpodfs.limit', exceededPod(pod, use, disks)) ??
    because('ephemeralcontainerfs.limit', exceededContainer(pod, use, disks))
  );
}

const because = (signal: StorageLimit, message: string | undefined): Exceeded | undefined =>
  message === undefined ? undefined : { signal, message };

function exceededVolume(pod: Pod, use: PodUse): string | undefined {
  for (const { name, emptyDir } of pod.spec.volumes ?? []) {
    const used = use.volumes.get(name)?.bytes;
    if (emptyDir?.sizeLimit === undefined || used === undefined) continue;
    const limit = bytesOf(emptyDir.sizeLimit);
    if (limit > 0 && used > limit)
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${canonical(emptyDir.sizeLimit)}". `;
  }
  return undefined;
}

function exceededPod(pod: Pod, use: PodUse, disks: DiskLayout): string | undefined {
  const limit = podLimits(pod)[storage];
  if (limit === undefined) return undefined;
  const parts = disks === 'one disk' ? everything : { ...everything, root: false };
  const used = diskUse(use, parts, (name) => isEphemeral(pod, name)).bytes;
  if (used <= limit) return undefined;
  const text = formatQuantity(quantityOf(limit, 'BinarySI'));
  return `Pod ephemeral local storage usage exceeds the total limit of containers ${text}. `;
}

function exceededContainer(pod: Pod, use: PodUse, disks: DiskLayout): string | undefined {
  for (const { name, root, logs } of use.containers) {
    const limit = pod.spec.containers.find((one) => one.name === name)?.resources?.limits?.[storage];
    if (limit === undefined || bytesOf(limit) === 0) continue;
    const used = (logs?.bytes ?? 0) + (disks === 'one disk' ? root.bytes : 0);
    if (used > bytesOf(limit))
      return `Container ${name} exceeded its local ephemeral storage limit "${canonical(limit)}". `;
  }
  return undefined;
}

const canonical = (quantity: string): string => formatQuantity(mustParseQuantity(quantity));

function isEphemeral(pod: Pod, name: string): boolean {
  const volume = pod.spec.volumes?.find((one) => one.name === name);
  if (volume === undefined) return false;
  return (
    (volume.emptyDir !== undefined && volume.emptyDir.medium !== 'Memory') ||
    volume.configMap !== undefined ||
    volume.secret !== undefined ||
    volume.projected !== undefined ||
    volume.downwardAPI !== undefined
  );
}
