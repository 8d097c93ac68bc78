// DNS messages as they come from the network, decoded in full: whatever is malformed is an error here and nowhere later.
// The numbers are IANA's; RFC 1035, 2782 (SRV), 3597 (unknown types), 6891 (EDNS).
import { lowerCase, maxNameBytes, rootName, type WireName } from './name.ts';

export const type = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  DNAME: 39,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

export const classIn = 1;

export const rcode = {
  noError: 0,
  formErr: 1,
  servFail: 2,
  nxDomain: 3,
  notImp: 4,
  refused: 5,
  /** Beyond the four bits of the header: only with EDNS. */
  badVers: 16,
} as const;

export const flag = {
  qr: 0x8000,
  aa: 0x0400,
  tc: 0x0200,
  rd: 0x0100,
  ra: 0x0080,
  ad: 0x0020,
  cd: 0x0010,
} as const;

export interface ResourceRecord {
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
  /** seconds */
  readonly ttl: number;
  /** Names in it are whole, never compressed. */
  readonly data: Buffer;
}

export interface Question {
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
}

/** What the sender says of itself in an OPT record. */
export interface Edns {
  readonly version: number;
  readonly udpPayload: number;
  readonly dnssecOk: boolean;
  /** The upper eight bits of the response code. */
  readonly extendedRcode: number;
}

export interface Message {
  readonly id: number;
  /** The header's second word as it is. */
  readonly flags: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  /** Without OPT. */
  readonly additionals: readonly ResourceRecord[];
  readonly edns: Edns | undefined;
}

export const opcodeOf = (flags: number): number => (flags >> 11) & 15;

/** With its upper bits, where there are any. */
export const rcodeOf = ({ flags, edns }: Pick<Message, 'flags' | 'edns'>): number =>
  (flags & 15) | ((edns?.extendedRcode ?? 0) << 4);

/** What was received is no DNS message. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

/**
 * Which rdata hold names, by type: so many bytes, then a count of names, then the rest as it is. These are the types whose names may be
 * compressed by those who send them (RFC 3597, 4); SRV because some do it against RFC 2782.
 */
const layouts: Readonly<Record<number, readonly [before: number, names: number]>> = {
  2: [0, 1],
  3: [0, 1],
  4: [0, 1],
  5: [0, 1],
  6: [0, 2],
  7: [0, 1],
  8: [0, 1],
  9: [0, 1],
  12: [0, 1],
  14: [0, 2],
  15: [2, 1],
  17: [0, 2],
  18: [2, 1],
  21: [2, 1],
  26: [2, 2],
  33: [6, 1],
  36: [2, 1],
  39: [0, 1],
};

/** Of the types of RFC 1035 the names may be written compressed too: everybody can read them. */
export const compressible: ReadonlySet<number> = new Set([type.NS, type.CNAME, type.SOA, type.PTR, type.MX]);

export const layoutOf = (rrType: number): readonly [before: number, names: number] | undefined =>
  layouts[rrType];

export class MessageReader {
  readonly packet: Buffer;
  at: number;

  constructor(packet: Buffer, at = 0) {
    this.packet = packet;
    this.at = at;
  }

  u8(): number {
    this.#need(1);
    return this.packet[this.at++]!;
  }

  u16(): number {
    this.#need(2);
    const value = this.packet.readUInt16BE(this.at);
    this.at += 2;
    return value;
  }

  u32(): number {
    this.#need(4);
    const value = this.packet.readUInt32BE(this.at);
    this.at += 4;
    return value;
  }

  bytes(count: number): Buffer {
    this.#need(count);
    const value = this.packet.subarray(this.at, this.at + count);
    this.at += count;
    return value;
  }

  /** In the case it came in: see `lowerCase`. Pointers lead backwards only, so that no name is without end. */
  rawName(): string {
    const { packet } = this;
    let name = '';
    let at = this.at;
    let end = -1;
    let before = this.at;
    for (;;) {
      if (at >= packet.length) throw new MalformedMessage('a name leads out of the message');
      const length = packet[at]!;
      if (length === 0) {
        name += '\0';
        if (end < 0) end = at + 1;
        break;
      }
      if (length >= 0xc0) {
        if (at + 1 >= packet.length) throw new MalformedMessage('a name leads out of the message');
        const target = ((length & 0x3f) << 8) | packet[at + 1]!;
        if (end < 0) end = at + 2;
        if (target >= before || target < 12) throw new MalformedMessage('a compressed name leads forward');
        before = target;
        at = target;
        continue;
      }
      if (length > 63) throw new MalformedMessage('a label of an unknown kind');
      if (at + 1 + length > packet.length) throw new MalformedMessage('a name leads out of the message');
      name += packet.toString('latin1', at, at + 1 + length);
      if (name.length >= maxNameBytes) throw new MalformedMessage('a name is too long');
      at += 1 + length;
    }
    this.at = end;
    return name;
  }

  name(): WireName {
    return lowerCase(this.rawName());
  }

  question(): Question {
    return { name: this.name(), type: this.u16(), class: this.u16() };
  }

  record(): ResourceRecord {
    const name = this.name();
    const rrType = this.u16();
    const rrClass = this.u16();
    const ttl = this.u32();
    const length = this.u16();
    this.#need(length);
    const data = this.#data(rrType, this.at + length);
    // A time beyond 2^31 counts as none (RFC 2181, 8).
    return {
      name,
      type: rrType,
      class: rrClass,
      ttl: rrType !== type.OPT && ttl > 0x7fffffff ? 0 : ttl,
      data,
    };
  }

  #data(rrType: number, end: number): Buffer {
    const layout = layouts[rrType];
    // A copy: what is kept must not keep the whole packet.
    if (layout === undefined) return Buffer.from(this.bytes(end - this.at));
    const [before, names] = layout;
    let text = this.bytes(before).toString('latin1');
    for (let i = 0; i < names; i++) text += this.rawName();
    if (this.at > end) throw new MalformedMessage('a name leads out of its record');
    text += this.bytes(end - this.at).toString('latin1');
    return Buffer.from(text, 'latin1');
  }

  #need(count: number): void {
    if (this.at + count > this.packet.length) throw new MalformedMessage('the message is cut off');
  }
}

/** Throws MalformedMessage. What follows the last record is not looked at. */
export function decodeMessage(packet: Buffer): Message {
  const reader = new MessageReader(packet);
  const id = reader.u16();
  const flags = reader.u16();
  const counts = [reader.u16(), reader.u16(), reader.u16(), reader.u16()] as const;
  const questions = times(counts[0], () => reader.question());
  const answers = times(counts[1], () => reader.record());
  const authorities = times(counts[2], () => reader.record());
  const extra = times(counts[3], () => reader.record());
  const opts = extra.filter((record) => record.type === type.OPT);
  if (opts.length > 1 || opts.some((record) => record.name !== rootName))
    throw new MalformedMessage('more than one OPT record, or one with a name');
  const additionals = opts.length === 0 ? extra : extra.filter((record) => record.type !== type.OPT);
  return { id, flags, questions, answers, authorities, additionals, edns: opts[0] && ednsOf(opts[0]) };
}

export const ednsOf = ({ class: udpPayload, ttl }: Pick<ResourceRecord, 'class' | 'ttl'>): Edns => ({
  udpPayload,
  extendedRcode: ttl >>> 24,
  version: (ttl >>> 16) & 255,
  dnssecOk: (ttl & 0x8000) !== 0,
});

function times<T>(count: number, read: () => T): T[] {
  const list: T[] = [];
  // Not made at its full length first: the count is the sender's word only.
  for (let i = 0; i < count; i++) list.push(read());
  return list;
}
