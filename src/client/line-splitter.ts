// Lines out of a stream of bytes. HOT: every watch event of a remote client passes here. It looks for the newline byte, so a
// character cut in two by a chunk's end is whole again in its line, and a long line is joined once, not once per chunk.

const newline = 0x0a;

export class LineSplitter {
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  /** The lines that this chunk completes, without their newlines. Empty lines are left out. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      if (this.#pending.length === 0) {
        if (end > start) lines.push(chunk.toString('utf8', start, end));
      } else {
        this.#keep(chunk.subarray(start, end));
        lines.push(this.#takePending());
      }
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(start === 0 ? chunk : chunk.subarray(start));
    return lines;
  }

  /** What came after the last newline. */
  get rest(): string {
    return Buffer.concat(this.#pending, this.#pendingBytes).toString('utf8');
  }

  #keep(part: Buffer): void {
    this.#pending.push(part);
    this.#pendingBytes += part.length;
  }

  #takePending(): string {
    const line = this.rest;
    this.#pending = [];
    this.#pendingBytes = 0;
    return line;
  }
}
