// Container logs as CRI writes them: `TIME STREAM TAG TEXT` a line, tag P = the line goes on in the next entry. Parsing is pure;
// reading never holds more than a piece of the file.
import * as fs from 'node:fs/promises';

export interface LogEntry {
  /** RFC 3339 with nanoseconds, as written. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  readonly partial: boolean;
  readonly text: Buffer;
}

const space = 0x20;
const newline = 0x0a;

/** One line without its newline; undefined = not an entry (cut off, or not CRI's). */
export function parseEntry(line: Buffer): LogEntry | undefined {
  const a = line.indexOf(space);
  const b = line.indexOf(space, a + 1);
  const c = line.indexOf(space, b + 1);
  if (a < 0 || b < 0) return undefined;
  const stream = line.toString('latin1', a + 1, b);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const tag = line.toString('latin1', b + 1, c < 0 ? line.length : c);
  return {
    time: line.toString('latin1', 0, a),
    stream,
    partial: tag === 'P' || tag.startsWith('P:'),
    text: c < 0 ? Buffer.alloc(0) : line.subarray(c + 1),
  };
}

/** Where the last `lines` entries-that-end-a-line begin. 0 = from the start. */
export async function tailOffset(handle: fs.FileHandle, size: number, lines: number): Promise<number> {
  if (lines <= 0) return size;
  const piece = 64 << 10;
  const buffer = Buffer.alloc(piece);
  let end = size;
  let found = 0;
  // The newline that ends the file ends the last line; one more begins the first that is wanted.
  while (end > 0) {
    const from = Math.max(0, end - piece);
    const { bytesRead } = await handle.read(buffer, 0, end - from, from);
    for (let i = bytesRead - 1; i >= 0; i--) {
      if (buffer[i] !== newline || from + i === size - 1) continue;
      found++;
      if (found === lines) return from + i + 1;
    }
    end = from;
  }
  return 0;
}

/** Splits a stream of pieces into lines; what is not ended yet is kept. */
export class LineSplitter {
  #rest: Buffer = Buffer.alloc(0);

  push(piece: Buffer): Buffer[] {
    const data = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const lines: Buffer[] = [];
    let from = 0;
    for (let at = data.indexOf(newline); at >= 0; at = data.indexOf(newline, from)) {
      lines.push(data.subarray(from, at));
      from = at + 1;
    }
    // A copy: the piece's memory is used again for the next read.
    this.#rest = Buffer.from(data.subarray(from));
    return lines;
  }
}

/** The end of a log as plain text, for termination messages. */
export async function lastLogLines(file: string, limit: { lines: number; bytes: number }): Promise<string> {
  const handle = await fs.open(file, 'r');
  try {
    const { size } = await handle.stat();
    const from = Math.max(await tailOffset(handle, size, limit.lines), size - 4 * limit.bytes);
    const buffer = Buffer.alloc(size - from);
    await handle.read(buffer, 0, buffer.length, from);
    const text: Buffer[] = [];
    for (const line of new LineSplitter().push(buffer)) {
      const entry = parseEntry(line);
      if (entry === undefined) continue;
      text.push(entry.text);
      if (!entry.partial) text.push(Buffer.from('\n'));
    }
    const all = Buffer.concat(text);
    return all.subarray(Math.max(0, all.length - limit.bytes)).toString('utf8');
  } finally {
    await handle.close();
  }
}
