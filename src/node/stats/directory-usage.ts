// How much the files below a directory take, by walking it: slow, so it happens in the background, one directory at a time, and what is
// asked for is the last result. The order in which directories are walked again is the order in which they were walked.
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { type Clock, sleep } from '../../base/index.ts';

export interface DirectoryUsage {
  /** What the blocks take, as du says. */
  readonly usedBytes: number;
  /** Files and directories; one that has several names counts once. */
  readonly inodes: number;
  readonly atMs: number;
}

/** Stays on its file system, follows no links. What vanishes meanwhile does not count. */
export async function walk(directory: string): Promise<Omit<DirectoryUsage, 'atMs'>> {
  const seen = new Set<number>();
  let usedBytes = 0;
  const root = await statOf(directory);
  if (root === undefined) return { usedBytes: 0, inodes: 0 };
  const waiting: string[] = [directory];
  const count = ({ ino, blocks }: { ino: number; blocks: number }) => {
    if (seen.has(ino)) return;
    seen.add(ino);
    usedBytes += blocks * 512;
  };
  count(root);
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const entries = await fs.readdir(at, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const file = path.join(at, entry.name);
      const found = await statOf(file);
      if (found === undefined || found.dev !== root.dev) continue;
      count(found);
      if (entry.isDirectory()) waiting.push(file);
    }
  }
  return { usedBytes, inodes: seen.size };
}

const statOf = (file: string) => fs.lstat(file).catch(() => undefined);

interface Watched {
  last: DirectoryUsage | undefined;
}

/** The directories of a node's pods. */
export class DirectoryUsages {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #watched = new Map<string, Watched>();

  /** Each directory is walked again once it was not for `periodMs`. */
  constructor(clock: Clock, periodMs: number) {
    this.#clock = clock;
    this.#periodMs = periodMs;
  }

  /** undefined = not walked yet. */
  get(directory: string): DirectoryUsage | undefined {
    return this.#watched.get(directory)?.last;
  }

  /** These, and no others, are walked from now on. */
  retain(directories: readonly string[]): void {
    const wanted = new Set(directories);
    for (const known of this.#watched.keys()) if (!wanted.has(known)) this.#watched.delete(known);
    for (const one of directories) if (!this.#watched.has(one)) this.#watched.set(one, { last: undefined });
  }

  /** One look at those that are due. */
  async refresh(signal?: AbortSignal): Promise<void> {
    for (const [directory, watched] of [...this.#watched]) {
      if (signal?.aborted) return;
      const nowMs = this.#clock.nowMs();
      if (watched.last !== undefined && nowMs - watched.last.atMs < this.#periodMs) continue;
      watched.last = { ...(await walk(directory)), atMs: nowMs };
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.refresh(signal);
      await sleep(this.#clock, Math.min(this.#periodMs, 10_000), signal).catch(() => {});
    }
  }
}
