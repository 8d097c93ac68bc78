// Writes the files of a volume so that readers see all of the old or all of the new: a new directory beside the old one, then
// the symlink `..data` moved over by rename. Visible names are symlinks into `..data`. The scheme of Kubernetes' AtomicWriter, so
// programs that watch `..data` work.
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { type Payload, VolumeError } from './payload.ts';

const dataDir = '..data';
const newDataDir = '..data_tmp';

function checkPath(file: string): void {
  const parts = file.split('/');
  if (file === '' || path.isAbsolute(file) || parts.includes('..') || parts[0]!.startsWith('..'))
    throw new VolumeError(`invalid path in volume: ${JSON.stringify(file)}`);
}

async function sameFiles(dir: string, payload: Payload): Promise<boolean> {
  const found = new Set<string>();
  const walk = async (at: string): Promise<boolean> => {
    for (const entry of await fs.readdir(path.join(dir, at), { withFileTypes: true })) {
      const name = path.join(at, entry.name);
      if (entry.isDirectory()) {
        if (!(await walk(name))) return false;
        continue;
      }
      const want = payload.get(name);
      if (want === undefined) return false;
      const stat = await fs.stat(path.join(dir, name));
      if ((stat.mode & 0o777) !== (want.mode & 0o777)) return false;
      if (!want.data.equals(await fs.readFile(path.join(dir, name)))) return false;
      found.add(name);
    }
    return true;
  };
  return (await walk('')) && found.size === payload.size;
}

export interface WriteOptions {
  readonly nowMs: number;
  /** Group that owns and may read every file. */
  readonly fsGroup?: number | undefined;
}

/** Says whether anything changed. The directory must exist. */
export async function writeAtomically(
  dir: string,
  payload: Payload,
  options: WriteOptions,
): Promise<boolean> {
  for (const file of payload.keys()) checkPath(file);
  const link = path.join(dir, dataDir);
  const current = await fs.readlink(link).catch(() => undefined);
  if (current !== undefined && (await sameFiles(path.join(dir, current), payload).catch(() => false)))
    return false;

  const stamp = new Date(options.nowMs).toISOString().replace(/[-:T]/g, '_').slice(0, 19);
  const next = path.basename(await fs.mkdtemp(path.join(dir, `..${stamp}.`)));
  const root = path.join(dir, next);
  await fs.chmod(root, 0o755);
  if (options.fsGroup !== undefined) await ownByGroup(root, options.fsGroup);
  for (const [file, { data, mode, uid }] of payload) {
    const target = path.join(root, file);
    await fs.mkdir(path.dirname(target), { recursive: true, mode: 0o755 });
    await fs.writeFile(target, data);
    if (uid !== undefined || options.fsGroup !== undefined)
      await fs.chown(target, uid ?? 0, options.fsGroup ?? 0);
    // The group may read what it owns.
    await fs.chmod(target, options.fsGroup === undefined ? mode : mode | ((mode & 0o400) >> 3));
  }
  await fs.rm(path.join(dir, newDataDir), { force: true });
  await fs.symlink(next, path.join(dir, newDataDir));
  await fs.rename(path.join(dir, newDataDir), link);

  const visible = new Set([...payload.keys()].map((file) => file.split('/')[0]!));
  for (const name of visible) {
    const at = path.join(dir, name);
    if ((await fs.readlink(at).catch(() => undefined)) === undefined)
      await fs.symlink(path.join(dataDir, name), at);
  }
  for (const name of await fs.readdir(dir))
    if (!name.startsWith('..') && !visible.has(name)) await fs.rm(path.join(dir, name), { force: true });
  if (current !== undefined) await fs.rm(path.join(dir, current), { recursive: true, force: true });
  return true;
}

export async function ownByGroup(dir: string, gid: number): Promise<void> {
  await fs.chown(dir, 0, gid);
  // New files in it belong to the group too.
  await fs.chmod(dir, 0o2775);
}
