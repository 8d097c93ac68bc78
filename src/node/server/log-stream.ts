// Streams a container's log to a reader: from where the options say, through rotation, and with `follow` until the container ends.
import { watch } from 'node:fs';
import * as fs from 'node:fs/promises';
import { type Clock, sleep } from '../../base/index.ts';
import { parseTime } from '../../machinery/index.ts';
import { LineSplitter, parseEntry, tailOffset } from './log-file.ts';

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  /** undefined = all */
  readonly tailLines: number | undefined;
  readonly sinceMs: number | undefined;
  readonly limitBytes: number | undefined;
  readonly stream: 'stdout' | 'stderr' | undefined;
}

export interface LogSource {
  readonly file: string;
  /** Will nothing more be written? */
  readonly ended: () => boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const pieceBytes = 64 << 10;
/** The kernel tells of changes; this is for what it misses, and how soon an end is noticed. */
const pollMs = 250;
const openTries = 5;
const openRetryMs = 50;

/** Text as the reader gets it. */
export async function* streamLog(source: LogSource, options: LogOptions): AsyncGenerator<Buffer> {
  const format = new Formatter(options);
  let handle = await openLog(source);
  /** The next file is there: what is still unread of this one was written before it was left. */
  let rotated = false;
  try {
    let { ino, size } = await handle.stat();
    let at = options.tailLines === undefined ? 0 : await tailOffset(handle, size, options.tailLines);
    // So many lines and no more: what is written meanwhile is for who follows.
    const end = options.tailLines === undefined || options.follow ? Number.POSITIVE_INFINITY : size;
    let lines = new LineSplitter();
    const buffer = Buffer.alloc(pieceBytes);
    for (;;) {
      // Asked before reading: what was written before the end is then read for sure.
      const over = source.ended();
      const { bytesRead } = await handle.read(buffer, 0, Math.min(pieceBytes, end - at), at);
      if (bytesRead > 0) {
        at += bytesRead;
        const out = format.push(lines.push(buffer.subarray(0, bytesRead)));
        if (out.length > 0) yield out;
        if (format.full) return;
        continue;
      }
      if (!options.follow || source.signal.aborted) return;
      const now = await fs.stat(source.file).catch(() => undefined);
      if (rotated) {
        // This file has been read to its end, the new one starts at the beginning.
        await handle.close();
        handle = await openLog(source);
        ino = (await handle.stat()).ino;
        at = 0;
        lines = new LineSplitter();
        rotated = false;
        continue;
      }
      if (now !== undefined && now.ino !== ino) {
        rotated = true;
        continue;
      }
      if (now !== undefined && now.size < at) at = 0;
      if (over) return;
      await changed(source);
    }
  } finally {
    await handle.close();
  }
}

/** While a log is rotated there is no file of its name for a moment. */
async function openLog({ file, clock, signal }: LogSource): Promise<fs.FileHandle> {
  for (let tries = 0; ; tries++)
    try {
      return await fs.open(file, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || tries === openTries) throw error;
      await sleep(clock, openRetryMs, signal);
    }
}

function changed(source: LogSource): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      timer.cancel();
      watcher?.close();
      source.signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = source.clock.after(pollMs, end);
    source.signal.addEventListener('abort', end, { once: true });
    let watcher: ReturnType<typeof watch> | undefined;
    try {
      watcher = watch(source.file, end);
      watcher.on('error', end);
    } catch {
      // No inotify left: the timer does.
    }
  });
}

class Formatter {
  readonly #options: LogOptions;
  #left: number;
  /** The last entry was a part of a line: the next one goes on without a time of its own. */
  #inLine = false;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  }

  get full(): boolean {
    return this.#left <= 0;
  }

  push(lines: readonly Buffer[]): Buffer {
    const { stream, sinceMs, timestamps } = this.#options;
    const out: Buffer[] = [];
    for (const line of lines) {
      const entry = parseEntry(line);
      if (entry === undefined || (stream !== undefined && entry.stream !== stream)) continue;
      if (sinceMs !== undefined && (parseTime(entry.time) ?? 0) < sinceMs) continue;
      if (timestamps && !this.#inLine) out.push(Buffer.from(`${fixedTime(entry.time)} `));
      out.push(entry.text);
      if (!entry.partial) out.push(newline);
      this.#inLine = entry.partial;
    }
    const all = Buffer.concat(out);
    const cut = all.length > this.#left ? all.subarray(0, this.#left) : all;
    this.#left -= cut.length;
    return cut;
  }
}

/** With nine digits after the point, as the kubelet prints it: times stand below each other. Runtimes leave zeros at the end away. */
function fixedTime(time: string): string {
  const [, until, fraction = '', zone] = /^(.*T\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-].*)$/.exec(time) ?? [];
  return until === undefined ? time : `${until}.${fraction.padEnd(9, '0')}${zone}`;
}

const newline = Buffer.from('\n');
