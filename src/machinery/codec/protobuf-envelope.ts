// The envelope of Kubernetes' protobuf: four magic bytes, then a runtime.Unknown
// {typeMeta=1 {apiVersion=1, kind=2}, raw=2, contentEncoding=3, contentType=4}. The frames of a watch are envelopes inside
// WatchEvents {type=1, object=2 {raw=1}}, each after its length in four bytes.
import { ProtobufError, WireReader, WireWriter, wireBytes } from './protobuf-wire.ts';

const magic = Buffer.from('k8s\0', 'latin1');

export interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  /** The message of that kind, without an envelope. Not a copy. */
  readonly raw: Buffer;
}

export const startsWithMagic = (bytes: Buffer): boolean =>
  bytes.length >= 4 && bytes.readUInt32BE(0) === magic.readUInt32BE(0);

/** Opens an envelope. Throws ProtobufError, worded as Kubernetes words it. */
export function readEnvelope(bytes: Buffer): Envelope {
  if (bytes.length === 0) throw new ProtobufError('empty data');
  if (!startsWithMagic(bytes))
    throw new ProtobufError(
      `provided data does not appear to be a protobuf message, expected prefix [${[...magic].join(' ')}]`,
    );
  const reader = new WireReader(bytes);
  reader.at = magic.length;
  const end = bytes.length;
  let apiVersion = '';
  let kind = '';
  let raw: Buffer = bytes.subarray(end);
  let contentEncoding = '';
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) {
      const to = reader.span(end);
      while (reader.at < to) {
        const inner = reader.tag(to);
        if (inner === 0x0a) apiVersion = reader.string(to);
        else if (inner === 0x12) kind = reader.string(to);
        else reader.skip(inner & 7, to);
      }
    } else if (tag === 0x12) raw = reader.slice(end);
    else if (tag === 0x1a) contentEncoding = reader.string(end);
    else reader.skip(tag & 7, end);
  }
  if (contentEncoding !== '')
    throw new ProtobufError(`unsupported content encoding ${JSON.stringify(contentEncoding)}`);
  return { apiVersion, kind, raw };
}

/** contentEncoding and contentType, both empty: Kubernetes always writes them. */
const envelopeTail: Buffer = Buffer.from([0x1a, 0x00, 0x22, 0x00]);

/** A message of a kind in its envelope; `raw` is the message in parts. The parts are not copied. */
export function envelopeParts(apiVersion: string, kind: string, raw: readonly Buffer[]): readonly Buffer[] {
  let length = 0;
  for (const part of raw) length += part.length;
  const writer = new WireWriter(64 + 3 * (apiVersion.length + kind.length));
  writer.varint(length);
  writer.varint(0x12);
  const before = writer.length;
  writer.string(kind);
  writer.varint(0x12);
  writer.string(apiVersion);
  writer.varint(0x0a);
  writer.varint(writer.length - before);
  writer.varint(0x0a);
  writer.bytes(magic);
  return [writer.take(), ...raw, envelopeTail];
}

/** A message of a kind in its envelope. */
export const writeEnvelope = (apiVersion: string, kind: string, raw: Buffer): Buffer =>
  Buffer.concat(envelopeParts(apiVersion, kind, [raw]));

/** One field that holds messages: each after its header and length. */
export function messageField(number: number, messages: readonly Buffer[]): Buffer {
  let length = 0;
  for (const message of messages) length += 1 + varintSize(message.length) + message.length;
  const out = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const message of messages) {
    out[at++] = number * 8 + wireBytes;
    let rest = message.length;
    for (; rest >= 0x80; rest >>>= 7) out[at++] = (rest & 0x7f) | 0x80;
    out[at++] = rest;
    at += message.copy(out, at);
  }
  return out;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) size++;
  return size;
}

/** One frame of a watch: `object` is an envelope. */
export function watchFrame(type: string, object: Buffer): Buffer {
  const writer = new WireWriter(64 + type.length);
  writer.varint(object.length);
  writer.varint(0x0a);
  writer.varint(writer.length + object.length);
  writer.varint(0x12);
  writer.string(type);
  writer.varint(0x0a);
  const head = Buffer.allocUnsafe(4);
  head.writeUInt32BE(writer.length + object.length, 0);
  writer.bytes(head);
  return Buffer.concat([writer.take(), object]);
}
