// What is mounted into one container: its volumes, /etc/hosts, the file for its last words. A subPath must stay inside its
// volume, also through symlinks that a container made.
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { coreV1, Pod } from '../../api/index.ts';
import type { Mount } from '../../os/index.ts';
import { ContainerConfigError } from '../container/environment.ts';
import { expand } from '../container/expansion.ts';
import type { VolumePaths } from './pod-volumes.ts';

export interface MountsInput {
  readonly pod: Pod;
  readonly container: coreV1.Container;
  readonly attempt: number;
  readonly volumes: VolumePaths;
  readonly environment: ReadonlyMap<string, string>;
  readonly podDir: string;
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
  const { pod, container, podDir } = input;
  const mounts: Mount[] = [];
  for (const mount of container.volumeMounts ?? []) {
    const base = input.volumes.get(mount.name);
    if (base === undefined)
      throw new ContainerConfigError(
        `cannot find volume "${mount.name}" to mount into container "${container.name}"`,
      );
    const subPath = mount.subPathExpr
      ? expandSubPath(mount.subPathExpr, input.environment)
      : (mount.subPath ?? '');
    const readOnlyVolume = isReadOnlyVolume(pod, mount.name);
    mounts.push({
      containerPath: path.posix.resolve('/', mount.mountPath),
      hostPath: subPath === '' ? base : await resolveSubPath(base, subPath, mount.name),
      readOnly: mount.readOnly === true || readOnlyVolume,
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

/** Volumes of objects are never written to by containers. */
function isReadOnlyVolume(pod: Pod, name: string): boolean {
  const volume = pod.spec.volumes?.find((v) => v.name === name);
  return (
    volume?.configMap !== undefined ||
    volume?.secret !== undefined ||
    volume?.projected !== undefined ||
    volume?.downwardAPI !== undefined
  );
}

function expandSubPath(expression: string, environment: ReadonlyMap<string, string>): string {
  const text = expand(expression, environment);
  if (/\$\([^)]*\)/.test(text)) throw new ContainerConfigError(`missing value for "${expression}"`);
  return text;
}

async function resolveSubPath(base: string, subPath: string, volume: string): Promise<string> {
  if (path.isAbsolute(subPath) || subPath.split('/').includes('..'))
    throw new ContainerConfigError(
      `unable to provision SubPath \`${subPath}\`: must be a relative path without '..'`,
    );
  const root = await fs.realpath(base);
  let at = root;
  // Part by part, so that nothing is made through a symlink that leads out of the volume.
  for (const part of subPath.split('/').filter((p) => p !== '' && p !== '.')) {
    const next = path.join(at, part);
    const real = await fs.realpath(next).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw subPathError(volume, error.message);
    });
    if (real === undefined) {
      await fs.mkdir(next, { mode: 0o755 }).catch((error: Error) => {
        throw subPathError(volume, error.message);
      });
      at = next;
    } else if (real === root || real.startsWith(`${root}/`)) at = real;
    else throw subPathError(volume, `subpath ${JSON.stringify(subPath)} not within volume path`);
  }
  return at;
}

const subPathError = (volume: string, why: string): ContainerConfigError =>
  new ContainerConfigError(`failed to prepare subPath for volumeMount of volume "${volume}": ${why}`);
