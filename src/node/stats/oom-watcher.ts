// Tells of processes that the kernel killed because the whole machine had no memory left, from the kernel's log. Where that may not be
// read nothing is told. Polled without blocking: a read that waits would hold a thread of the process for ever.
import * as fs from 'node:fs';

export interface SystemOom {
  readonly pid: number;
  readonly process: string;
}

/** One record of /dev/kmsg; undefined = about something else, or about a container that met its own limit. Pure. */
export function parseOom(record: string): SystemOom | undefined {
  const [, constraint, process, pid] =
    /oom-kill:constraint=(\w+),.*?task=(.*?),pid=(\d+),uid=\d+/.exec(record) ?? [];
  if (constraint === undefined || process === undefined || constraint === 'CONSTRAINT_MEMCG')
    return undefined;
  return { pid: Number(pid), process };
}

const longestRecord = 8192;

export class OomWatcher {
  readonly #fd: number | undefined;
  readonly #buffer = Buffer.alloc(longestRecord);

  /** Only what happens from now on counts. */
  constructor(file = '/dev/kmsg') {
    try {
      this.#fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    } catch {
      return;
    }
    for (const _ of this.#records());
  }

  /** Since the last call. */
  read(): SystemOom[] {
    return [...this.#records()].flatMap((record) => parseOom(record) ?? []);
  }

  close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
  }

  *#records(): Generator<string> {
    if (this.#fd === undefined) return;
    for (;;) {
      let bytes: number;
      try {
        bytes = fs.readSync(this.#fd, this.#buffer);
      } catch (error) {
        // Records were overwritten before they were read: the next read goes on behind them.
        if ((error as NodeJS.ErrnoException).code === 'EPIPE') continue;
        return;
      }
      if (bytes === 0) return;
      yield this.#buffer.toString('utf8', 0, bytes);
    }
  }
}
