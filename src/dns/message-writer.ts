// Writes DNS messages, names compressed, cut to what the receiver takes. One buffer is written again and again; the caller copies out
// what it sends. HOT: bench/dns.ts.
import { compressible, flag, layoutOf, type Message, type ResourceRecord, type } from './message.ts';
import type { WireName } from './name.ts';

/** What an answer consists of, besides the question. */
export interface Answer {
  /** Up to 12 bits. */
  readonly rcode: number;
  /** Whether we are the ones to know. */
  readonly authoritative: boolean;
  /** Somebody else has verified it. */
  readonly authenticated?: boolean | undefined;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  /** Which of the answers goes first; the others follow in a circle. Default 0. */
  readonly first?: number | undefined;
}

/** What of the query an answer repeats. */
export interface QueryHead {
  readonly id: number;
  readonly flags: number;
  /** The question as it came, case included; empty when it could not be read. */
  readonly question: Buffer;
  /** Its name, in lower case. */
  readonly name: WireName;
  readonly edns: { readonly dnssecOk: boolean } | undefined;
}

export const maxMessageBytes = 65_535;
const headerBytes = 12;
const optBytes = 11;
/** What we say that we take over UDP: no datagram of this size is ever cut into fragments. */
export const ownUdpPayload = 1232;

export class MessageWriter {
  /** Room for one record beyond the longest message: whether it fits is seen when it is written. */
  readonly buffer = Buffer.allocUnsafe(3 * 65_536);
  #at = 0;
  #limit = 0;
  /** Where names stand that later ones can point to; null = only the question's own. */
  #offsets: Map<string, number> | null = null;
  #questionName: WireName = '';

