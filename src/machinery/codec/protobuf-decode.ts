// From protobuf bytes to the JSON form of an object. HOT: bench/protobuf.ts. What Kubernetes' generated code refuses is refused
// here; a value that comes twice is taken as it takes it (messages merge, the rest is replaced).
import { readEnvelope, startsWithMagic } from './protobuf-envelope.ts';
import type { Json, Message, MessageField } from './protobuf-message.ts';
import { ProtobufError, WireReader, wireBytes, wireVarint } from './protobuf-wire.ts';
import { formatTime } from './time.ts';

/** Messages nest no deeper than this: deeper ones are an attack on the stack. */
const maxDepth = 500;

/** The first and last second that RFC 3339 can write. */
const firstSecond = -62_167_219_200;
const lastSecond = 253_402_300_799;

/**
 * The JSON form of the bytes: plain values that decodeObject then checks and normalises. Unknown fields are passed over. Throws
 * ProtobufError and nothing else.
 */
export function decodeMessage(message: Message, bytes: Buffer): Json {
  return new Decoder(bytes, 0).message(message, {}, bytes.length);
}

/** Assigning `__proto__` would change the prototype instead. */
function setMember(object: Json, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  else object[key] = value;
}

function expectWire(field: MessageField, wire: number, expected: number): void {
  if (wire !== expected) throw new ProtobufError(`proto: wrong wireType = ${wire} for field ${field.name}`);
}

class Decoder {
  readonly #reader: WireReader;
  #depth: number;

  constructor(bytes: Buffer, depth: number) {
    this.#reader = new WireReader(bytes);
    this.#depth = depth;
  }

  /** Reads into `out` up to `end`. */
  message(message: Message, out: Json, end: number): Json {
    const reader = this.#reader;
    const { byNumber } = message;
    if (++this.#depth > maxDepth) throw new ProtobufError('proto: messages are nested too deeply');
    while (reader.at < end) {
      const tag = reader.tag(end);
      const wire = tag & 7;
      const field = byNumber[tag >>> 3];
      if (field === undefined) {
        reader.skip(wire, end);
        continue;
      }
      if (field.place === 'one') {
        expectWire(field, wire, field.wire);
        out[field.name] = this.#value(field, end, out[field.name]);
      } else if (field.place === 'many') {
        const list = (out[field.name] ??= []) as unknown[];
        if (wire === field.wire) list.push(this.#value(field, end, undefined));
        else this.#packed(field, wire, end, list);
      } else {
        expectWire(field, wire, wireBytes);
        const to = reader.span(end);
        if (field.place === 'flat') this.message(field.message, out, to);
        else this.#entry(field, to, (out[field.name] ??= {}) as Json);
      }
    }
    this.#depth--;
    return out;
  }

  /** Numbers of a list may come as one value. */
  #packed(field: MessageField, wire: number, end: number, list: unknown[]): void {
    expectWire(field, wire, wireBytes);
    const reader = this.#reader;
    const to = reader.span(end);
    while (reader.at < to) list.push(this.#value(field, to, undefined));
  }

  #entry(field: MessageField, end: number, map: Json): void {
    const reader = this.#reader;
    let key = '';
    let value: unknown;
    while (reader.at < end) {
      const tag = reader.tag(end);
      if (tag === 0x0a) key = reader.string(end);
      else if (tag === 0x10 + field.wire) value = this.#value(field, end, value);
      else reader.skip(tag & 7, end);
    }
    setMember(map, key, value === undefined ? absent(field) : value);
  }

  /** One value; its header has been read. `before` is what the same field held already. */
  #value(field: MessageField, end: number, before: unknown): unknown {
    const reader = this.#reader;
    switch (field.op) {
      case 'string':
        return reader.string(end);
      case 'object': {
        const to = reader.span(end);
        return this.message(field.message, before === undefined ? {} : (before as Json), to);
      }
      case 'int32':
        return reader.varint(end) | 0;
      case 'int64':
        return reader.varint(end);
      case 'bool':
        return reader.varint(end) !== 0;
      case 'double':
        return reader.double(end);
      case 'bytes':
        return reader.slice(end).toString('base64');
      case 'time':
        return this.#time(reader.span(end), 0);
      case 'microTime':
        return this.#time(reader.span(end), 6);
      case 'quantity':
        return this.#first(reader.span(end))?.toString('utf8') || '0';
      case 'intOrString':
        return this.#intOrString(reader.span(end));
      case 'any':
        return this.#raw(field, this.#first(reader.span(end)));
      case 'list':
        return this.#strings(1, reader.span(end));
      default:
        return this.#union(field, reader.span(end));
    }
  }

