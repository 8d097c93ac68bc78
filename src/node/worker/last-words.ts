// The termination message of a container: what it wrote to its message file or, if it asked for that and failed, the end of its log.
import * as fs from 'node:fs/promises';
import type { ContainerStatus } from '../../os/index.ts';
import { annotation } from '../container/names.ts';
import { lastLogLines } from '../server/log-file.ts';
import { terminationLog } from '../volumes/container-mounts.ts';

const maxFileBytes = 4096;
const maxLogBytes = 2048;
const maxLogLines = 80;

async function lastWords(podDir: string, status: ContainerStatus): Promise<string> {
  let text = '';
  if (status.annotations[annotation.terminationMessagePath]) {
    const file = terminationLog(podDir, status.name, status.attempt);
    const found = await readStart(file).catch(() => undefined);
    text = found ?? '';
  }
  const wantsLog = status.annotations[annotation.terminationMessagePolicy] === 'FallbackToLogsOnError';
  if (text === '' && wantsLog && status.exitCode !== 0)
    text = await lastLogLines(status.logPath, { lines: maxLogLines, bytes: maxLogBytes }).catch(() => '');
  return text;
}

async function readStart(file: string): Promise<string> {
  const handle = await fs.open(file, 'r');
  try {
    const buffer = Buffer.alloc(maxFileBytes);
    const { bytesRead } = await handle.read(buffer, 0, maxFileBytes, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** The messages of one pod's ended containers, by container id. Each is read once. */
export class LastWords {
  readonly messages = new Map<string, string>();

  async collect(podDir: string, containers: readonly ContainerStatus[]): Promise<void> {
    const known = new Set(containers.map((c) => c.id));
    for (const id of this.messages.keys()) if (!known.has(id)) this.messages.delete(id);
    for (const status of containers)
      if (status.state === 'exited' && !this.messages.has(status.id))
        this.messages.set(status.id, (await lastWords(podDir, status)) || status.message);
  }
}
