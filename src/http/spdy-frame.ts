// The frames of SPDY/3.1 and their bytes. HOT for DATA: its payload is never copied nor collected, so a long frame reaches the
// reader in the pieces in which the connection delivers it. Pure: bytes in, frames out.
import { HeaderReader, HeaderWriter, SpdyError, type SpdyHeaders } from './spdy-headers.ts';

export interface SpdySetting {
  readonly flags: number;
  readonly id: number;
  readonly value: number;
}

export type SpdyFrame =
  | { readonly type: 'data'; readonly streamId: number; readonly fin: boolean; readonly data: Buffer }
  | {
      readonly type: 'synStream';
      readonly streamId: number;
      readonly associatedTo: number;
      /** 0 (highest) to 7 */
      readonly priority: number;
      readonly fin: boolean;
      readonly unidirectional: boolean;
      readonly headers: SpdyHeaders;
    }
  | {
      readonly type: 'synReply' | 'headers';
      readonly streamId: number;
      readonly fin: boolean;
      readonly headers: SpdyHeaders;
    }
  | { readonly type: 'rstStream'; readonly streamId: number; readonly status: number }
  | { readonly type: 'settings'; readonly clear: boolean; readonly settings: readonly SpdySetting[] }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'goAway'; readonly lastGoodStreamId: number; readonly status: number }
  | { readonly type: 'windowUpdate'; readonly streamId: number; readonly delta: number };

/** Reasons in RST_STREAM. */
export const resetStatus = { protocolError: 1, invalidStream: 2, refusedStream: 3, cancel: 5 } as const;
/** Reasons in GOAWAY. */
export const goAwayStatus = { ok: 0, protocolError: 1, internalError: 2 } as const;
/** Ids in SETTINGS. */
export const settingId = { initialWindowSize: 7 } as const;

export const maxDataBytes = 0xffffff;

const version = 3;
const kinds = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;
const finFlag = 0x01;
const unidirectionalFlag = 0x02;
const headBytes = 8;
const idMask = 0x7fffffff;
/** Of a control frame. Kubernetes' are a few dozen bytes. */
const maxControlBytes = 128 * 1024;

function control(kind: number, flags: number, payload: Buffer): Buffer[] {
  if (payload.length > maxDataBytes) throw new SpdyError(`a frame of ${payload.length} bytes is too long`);
  const head = Buffer.allocUnsafe(headBytes);
  head.writeUInt16BE(0x8000 | version, 0);
  head.writeUInt16BE(kind, 2);
  head.writeUInt32BE(flags * 0x1000000 + payload.length, 4);
  return [head, payload];
}

function numbers(...values: readonly number[]): Buffer {
  const out = Buffer.allocUnsafe(values.length * 4);
  for (const [i, value] of values.entries()) out.writeUInt32BE(value, i * 4);
  return out;
}

export class SpdyEncoder {
  readonly #headers = new HeaderWriter();

