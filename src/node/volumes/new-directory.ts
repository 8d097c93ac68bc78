// A directory that is as it should be from the moment that it is there: made under another name and moved, so that a crash in between leaves
// none that passes for done. Later its modes are the business of whoever uses it.
import * as fs from 'node:fs/promises';
import * as path from 'node:path';

export interface NewDirectory {
  /** Whatever the umask. */
  readonly mode: number;
  /** undefined = root's group */
  readonly gid?: number | undefined;
}

/** Resolves to whether it was made; one that is there is left alone. Not to be called twice at once for the same. */
export async function ensureDirectory(dir: string, { mode, gid }: NewDirectory): Promise<boolean> {
  const there = await fs.lstat(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (there !== undefined) return false;
  const fresh = path.join(path.dirname(dir), `.new-${path.basename(dir)}`.slice(0, 255));
  await fs.mkdir(fresh, { recursive: true, mode: 0o755 });
  if (gid !== undefined) await fs.lchown(fresh, process.getuid?.() ?? 0, gid);
  await fs.chmod(fresh, mode);
  await fs.rename(fresh, dir);
  return true;
}
