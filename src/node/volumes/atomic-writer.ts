// Writes the files of a volume so that readers see all of the old or all of the new: a new directory beside the old one, then
// the symlink `..data` moved over by rename. Visible names are symlinks into `..data`. The scheme of Kubernetes' AtomicWriter, so
// programs that watch `..data` work.
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { directoryModeFor, fileModeFor } from './ownership.ts';
import type { Payload, VolumeFile } from './payload.ts';
import { VolumeError } from './volume-error.ts';

const dataDir = '..data';
const newDataDir = '..data_tmp';

function checkPath(file: string): void {
  const parts = file.split('/');
  if (file === '' || path.isAbsolute(file) || parts.includes('..') || parts[0]!.startsWith('..'))
    throw new VolumeError(`invalid path in volume: ${JSON.stringify(file)}`);
}

/** Containers only read these files, whoever owns them. */
const modeOf = ({ mode }: VolumeFile, { fsGroup }: WriteOptions): number =>
  fsGroup === undefined ? mode : fileModeFor(mode, true);

async function sameFiles(dir: string, payload: Payload, options: WriteOptions): Promise<boolean> {
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
      if ((stat.mode & 0o777) !== (modeOf(want, options) & 0o777)) return false;
      if (!want.data.equals(await fs.readFile(path.join(dir, name)))) return false;
      found.add(name);
    }
    return true;
  };
  return (await walk('')) && found.size === payload.size;
}

export interface WriteOptions {
  readonly nowMs: number;
  /** Group that owns and may read every file; undefined = root's. */
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
  if (
    current !== undefined &&
    (await sameFiles(path.join(dir, current), payload, options).catch(() => false))
  )
    return false;

  const stamp = new Date(options.nowMs).toISOString().replace(/[-:T]/g, '_').slice(0, 19);
  const next = path.basename(await fs.mkdtemp(path.join(dir, `..${stamp}.`)));
  const root = path.join(dir, next);
  const { fsGroup } = options;
  const directories = new Set([root]);
  for (const [file, content] of payload) {
    const target = path.join(root, file);
    for (let at = path.dirname(target); at !== root; at = path.dirname(at)) directories.add(at);
    await fs.mkdir(path.dirname(target), { recursive: true, mode: 0o755 });
    await fs.writeFile(target, content.data);
    if (content.uid !== undefined || fsGroup !== undefined)
      await fs.chown(target, content.uid ?? 0, fsGroup ?? 0);
    await fs.chmod(target, modeOf(content, options));
  }
  for (const at of directories) {
    if (fsGroup !== undefined) await fs.chown(at, 0, fsGroup);
    await fs.chmod(at, fsGroup === undefined ? 0o755 : directoryModeFor(0o755, true));
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
