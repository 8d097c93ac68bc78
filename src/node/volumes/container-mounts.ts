// What is mounted into one container: its volumes, /etc/hosts, the file for its last words.
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { coreV1 } from '../../api/index.ts';
import type { Mount } from '../../os/index.ts';
import { ContainerConfigError } from '../container/environment.ts';
import { expand } from '../container/expansion.ts';
import type { VolumePaths } from './pod-volumes.ts';
import type { SubPath } from './sub-path.ts';

export interface MountsInput {
  readonly container: coreV1.Container;
  readonly attempt: number;
  readonly volumes: VolumePaths;
  readonly environment: ReadonlyMap<string, string>;
  readonly podDir: string;
  /** Mounts a part of a volume at its target. Rejects with a ContainerConfigError. */
  bindSubPath(request: SubPath): Promise<void>;
  /** The text of /etc/hosts. */
  readonly hosts: string;
}

const propagation = {
  None: 'private',
  HostToContainer: 'hostToContainer',
  Bidirectional: 'bidirectional',
} as const;

/** Makes the files that are needed and answers the mounts. */
export async function ensureContainerMounts(input: MountsInput): Promise<Mount[]> {
  const { container, podDir } = input;
  const mounts: Mount[] = [];
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const base = input.volumes.get(mount.name);
    if (base === undefined)
      throw new ContainerConfigError(
        `cannot find volume "${mount.name}" to mount into container "${container.name}"`,
      );
    const subPath = mount.subPathExpr
      ? expandSubPath(mount.subPathExpr, input.environment)
      : (mount.subPath ?? '');
    if (mount.recursiveReadOnly === 'Enabled')
      throw new ContainerConfigError(
        `failed to resolve recursive read-only mode: volume ${JSON.stringify(mount.name)} requested recursive read-only mode, but it is not supported by the runtime`,
      );
    let hostPath = base.path;
    if (subPath !== '') {
      hostPath = path.join(podDir, 'volume-subpaths', mount.name, container.name, String(index));
      await input.bindSubPath({ base: base.path, subPath, volume: mount.name, target: hostPath });
    }
    mounts.push({
      containerPath: path.posix.resolve('/', mount.mountPath),
      hostPath,
      readOnly: mount.readOnly === true || base.readOnly,
      propagation: propagation[(mount.mountPropagation ?? 'None') as keyof typeof propagation] ?? 'private',
    });
  }
  const taken = new Set(mounts.map((m) => m.containerPath));
  const files = path.join(podDir, 'containers', container.name);
  await fs.mkdir(files, { recursive: true, mode: 0o750 });
  if (!taken.has('/etc/hosts')) {
    const hostPath = path.join(podDir, 'etc-hosts');
    await fs.writeFile(hostPath, input.hosts, { mode: 0o644 });
    mounts.push({ containerPath: '/etc/hosts', hostPath, readOnly: false });
  }
  const messagePath = container.terminationMessagePath;
  if (messagePath) {
    const hostPath = terminationLog(podDir, container.name, input.attempt);
    await fs.writeFile(hostPath, '', { mode: 0o666 });
    // The umask must not keep the container's user from writing.
    await fs.chmod(hostPath, 0o666);
    mounts.push({ containerPath: messagePath, hostPath, readOnly: false });
  }
  return mounts;
}

export const terminationLog = (podDir: string, container: string, attempt: number): string =>
  path.join(podDir, 'containers', container, `${attempt}.message`);

function expandSubPath(expression: string, environment: ReadonlyMap<string, string>): string {
  const text = expand(expression, environment);
  if (/\$\([^)]*\)/.test(text)) throw new ContainerConfigError(`missing value for "${expression}"`);
  return text;
}