  /** Field 1 of a small message that has nothing else. */
  #first(end: number): Buffer | undefined {
    const reader = this.#reader;
    let found: Buffer | undefined;
    while (reader.at < end) {
      const tag = reader.tag(end);
      if (tag === 0x0a) found = reader.slice(end);
      else reader.skip(tag & 7, end);
    }
    return found;
  }

  /** A Timestamp. An empty one is Go's zero time, which is null in JSON; fractions count as far as JSON shows them. */
  #time(end: number, digits: 0 | 6): string | null {
    const reader = this.#reader;
    if (reader.at === end) return null;
    let seconds = 0;
    let nanos = 0;
    while (reader.at < end) {
      const tag = reader.tag(end);
      if (tag === 0x08) seconds = reader.varint(end);
      else if (tag === 0x10) nanos = reader.varint(end) | 0;
      else reader.skip(tag & 7, end);
    }
    if (seconds < firstSecond || seconds > lastSecond)
      throw new ProtobufError('proto: a time outside of the years 0 to 9999');
    const text = formatTime(seconds * 1000);
    if (digits === 0) return text;
    if (nanos < 0 || nanos > 999_999_999) throw new ProtobufError('proto: a time with wrong nanoseconds');
    return `${text.slice(0, -1)}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`;
  }

  #intOrString(end: number): number | string {
    const reader = this.#reader;
    let isString = false;
    let number = 0;
    let text = '';
    while (reader.at < end) {
      const tag = reader.tag(end);
      if (tag === 0x08) isString = reader.varint(end) === 1;
      else if (tag === 0x10) number = reader.varint(end) | 0;
      else if (tag === 0x1a) text = reader.string(end);
      else reader.skip(tag & 7, end);
    }
    return isString ? text : number;
  }

  #strings(number: number, end: number): string[] {
    const reader = this.#reader;
    const items: string[] = [];
    while (reader.at < end) {
      const tag = reader.tag(end);
      if (tag === number * 8 + wireBytes) items.push(reader.string(end));
      else reader.skip(tag & 7, end);
    }
    return items;
  }

  /** JSON text, or an object in Kubernetes' own envelope. */
  #raw(field: MessageField, raw: Buffer | undefined): unknown {
    if (raw === undefined || raw.length === 0) return null;
    if (startsWithMagic(raw)) {
      const unknown = readEnvelope(raw);
      const { messages } = field;
      const schema = messages.source.shapeOf(unknown.apiVersion, unknown.kind);
      const message = schema === undefined ? undefined : messages.of(schema);
      if (message === undefined)
        throw new ProtobufError(
          `no kind "${unknown.kind}" is registered for version "${unknown.apiVersion}"`,
        );
      const object = new Decoder(unknown.raw, this.#depth).message(message, {}, unknown.raw.length);
      return { kind: unknown.kind, apiVersion: unknown.apiVersion, ...object };
    }
    try {
      return JSON.parse(raw.toString('utf8'));
    } catch (cause) {
      throw new ProtobufError(`raw extension ${field.name} is not JSON: ${(cause as Error).message}`);
    }
  }

  /** A schema (1), or a list of schemas (2), a bool (1, with the schema at 2), or a list of strings (2). */
  #union(field: MessageField, end: number): unknown {
    const reader = this.#reader;
    const schemaTag = field.op === 'schemaOrBool' ? 0x12 : 0x0a;
    let schema: Json | undefined;
    let allows = false;
    const others: unknown[] = [];
    while (reader.at < end) {
      const tag = reader.tag(end);
      if (tag === schemaTag) schema = this.message(field.message, schema ?? {}, reader.span(end));
      else if (tag === 0x08 + wireVarint && field.op === 'schemaOrBool') allows = reader.varint(end) !== 0;
      else if (tag === 0x12 && field.op === 'schemaOrStrings') others.push(reader.string(end));
      else if (tag === 0x12) others.push(this.message(field.message, {}, reader.span(end)));
      else reader.skip(tag & 7, end);
    }
    if (field.op === 'schemaOrBool') return schema ?? allows;
    return others.length > 0 ? others : (schema ?? null);
  }
}

/** The value of a map entry that has none. */
function absent(field: MessageField): unknown {
  switch (field.op) {
    case 'object':
      return {};
    case 'list':
      return [];
    case 'string':
    case 'bytes':
      return '';
    case 'quantity':
      return '0';
    case 'bool':
      return false;
    case 'int32':
    case 'int64':
    case 'double':
    case 'intOrString':
      return 0;
    default:
      return null;
  }
}
