// Whose the files of a volume are: fsGroup owns them and may read them, and what is made in its directories later is its own too.
// Kubernetes' rules: masks are added to the modes that are there, symlinks are left alone.
import type { Stats } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';

export interface GroupOwnership {
  readonly gid: number;
  /** Containers only read it: the group does not get to write. */
  readonly readOnly: boolean;
  /** Nothing is walked when the volume's own directory is the group's already. */
  readonly onRootMismatch: boolean;
}

const setgid = 0o2000;
const execute = 0o110;
const groupMask = (readOnly: boolean): number => (readOnly ? 0o440 : 0o660);

/** The permissions of a file, or of a directory, that a group owns. Pure. */
export const fileModeFor = (mode: number, readOnly: boolean): number => mode | groupMask(readOnly);
export const directoryModeFor = (mode: number, readOnly: boolean): number =>
  mode | groupMask(readOnly) | execute | setgid;

const permissions = (stat: Stats): number => stat.mode & 0o7777;

/** Whether the directory at the top is as it should be, so that what is below is taken to be. */
export function isOwned(stat: Stats, { gid, readOnly }: GroupOwnership): boolean {
  const mode = permissions(stat);
  return stat.isDirectory() && stat.gid === gid && directoryModeFor(mode, readOnly) === mode;
}

/** Gives everything below `root`, and itself, to the group. Idempotent. What vanishes meanwhile is passed over. */
export async function ownByGroup(root: string, ownership: GroupOwnership): Promise<void> {
  if (ownership.onRootMismatch && isOwned(await fs.lstat(root), ownership)) return;
  await own(root, ownership);
}

async function own(at: string, ownership: GroupOwnership): Promise<void> {
  const stat = await fs.lstat(at);
  if (stat.isSymbolicLink()) return;
  const { gid, readOnly } = ownership;
  // The entries first: the top is in order only when all below it is, and that is what onRootMismatch goes by.
  if (stat.isDirectory())
    for (const name of await fs.readdir(at))
      await own(path.join(at, name), ownership).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
  const mode = permissions(stat);
  const wanted = stat.isDirectory() ? directoryModeFor(mode, readOnly) : fileModeFor(mode, readOnly);
  if (stat.gid === gid && wanted === mode) return;
  await fs.lchown(at, stat.uid, gid);
  await fs.chmod(at, wanted);
}
