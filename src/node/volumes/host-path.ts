// hostPath volumes: a path of the node, checked against the type the author expects.
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { coreV1 } from '../../api/index.ts';
import { VolumeError } from './volume-error.ts';

type Stat = Awaited<ReturnType<typeof fs.stat>>;

const checks: Readonly<Record<string, { what: string; ok: (stat: Stat) => boolean }>> = {
  Directory: { what: 'a directory', ok: (s) => s.isDirectory() },
  DirectoryOrCreate: { what: 'a directory', ok: (s) => s.isDirectory() },
  File: { what: 'a file', ok: (s) => s.isFile() },
  FileOrCreate: { what: 'a file', ok: (s) => s.isFile() },
  Socket: { what: 'a socket file', ok: (s) => s.isSocket() },
  CharDevice: { what: 'a character device', ok: (s) => s.isCharacterDevice() },
  BlockDevice: { what: 'a block device', ok: (s) => s.isBlockDevice() },
};

/** Resolves to the path to mount. */
export async function ensureHostPath(source: coreV1.HostPathVolumeSource): Promise<string> {
  const { path: target, type = '' } = source;
  if (target.split('/').includes('..')) throw new VolumeError(`hostPath ${target}: must not contain '..'`);
  const stat = await fs.stat(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new VolumeError(`hostPath ${target}: ${error.message}`);
  });
  if (type === '') {
    // Nothing is checked; the runtime would make a missing directory as well.
    if (stat === undefined) await fs.mkdir(target, { recursive: true, mode: 0o755 });
    return target;
  }
  const check = checks[type];
  if (check === undefined) throw new VolumeError(`hostPath ${target}: unknown type ${type}`);
  if (stat === undefined) {
    if (type === 'DirectoryOrCreate') {
      await fs.mkdir(target, { recursive: true, mode: 0o755 });
      return target;
    }
    if (type === 'FileOrCreate') {
      await fs.writeFile(target, '', { flag: 'a', mode: 0o644 }).catch((error: Error) => {
        throw new VolumeError(`hostPath ${target}: ${error.message}`);
      });
      return target;
    }
  }
  if (stat === undefined || !check.ok(stat))
    throw new VolumeError(`hostPath type check failed: ${path.normalize(target)} is not ${check.what}`);
  return target;
}
