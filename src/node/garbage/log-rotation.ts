// Rotates the logs of running containers, as the kubelet does: `0.log` becomes `0.log.20260102-150405`, and older ones are gzipped
// (`….gz`). The newest rotated file stays as it is until the next time, since the container may still write to it and others read it.
import { createReadStream, createWriteStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Clock, type Log, sleep } from '../../base/index.ts';
import type { ContainerRuntime, ContainerStatus } from '../../os/index.ts';

export interface LogRotationPolicy {
  /** A file of this size or more is rotated. */
  readonly maxBytes: number;
  /** How many files a container may have, the one it writes to included. At least 2. */
  readonly maxFiles: number;
}

export const defaultLogRotation: LogRotationPolicy = { maxBytes: 10 << 20, maxFiles: 5 };

const compressed = '.gz';
const unfinished = '.tmp';

export interface RotationPlan {
  /** In this order: the oldest first, so that a reader loses what it has read already. */
  readonly remove: readonly string[];
  readonly compress: readonly string[];
}

/**
 * What happens to the files rotated earlier before the current one is rotated too. `names` are those that begin with the log's own name
 * and a dot. What an interrupted run left (unfinished files, originals of compressed ones) goes. Pure.
 */
export function planRotation(names: readonly string[], maxFiles: number): RotationPlan {
  const all = new Set(names);
  const inUse = (name: string) =>
    !name.endsWith(unfinished) && (name.endsWith(compressed) || !all.has(name + compressed));
  const kept = names.filter(inUse).sort();
  // The file in use and the one it is about to become are not among them.
  const excess = Math.max(0, kept.length - Math.max(0, maxFiles - 2));
  return {
    remove: [...names.filter((name) => !inUse(name)), ...kept.slice(0, excess)],
    compress: kept.slice(excess).filter((name) => !name.endsWith(compressed)),
  };
}

/** `20260102-150405`, in UTC: names sort by age, also where clocks are put back in autumn. */
export const rotationStamp = (nowMs: number): string =>
  new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');

export interface LogRotatorOptions {
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly log: Log;
  readonly policy: LogRotationPolicy;
  /** Those that write now. */
  running(): readonly Pick<ContainerStatus, 'id' | 'logPath'>[];
}

const periodMs = 10_000;

export class LogRotator {
  readonly #options: LogRotatorOptions;

  constructor(options: LogRotatorOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#options.clock, periodMs, signal).catch(() => {});
      if (!signal.aborted) await this.rotateAll();
    }
  }

  /** One container that cannot be rotated does not keep the others from it. */
  async rotateAll(): Promise<void> {
    const { runtime, policy, log, running } = this.#options;
    for (const { id, logPath } of running()) {
      if (logPath === '') continue;
      try {
        const size = await sizeOf(logPath);
        // A run that was cut off between moving the file and saying so.
        if (size === undefined) await runtime.reopenContainerLog(id);
        else if (size >= policy.maxBytes) await this.#rotate(id, logPath);
      } catch (error) {
        log.warn('cannot rotate container log', { container: id, file: logPath, error });
      }
    }
  }

  async #rotate(id: string, file: string): Promise<void> {
    const { runtime, clock, policy } = this.#options;
    const folder = path.dirname(file);
    const { remove, compress } = planRotation(await rotatedNames(file), policy.maxFiles);
    for (const name of remove) await fs.rm(path.join(folder, name), { force: true });
    for (const name of compress) await gzip(path.join(folder, name));
    const rotated = `${file}.${rotationStamp(clock.nowMs())}`;
    await fs.rename(file, rotated);
    try {
      await runtime.reopenContainerLog(id);
    } catch (error) {
      // The container still writes to it: the next round tries again.
      await fs.rename(rotated, file);
      throw error;
    }
  }
}

/** Removes a container's log and what it was rotated into. */
export async function removeContainerLogs(file: string): Promise<void> {
  for (const name of await rotatedNames(file))
    await fs.rm(path.join(path.dirname(file), name), { force: true });
  await fs.rm(file, { force: true });
}

async function rotatedNames(file: string): Promise<string[]> {
  const prefix = `${path.basename(file)}.`;
  const names = await fs.readdir(path.dirname(file)).catch(() => []);
  return names.filter((name) => name.startsWith(prefix));
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await fs.stat(file)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function gzip(file: string): Promise<void> {
  const partial = file + unfinished;
  try {
    await pipeline(createReadStream(file), createGzip(), createWriteStream(partial, { mode: 0o640 }));
    await fs.rename(partial, file + compressed);
  } finally {
    await fs.rm(partial, { force: true });
  }
  await fs.rm(file);
}
