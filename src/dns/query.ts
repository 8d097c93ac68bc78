// What a client asks, read from one packet. HOT: most packets are one question with or without OPT, and for those nothing but the name
// is made into an object.
import {
  type Edns,
  ednsOf,
  flag,
  MalformedMessage,
  MessageReader,
  opcodeOf,
  rcode,
  type,
} from './message.ts';
import type { QueryHead } from './message-writer.ts';
import { lowerCase, rootName, type WireName } from './name.ts';

export interface Query extends QueryHead {
  readonly type: number;
  readonly class: number;
  readonly edns: Edns | undefined;
  /** Why it is not answered; undefined when it is to be. */
  readonly refusal: number | undefined;
}

const headerBytes = 12;

/** undefined: nothing to answer at all, such as another's answer. Never throws. */
export function readQuery(packet: Buffer): Query | undefined {
  if (packet.length < headerBytes) return undefined;
  const flags = packet.readUInt16BE(2);
  if ((flags & flag.qr) !== 0) return undefined;
  const id = packet.readUInt16BE(0);
  const refused = (refusal: number): Query => ({
    id,
    flags,
    question: none,
    name: rootName,
    type: 0,
    class: 0,
    edns: undefined,
    refusal,
  });
  if (opcodeOf(flags) !== 0) return refused(rcode.notImp);
  const others = packet.readUInt32BE(6);
  if (packet.readUInt16BE(4) !== 1 || others !== 0) return refused(rcode.formErr);
  const end = endOfName(packet, headerBytes);
  if (end === undefined || end + 4 > packet.length) return refused(rcode.formErr);
  const name: WireName = lowerCase(packet.toString('latin1', headerBytes, end));
  const question = packet.subarray(headerBytes, end + 4);
  const head = {
    id,
    flags,
    question,
    name,
    type: packet.readUInt16BE(end),
    class: packet.readUInt16BE(end + 2),
  };
  const extra = packet.readUInt16BE(10);
  if (extra === 0) return { ...head, edns: undefined, refusal: undefined };
  try {
    const edns = findEdns(packet, end + 4, extra);
    return { ...head, edns, refusal: edns !== undefined && edns.version > 0 ? rcode.badVers : undefined };
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error;
    return { ...head, edns: undefined, refusal: rcode.formErr };
  }
}

const none = Buffer.alloc(0);

/** Without pointers: there is nothing before a question to point to. undefined = malformed. */
function endOfName(packet: Buffer, start: number): number | undefined {
  for (let at = start; at < packet.length; ) {
    const length = packet[at]!;
    if (length === 0) return at + 1 - start <= 255 ? at + 1 : undefined;
    if (length > 63) return undefined;
    at += 1 + length;
  }
  return undefined;
}

function findEdns(packet: Buffer, start: number, count: number): Edns | undefined {
  const reader = new MessageReader(packet, start);
  let found: Edns | undefined;
  for (let i = 0; i < count; i++) {
    const record = reader.record();
    if (record.type !== type.OPT) continue;
    if (found !== undefined || record.name !== rootName)
      throw new MalformedMessage('more than one OPT record, or one with a name');
    found = ednsOf(record);
  }
  return found;
}
