// emptyDir volumes: a directory of the pod's own, on the node's disk or in memory.
import type { coreV1, Pod } from '../../api/index.ts';
import { mustParseQuantity, toValue } from '../../machinery/index.ts';
import type { Exec } from '../../os/index.ts';
import { isMountPoint } from './mount-table.ts';
import { ensureDirectory } from './new-directory.ts';
import { directoryModeFor } from './ownership.ts';
import { VolumeError } from './volume-error.ts';

const bytesOf = (quantity: string | undefined): number =>
  quantity === undefined ? 0 : toValue(mustParseQuantity(quantity));

/**
 * How large a volume in memory may become, in bytes: what it says, but no more than the pod may use, and that no more than the node has
 * for pods. 0 = half of the machine's memory, as the kernel decides. Pure.
 */
export function memoryVolumeBytes(
  { spec }: Pod,
  { sizeLimit }: coreV1.EmptyDirVolumeSource,
  allocatable: Readonly<Record<string, string>>,
): number {
  let bytes = bytesOf(allocatable['memory']);
  const lower = (limit: number) => {
    if (limit > 0 && (bytes === 0 || limit < bytes)) bytes = limit;
  };
  const limits = spec.containers.map(({ resources }) => bytesOf(resources?.limits?.['memory']));
  if (limits.every((limit) => limit > 0)) lower(limits.reduce((sum, limit) => sum + limit, 0));
  lower(bytesOf(sizeLimit));
  return bytes;
}

export interface EmptyDirInput {
  readonly pod: Pod;
  readonly emptyDir: coreV1.EmptyDirVolumeSource;
  readonly dir: string;
  readonly allocatable: Readonly<Record<string, string>>;
  readonly exec: Exec;
}

/** Makes it; what is in it already stays. */
export async function ensureEmptyDir({
  pod,
  emptyDir,
  dir,
  allocatable,
  exec,
}: EmptyDirInput): Promise<void> {
  const { medium = '' } = emptyDir;
  if (medium !== '' && medium !== 'Memory')
    throw new VolumeError(
      medium.startsWith('HugePages')
        ? `emptyDir medium ${medium} is not supported by this node`
        : `unknown storage medium ${JSON.stringify(medium)}`,
    );
  const gid = pod.spec.securityContext?.fsGroup;
  const mode = gid === undefined ? 0o777 : directoryModeFor(0o777, false);
  await ensureDirectory(dir, { mode, gid });
  if (medium !== 'Memory' || (await isMountPoint(dir))) return;
  // With the sticky bit, which the kernel gives a tmpfs that nobody gave a mode: Kubernetes gives none.
  const options = [`mode=${(0o1000 | mode).toString(8)}`];
  if (gid !== undefined) options.push(`gid=${gid}`);
  const bytes = memoryVolumeBytes(pod, emptyDir, allocatable);
  if (bytes > 0) options.push(`size=${bytes}`);
  await exec.run(['mount', '-t', 'tmpfs', '-o', options.join(), 'tmpfs', dir], { timeoutMs: 20_000 });
}