  /** Buffers to be sent one after the other, in the order of the calls. `data` is among them as it is. */
  encode(frame: SpdyFrame): Buffer[] {
    switch (frame.type) {
      case 'data': {
        if (frame.data.length > maxDataBytes)
          throw new SpdyError(`a frame of ${frame.data.length} bytes is too long`);
        const head = numbers(frame.streamId, (frame.fin ? finFlag * 0x1000000 : 0) + frame.data.length);
        return frame.data.length === 0 ? [head] : [head, frame.data];
      }
      case 'synStream': {
        const flags = (frame.fin ? finFlag : 0) | (frame.unidirectional ? unidirectionalFlag : 0);
        const start = Buffer.concat([
          numbers(frame.streamId, frame.associatedTo),
          Buffer.from([frame.priority << 5, 0]),
        ]);
        return control(kinds.synStream, flags, Buffer.concat([start, this.#headers.write(frame.headers)]));
      }
      case 'synReply':
      case 'headers': {
        const payload = Buffer.concat([numbers(frame.streamId), this.#headers.write(frame.headers)]);
        return control(kinds[frame.type], frame.fin ? finFlag : 0, payload);
      }
      case 'rstStream':
        return control(kinds.rstStream, 0, numbers(frame.streamId, frame.status));
      case 'settings': {
        const payload = numbers(
          frame.settings.length,
          ...frame.settings.flatMap((one) => [one.flags * 0x1000000 + one.id, one.value]),
        );
        return control(kinds.settings, frame.clear ? 1 : 0, payload);
      }
      case 'ping':
        return control(kinds.ping, 0, numbers(frame.id));
      case 'goAway':
        return control(kinds.goAway, 0, numbers(frame.lastGoodStreamId, frame.status));
      case 'windowUpdate':
        return control(kinds.windowUpdate, 0, numbers(frame.streamId, frame.delta));
    }
  }
}

const nothing = Buffer.alloc(0);

export class SpdyDecoder {
  readonly #headers = new HeaderReader();
  /** The beginning of a frame head, or of a control frame. */
  #rest: Buffer = nothing;
  /** Of the DATA frame that is arriving; 0 = between frames. */
  #dataLeft = 0;
  #dataStreamId = 0;
  #dataFin = false;

  /**
   * Calls `onFrame` for every frame that is complete with this chunk, and for each piece of a DATA frame; only its last piece
   * has the frame's `fin`. Throws a SpdyError for what is not SPDY/3, after which the connection cannot be read any more.
   * Unknown kinds of control frames are skipped.
   */
  push(chunk: Buffer, onFrame: (frame: SpdyFrame) => void): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = nothing;
    for (;;) {
      if (this.#dataLeft > 0) {
        if (bytes.length === 0) return;
        const data = bytes.subarray(0, this.#dataLeft);
        bytes = bytes.subarray(data.length);
        this.#dataLeft -= data.length;
        const fin = this.#dataFin && this.#dataLeft === 0;
        onFrame({ type: 'data', streamId: this.#dataStreamId, fin, data });
        continue;
      }
      if (bytes.length < headBytes) break;
      const length = bytes.readUIntBE(5, 3);
      if ((bytes[0]! & 0x80) === 0) {
        this.#startData(bytes, length, onFrame);
        bytes = bytes.subarray(headBytes);
        continue;
      }
      if (length > maxControlBytes) throw new SpdyError(`a control frame of ${length} bytes is too long`);
      if (bytes.length < headBytes + length) break;
      const frame = this.#control(bytes, bytes.subarray(headBytes, headBytes + length));
      bytes = bytes.subarray(headBytes + length);
      if (frame !== undefined) onFrame(frame);
    }
    this.#rest = bytes;
  }

  #startData(head: Buffer, length: number, onFrame: (frame: SpdyFrame) => void): void {
    this.#dataStreamId = head.readUInt32BE(0);
    if (this.#dataStreamId === 0) throw new SpdyError('data for stream 0');
    this.#dataFin = (head[4]! & finFlag) !== 0;
    this.#dataLeft = length;
    if (length === 0)
      onFrame({ type: 'data', streamId: this.#dataStreamId, fin: this.#dataFin, data: nothing });
  }

  #control(head: Buffer, payload: Buffer): SpdyFrame | undefined {
    const given = head.readUInt16BE(0) & 0x7fff;
    if (given !== version) throw new SpdyError(`SPDY version ${given} is not spoken`);
    const flags = head[4]!;
    const fin = (flags & finFlag) !== 0;
    const atLeast = (bytes: number) => {
      if (payload.length < bytes)
        throw new SpdyError(`a control frame of kind ${head.readUInt16BE(2)} has ${payload.length} bytes`);
    };
    const exactly = (bytes: number) => atLeast(payload.length === bytes ? bytes : Infinity);
    const id = () => {
      const streamId = payload.readUInt32BE(0) & idMask;
      if (streamId === 0) throw new SpdyError('a frame for stream 0');
      return streamId;
    };
    switch (head.readUInt16BE(2)) {
      case kinds.synStream:
        atLeast(10);
        return {
          type: 'synStream',
          streamId: id(),
          associatedTo: payload.readUInt32BE(4) & idMask,
          priority: payload[8]! >> 5,
          fin,
          unidirectional: (flags & unidirectionalFlag) !== 0,
          headers: this.#headers.read(payload.subarray(10)),
        };
      case kinds.synReply:
        atLeast(4);
        return { type: 'synReply', streamId: id(), fin, headers: this.#headers.read(payload.subarray(4)) };
      case kinds.headers:
        atLeast(4);
        return { type: 'headers', streamId: id(), fin, headers: this.#headers.read(payload.subarray(4)) };
      case kinds.rstStream:
        exactly(8);
        return { type: 'rstStream', streamId: id(), status: payload.readUInt32BE(4) };
      case kinds.settings: {
        atLeast(4);
        const count = payload.readUInt32BE(0);
        exactly(4 + count * 8);
        const settings: SpdySetting[] = [];
        for (let at = 4; at < payload.length; at += 8)
          settings.push({
            flags: payload[at]!,
            id: payload.readUIntBE(at + 1, 3),
            value: payload.readUInt32BE(at + 4),
          });
        return { type: 'settings', clear: (flags & 1) !== 0, settings };
      }
      case kinds.ping:
        exactly(4);
        return { type: 'ping', id: payload.readUInt32BE(0) };
      case kinds.goAway:
        exactly(8);
        return {
          type: 'goAway',
          lastGoodStreamId: payload.readUInt32BE(0) & idMask,
          status: payload.readUInt32BE(4),
        };
      case kinds.windowUpdate:
        exactly(8);
        return {
          type: 'windowUpdate',
          streamId: payload.readUInt32BE(0) & idMask,
          delta: payload.readUInt32BE(4) & idMask,
        };
      default:
        return undefined;
    }
  }
}
