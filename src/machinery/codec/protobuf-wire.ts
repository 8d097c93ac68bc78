// Bytes of protobuf: reading and writing varints, lengths and strings. The writer fills its buffer from the end to the front, so
// that the length of a message is known when its header is written and nothing is measured twice. HOT: bench/protobuf.ts.

/** The bytes are not the protobuf message that they should be. */
export class ProtobufError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtobufError';
  }
}

export const wireVarint = 0;
export const wireFixed64 = 1;
export const wireBytes = 2;
export const wireFixed32 = 5;

const cutShort = (): ProtobufError => new ProtobufError('unexpected EOF');

export class WireReader {
  readonly bytes: Buffer;
  /** The next byte to be read. */
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** A varint as a number: of 64 bits, signed, exact up to 2^53. */
  varint(end: number): number {
    const { bytes } = this;
    let at = this.at;
    if (at >= end) throw cutShort();
    let byte = bytes[at++]!;
    if (byte < 0x80) {
      this.at = at;
      return byte;
    }
    let low = byte & 0x7f;
    let shift = 7;
    while (shift < 28) {
      if (at >= end) throw cutShort();
      byte = bytes[at++]!;
      low |= (byte & 0x7f) << shift;
      shift += 7;
      if (byte < 0x80) {
        this.at = at;
        return low;
      }
    }
    return this.#longVarint(end, low, at);
  }

  #longVarint(end: number, first: number, from: number): number {
    const { bytes } = this;
    let value = BigInt(first);
    let at = from;
    for (let shift = 28n; shift < 70n; shift += 7n) {
      if (at >= end) throw cutShort();
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.at = at;
        return Number(BigInt.asIntN(64, value));
      }
    }
    throw new ProtobufError('proto: integer overflow');
  }

  /** The header of a field: its number times 8, plus its wire type. */
  tag(end: number): number {
    const tag = this.varint(end);
    if (tag < 8 || tag > 0xffffffff) throw new ProtobufError(`proto: illegal tag ${tag}`);
    return tag;
  }

  double(end: number): number {
    if (this.at + 8 > end) throw cutShort();
    const value = this.bytes.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  /** Reads a length and returns where the bytes of that length end. `at` is then where they begin. */
  span(end: number): number {
    const length = this.varint(end);
    if (length < 0) throw new ProtobufError('proto: negative length found during unmarshaling');
    const to = this.at + length;
    if (to > end) throw cutShort();
    return to;
  }

  string(end: number): string {
    const to = this.span(end);
    const text = this.bytes.toString('utf8', this.at, to);
    this.at = to;
    return text;
  }

  /** The bytes themselves, not a copy. */
  slice(end: number): Buffer {
    const to = this.span(end);
    const bytes = this.bytes.subarray(this.at, to);
    this.at = to;
    return bytes;
  }

  /** Passes over the value of a field that nobody knows. */
  skip(wire: number, end: number): void {
    switch (wire) {
      case wireVarint:
        this.varint(end);
        return;
      case wireFixed64:
        this.at += 8;
        break;
      case wireBytes:
        this.at = this.span(end);
        return;
      case wireFixed32:
        this.at += 4;
        break;
      default:
        // Groups (3 and 4) went out of use before Kubernetes was written.
        throw new ProtobufError(`proto: illegal wireType ${wire}`);
    }
    if (this.at > end) throw cutShort();
  }
}

/** Below this, writing character by character is faster than a call into native code. */
const shortString = 48;

export class WireWriter {
  #buffer: Buffer;
  /** What is written lies from here to the end of the buffer. */
  #at: number;

  constructor(capacity = 16 * 1024) {
    this.#buffer = Buffer.allocUnsafeSlow(capacity);
    this.#at = capacity;
  }

  /** How many bytes have been written: what a length is the difference of. */
  get length(): number {
    return this.#buffer.length - this.#at;
  }

  /** What was written, in memory of its own; the writer is empty again. */
  take(): Buffer {
    const out = Buffer.allocUnsafeSlow(this.length);
    this.#buffer.copy(out, 0, this.#at);
    this.reset();
    return out;
  }

  reset(): void {
    this.#at = this.#buffer.length;
  }

  varint(value: number): void {
    if (value < 0x80 && value >= 0) {
      const at = this.#reserve(1);
      this.#buffer[at] = value;
      return;
    }
    if (value < 0 || value > Number.MAX_SAFE_INTEGER) {
      this.#bigVarint(BigInt.asUintN(64, BigInt(value)));
      return;
    }
    let size = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
    let at = this.#reserve(size);
    const buffer = this.#buffer;
    let rest = value;
    while (rest >= 0x80) {
      buffer[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    buffer[at] = rest;
  }

  #bigVarint(value: bigint): void {
    const digits: number[] = [];
    let rest = value;
    while (rest >= 0x80n) {
      digits.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    digits.push(Number(rest));
    this.#buffer.set(digits, this.#reserve(digits.length));
  }

  double(value: number): void {
    const at = this.#reserve(8);
    this.#buffer.writeDoubleLE(value, at);
  }

  /** The bytes alone, without their length. */
  bytes(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** A string with its length. */
  string(text: string): void {
    const { length } = text;
    if (length <= shortString && this.#ascii(text)) {
      this.varint(length);
      return;
    }
    const size = Buffer.byteLength(text);
    const at = this.#reserve(size);
    this.#buffer.write(text, at, size, 'utf8');
    this.varint(size);
  }

  /** Writes the text when all of it is ASCII; otherwise writes nothing. */
  #ascii(text: string): boolean {
    const before = this.length;
    const at = this.#reserve(text.length);
    const buffer = this.#buffer;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) {
        this.#at = buffer.length - before;
        return false;
      }
      buffer[at + i] = code;
    }
    return true;
  }

  #reserve(size: number): number {
    if (this.#at < size) this.#grow(size);
    this.#at -= size;
    return this.#at;
  }

  #grow(size: number): void {
    const { length } = this;
    let capacity = this.#buffer.length * 2;
    while (capacity - length < size) capacity *= 2;
    const buffer = Buffer.allocUnsafeSlow(capacity);
    this.#buffer.copy(buffer, capacity - length, this.#at);
    this.#buffer = buffer;
    this.#at = capacity - length;
  }
}
