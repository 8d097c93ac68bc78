// Reads the files of variables that a container refers to out of the pod's volumes. Whoever wrote such a file may have made it a link
// to something else on the node: what does not lie in the volume is not read.
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { coreV1 } from '../../api/index.ts';
import { ContainerConfigError, type EnvFiles } from '../container/environment.ts';
import type { VolumePaths } from '../volumes/pod-volumes.ts';

/** The limit of the kubelet. */
const maxBytes = 64 << 10;

/** Files that are not there are left out. Rejects with a ContainerConfigError on those that cannot be used. */
export async function readEnvFiles(container: coreV1.Container, volumes: VolumePaths): Promise<EnvFiles> {
  const files = new Map<string, string>();
  for (const { valueFrom } of container.env ?? []) {
    const ref = valueFrom?.fileKeyRef;
    if (ref === undefined) continue;
    const root = volumes.get(ref.volumeName)?.path;
    if (root === undefined) throw new ContainerConfigError(`cannot find the volume "${ref.volumeName}"`);
    const text = await readInside(root, ref.path);
    if (text !== undefined) files.set(`${ref.volumeName}/${ref.path}`, text);
  }
  return files;
}

async function readInside(root: string, name: string): Promise<string | undefined> {
  const refuse = (why: string) => new ContainerConfigError(`couldn't read env file "${name}": ${why}`);
  let file: fs.FileHandle;
  try {
    // A pipe must not hold us up.
    file = await fs.open(path.join(root, name), fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw refuse((error as Error).message);
  }
  try {
    const opened = await fs.readlink(`/proc/self/fd/${file.fd}`);
    if (!opened.startsWith(`${await fs.realpath(root)}/`)) throw refuse('it does not lie in its volume');
    const { size } = await file.stat();
    if (size > maxBytes) throw refuse(`it is larger than ${maxBytes} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
