// What is made once per version of an object and shared by all who ask (Entry.derived): its watch frames in both encodings, and
// its protobuf message. HOT: bench/watch.ts, bench/protobuf.ts.
import {
  encodeMessage,
  type KindDef,
  type Message,
  watchFrame,
  writeEnvelope,
} from '../../machinery/index.ts';
import type { Entry } from '../../storage/index.ts';
import { objectOf } from '../registry/objects.ts';
import type { SeenEvent } from '../registry/watch.ts';

export type EventType = SeenEvent['type'];

class Frames {
  ADDED: Buffer | null = null;
  MODIFIED: Buffer | null = null;
  DELETED: Buffer | null = null;
}

/** Everything derived from one version, each part made when first needed. */
class Derived {
  readonly json = new Frames();
  protobuf: Frames | null = null;
  message: Buffer | null = null;
}

const derivedOf = (entry: Entry): Derived => (entry.derived ??= new Derived()) as Derived;

const tail = Buffer.from('}\n');

/** One line of a watch in JSON. */
export function jsonFrame(type: EventType, entry: Entry): Buffer {
  const { json } = derivedOf(entry);
  return (json[type] ??= Buffer.concat([Buffer.from(`{"type":"${type}","object":`), entry.wire, tail]));
}

/** The protobuf message of the stored object, without an envelope. `message` is that of the stored kind. */
export function storedMessage(message: Message, entry: Entry): Buffer {
  const derived = derivedOf(entry);
  derived.message ??= encodeMessage(message, objectOf(entry) as unknown as Record<string, unknown>);
  return derived.message;
}

/** Whether the message of this version is there already. */
export const hasMessage = (entry: Entry): boolean =>
  entry.derived !== null && (entry.derived as Derived).message !== null;

/** One frame of a watch in protobuf. */
export function protobufFrame(type: EventType, entry: Entry, { kind, message }: ProtobufKind): Buffer {
  const derived = derivedOf(entry);
  derived.protobuf ??= new Frames();
  return (derived.protobuf[type] ??= watchFrame(
    type,
    writeEnvelope(kind.apiVersion, kind.kind, storedMessage(message, entry)),
  ));
}

export interface ProtobufKind {
  readonly kind: KindDef;
  readonly message: Message;
}
