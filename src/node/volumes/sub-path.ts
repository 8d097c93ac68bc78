// One file or directory of a volume, for one mount of one container. What is in a volume may change at any moment by containers that have
// it already, so that a path which was checked can lead elsewhere when it is mounted. So it is walked by open files, none of them a
// symlink, and what the last one holds is mounted, whatever its path has come to mean. As the kubelet does since CVE-2017-1002101.

import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Exec } from '../../os/index.ts';
import { ContainerConfigError } from '../container/environment.ts';
import { isMountPoint } from './mount-table.ts';

export interface SubPath {
  /** Where the volume lies. */
  readonly base: string;
  readonly subPath: string;
  /** Its name, for messages. */
  readonly volume: string;
  /** Where to mount it; the caller's own place. */
  readonly target: string;
}

/** O_PATH of Linux: a place in the tree, not what is in it. Node has no name for it. */
const openPath = 0o10000000;
const noFollow = openPath | constants.O_NOFOLLOW;

/** Mounts it at its target, in place of what was there. A path that is missing is made. Rejects with a ContainerConfigError. */
export async function mountSubPath(request: SubPath, exec: Exec): Promise<void> {
  const { target, volume } = request;
  const fail = (error: unknown): never => {
    if (error instanceof ContainerConfigError) throw error;
    throw new ContainerConfigError(
      `failed to prepare subPath for volumeMount of volume "${volume}": ${(error as Error).message}`,
    );
  };
  const held = await openSubPath(request).catch(fail);
  try {
    const isDirectory = (await held.stat()).isDirectory();
    await clear(target, exec);
    await fs.mkdir(isDirectory ? target : path.dirname(target), { recursive: true, mode: 0o750 });
    if (!isDirectory) await fs.writeFile(target, '', { mode: 0o640 });
    const source = `/proc/${process.pid}/fd/${held.fd}`;
    // By its number and not by the path that mount would make of it.
    await exec.run(['mount', '--no-canonicalize', '--bind', source, target], { timeoutMs: 20_000 });
  } catch (error) {
    fail(error);
  } finally {
    await held.close();
  }
}

async function clear(target: string, exec: Exec): Promise<void> {
  if (await isMountPoint(target)) await exec.run(['umount', '-l', target], { timeoutMs: 20_000 });
  const stat = await fs.lstat(target).catch(undefinedIfMissing);
  if (stat?.isDirectory() === true) await fs.rmdir(target);
  else if (stat !== undefined) await fs.unlink(target);
}

/** Holds what the path leads to. The caller closes it. */
export async function openSubPath({ base, subPath }: Omit<SubPath, 'target'>): Promise<fs.FileHandle> {
  if (path.isAbsolute(subPath) || subPath.split('/').includes('..'))
    throw new ContainerConfigError(
      `unable to provision SubPath \`${subPath}\`: must be a relative path without '..'`,
    );
  const root = await fs.realpath(base);
  const { there, missing } = await resolveInside(root, subPath);
  let at = await fs.open(root, noFollow | constants.O_DIRECTORY);
  try {
    const mode = (await at.stat()).mode & 0o7777;
    for (const part of there) at = await step(at, part);
    for (const part of missing) at = await make(at, { part, mode });
    return at;
  } catch (error) {
    await at.close();
    throw error;
  }
}

/** Links within the volume may be followed: the parts of the real path that is there, and those of the path that are not. */
async function resolveInside(root: string, subPath: string): Promise<{ there: string[]; missing: string[] }> {
  const parts = subPath.split('/').filter((part) => part !== '' && part !== '.');
  let at = root;
  for (const [i, part] of parts.entries()) {
    const next = path.join(at, part);
    const real = await fs.realpath(next).catch(undefinedIfMissing);
    if (real === undefined) return { there: split(root, at), missing: parts.slice(i) };
    if (real !== root && !real.startsWith(`${root}/`))
      throw new Error(`subpath ${JSON.stringify(subPath)} not within volume path`);
    at = real;
  }
  return { there: split(root, at), missing: [] };
}

const split = (root: string, real: string): string[] =>
  real === root ? [] : real.slice(root.length + 1).split('/');

/** Closes where it came from. */
async function step(from: fs.FileHandle, part: string): Promise<fs.FileHandle> {
  const next = await fs.open(`/proc/self/fd/${from.fd}/${part}`, noFollow);
  if ((await next.stat()).isSymbolicLink()) {
    await next.close();
    throw new Error(`${JSON.stringify(part)} has become a symbolic link`);
  }
  await from.close();
  return next;
}

async function make(
  from: fs.FileHandle,
  { part, mode }: { part: string; mode: number },
): Promise<fs.FileHandle> {
  const made = await fs.mkdir(`/proc/self/fd/${from.fd}/${part}`, { mode }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      // Two containers may need it at once.
      if (error.code !== 'EEXIST') throw error;
      return false;
    },
  );
  const next = await step(from, part);
  // As the volume's own directory is, whatever the umask.
  if (made) await fs.chmod(`/proc/self/fd/${next.fd}`, mode);
  return next;
}

const undefinedIfMissing = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== 'ENOENT') throw error;
};
