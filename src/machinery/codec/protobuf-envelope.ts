// The envelope of Kubernetes' protobuf: four magic bytes, then a runtime.Unknown
// {typeMeta=1 {apiVersion=1, kind=2}, raw=2, contentEncoding=3, contentType=4}. The frames of a watch are envelopes inside
// WatchEvents {type=1, object=2 {raw=1}}, each after its length in four bytes.
import { ProtobufError, WireReader, WireWriter } from './protobuf-wire.ts';

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

/** What stands before `length` bytes of a message of a kind, so that the envelope needs not copy them. */
export function envelopeHead(apiVersion: string, kind: string, length: number): Buffer {
  const writer = new WireWriter(64 + apiVersion.length + kind.length);
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
  return writer.take();
}

/** contentEncoding and contentType, both empty: Kubernetes always writes them. */
export const envelopeTail: Buffer = Buffer.from([0x1a, 0x00, 0x22, 0x00]);

export function writeEnvelope(apiVersion: string, kind: string, raw: Buffer): Buffer {
  return Buffer.concat([envelopeHead(apiVersion, kind, raw.length), raw, envelopeTail]);
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
