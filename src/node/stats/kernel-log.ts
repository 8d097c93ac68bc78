// The kernel's log, record by record. Polled without blocking: a read that waits would hold a thread of the process for ever.
import * as fs from 'node:fs';

const longestRecord = 8192;

export class KernelLog {
  readonly #fd: number | undefined;
  readonly #buffer = Buffer.alloc(longestRecord);

  /** A log that may not be read has no records. */
  constructor(file = '/dev/kmsg') {
    try {
      this.#fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    } catch {
      this.#fd = undefined;
    }
  }

  /** Since the last call; the first time all that the kernel still holds. */
  *records(): Generator<string> {
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

  close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
  }
}