  /** Returns the length of what is now in `buffer`. More than fits leaves TC set, with the answers that fit. */
  writeAnswer(query: QueryHead, answer: Answer, maxBytes: number): number {
    const { buffer } = this;
    const { question, edns } = query;
    this.#limit = maxBytes - (edns === undefined ? 0 : optBytes);
    this.#offsets = null;
    this.#questionName = question.length === 0 ? '' : query.name;
    question.copy(buffer, headerBytes);
    this.#at = headerBytes + question.length;

    const { answers, first = 0 } = answer;
    let cut = false;
    let answered = 0;
    for (let i = 0; i < answers.length; i++) {
      const at = i + first;
      if (!this.#record(answers[at < answers.length ? at : at - answers.length]!)) {
        cut = true;
        break;
      }
      answered++;
    }
    const authorities = cut ? 0 : this.#section(answer.authorities);
    // What proves that there is nothing is needed; additional records are a courtesy (RFC 2181, 9).
    if (authorities < answer.authorities.length) cut = true;
    let additionals = cut ? 0 : this.#section(answer.additionals);
    if (edns !== undefined) {
      this.#limit = maxBytes;
      buffer[this.#at] = 0;
      buffer.writeUInt16BE(type.OPT, this.#at + 1);
      buffer.writeUInt16BE(ownUdpPayload, this.#at + 3);
      buffer.writeUInt32BE((((answer.rcode >> 4) << 24) | (edns.dnssecOk ? 0x8000 : 0)) >>> 0, this.#at + 5);
      buffer.writeUInt16BE(0, this.#at + 9);
      this.#at += optBytes;
      additionals++;
    }
    const flags =
      flag.qr |
      (query.flags & (0x7800 | flag.rd | flag.cd)) |
      (answer.authoritative ? flag.aa : 0) |
      (cut ? flag.tc : 0) |
      flag.ra |
      (answer.authenticated === true ? flag.ad : 0) |
      (answer.rcode & 15);
    this.#header(query.id, flags, [question.length === 0 ? 0 : 1, answered, authorities, additionals]);
    return this.#at;
  }

  /** A whole message, as sent to other servers and by tests. Throws RangeError when it does not fit. */
  writeMessage(message: Message): number {
    this.#limit = maxMessageBytes;
    this.#offsets = new Map();
    this.#questionName = '';
    this.#at = headerBytes;
    for (const { name, type: qType, class: qClass } of message.questions) {
      this.#name(name);
      this.#u16(qType);
      this.#u16(qClass);
    }
    const { edns } = message;
    const opt = edns && {
      name: '\0',
      type: type.OPT,
      class: edns.udpPayload,
      ttl: ((edns.extendedRcode << 24) | (edns.version << 16) | (edns.dnssecOk ? 0x8000 : 0)) >>> 0,
      data: Buffer.alloc(0),
    };
    const sections = [
      message.answers,
      message.authorities,
      opt === undefined ? message.additionals : [...message.additionals, opt],
    ];
    for (const section of sections)
      if (this.#section(section) < section.length) throw new RangeError('the message is too long');
    this.#header(message.id, message.flags, [message.questions.length, ...sections.map((s) => s.length)]);
    return this.#at;
  }

  #header(id: number, flags: number, counts: readonly number[]): void {
    const { buffer } = this;
    buffer.writeUInt16BE(id, 0);
    buffer.writeUInt16BE(flags, 2);
    for (let i = 0; i < counts.length; i++) buffer.writeUInt16BE(counts[i]!, 4 + 2 * i);
  }

  /** How many fit. */
  #section(records: readonly ResourceRecord[]): number {
    for (let i = 0; i < records.length; i++) if (!this.#record(records[i]!)) return i;
    return records.length;
  }

  /** False, and nothing written, when it does not fit. */
  #record({ name, type: rrType, class: rrClass, ttl, data }: ResourceRecord): boolean {
    const { buffer } = this;
    const start = this.#at;
    // As if nothing could be compressed: only then may it have to be tried.
    const surelyFits = start + name.length + 10 + data.length <= this.#limit;
    if (!surelyFits && start + 12 + data.length > this.#limit && !compressible.has(rrType)) return false;
    this.#name(name);
    buffer.writeUInt16BE(rrType, this.#at);
    buffer.writeUInt16BE(rrClass, this.#at + 2);
    buffer.writeUInt32BE(ttl, this.#at + 4);
    const lengthAt = this.#at + 8;
    this.#at += 10;
    this.#data(rrType, data);
    buffer.writeUInt16BE(this.#at - lengthAt - 2, lengthAt);
    if (this.#at <= this.#limit) return true;
    this.#at = start;
    this.#forgetFrom(start);
    return false;
  }

  #data(rrType: number, data: Buffer): void {
    const layout = layoutOf(rrType);
    if (layout === undefined || !compressible.has(rrType)) {
      this.#at += data.copy(this.buffer, this.#at);
      return;
    }
    const [before, names] = layout;
    this.#at += data.copy(this.buffer, this.#at, 0, before);
    let from = before;
    for (let i = 0; i < names; i++) {
      let end = from;
      while (data[end] !== 0) end += data[end]! + 1;
      this.#name(data.toString('latin1', from, end + 1));
      from = end + 1;
    }
    this.#at += data.copy(this.buffer, this.#at, from);
  }

  #name(name: WireName): void {
    if (name === this.#questionName) {
      this.#u16(0xc000 | headerBytes);
      return;
    }
    this.#offsets ??= this.#questionOffsets();
    const offsets = this.#offsets;
    for (let at = 0; ; ) {
      const length = name.charCodeAt(at);
      if (length === 0) {
        this.buffer[this.#at++] = 0;
        return;
      }
      const rest = name.slice(at);
      const known = offsets.get(rest);
      if (known !== undefined) {
        this.#u16(0xc000 | known);
        return;
      }
      if (this.#at < 0x4000) offsets.set(rest, this.#at);
      this.#at += this.buffer.write(name.slice(at, at + 1 + length), this.#at, 'latin1');
      at += 1 + length;
    }
  }

  #questionOffsets(): Map<string, number> {
    const offsets = new Map<string, number>();
    const name = this.#questionName;
    for (let at = 0; at < name.length - 1; at += 1 + name.charCodeAt(at))
      offsets.set(name.slice(at), headerBytes + at);
    return offsets;
  }

  #forgetFrom(start: number): void {
    if (this.#offsets === null) return;
    for (const [rest, at] of this.#offsets) if (at >= start) this.#offsets.delete(rest);
  }

  #u16(value: number): void {
    this.buffer.writeUInt16BE(value, this.#at);
    this.#at += 2;
  }
}
