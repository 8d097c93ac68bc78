// From an object to protobuf bytes. HOT: bench/protobuf.ts. Members are written in the order of the object and, as the writer
// works from the end, lie in the reverse order in the bytes; readers do not care.
import type { Json, Message, MessageField } from './protobuf-message.ts';
import { WireWriter } from './protobuf-wire.ts';

/** One buffer for all: encoding never waits, and the result is copied out. */
const shared = new WireWriter();

/** The bytes of an object as decodeObject makes them. What the message has no number for is left out. */
export function encodeMessage(message: Message, object: Json): Buffer {
  try {
    writeMessage(shared, message, object);
    return shared.take();
  } finally {
    shared.reset();
  }
}

function writeMessage(writer: WireWriter, message: Message, object: Json): void {
  const { byName, flat } = message;
  for (const key in object) {
    const field = byName.get(key);
    if (field === undefined) continue;
    const value = object[key];
    if (value === null || value === undefined) continue;
    if (field.place === 'one') {
      writeValue(writer, field, value);
      writer.varint(field.tag);
    } else if (field.place === 'many') {
      for (let i = (value as unknown[]).length - 1; i >= 0; i--) {
        writeValue(writer, field, (value as unknown[])[i]);
        writer.varint(field.tag);
      }
    } else writeMap(writer, field, value as Json);
  }
  for (let i = 0; i < flat.length; i++) {
    const field = flat[i]!;
    const before = writer.length;
    writeMessage(writer, field.message, object);
    if (writer.length === before) continue;
    writer.varint(writer.length - before);
    writer.varint(field.tag);
  }
}

function writeMap(writer: WireWriter, field: MessageField, map: Json): void {
  for (const key in map) {
    const before = writer.length;
    writeValue(writer, field, map[key]);
    writer.varint(0x10 + field.wire);
    writer.string(key);
    writer.varint(0x0a);
    writer.varint(writer.length - before);
    writer.varint(field.tag);
  }
}

/** The value with its length, without the header. null is the zero value. */
function writeValue(writer: WireWriter, field: MessageField, value: unknown): void {
  switch (field.op) {
    case 'string':
      writer.string((value ?? '') as string);
      return;
    case 'int32':
    case 'int64':
      writer.varint((value ?? 0) as number);
      return;
    case 'bool':
      writer.varint(value === true ? 1 : 0);
      return;
    case 'double':
      writer.double((value ?? 0) as number);
      return;
    case 'bytes': {
      const bytes = Buffer.from((value ?? '') as string, 'base64');
      writer.bytes(bytes);
      writer.varint(bytes.length);
      return;
    }
    default: {
      const before = writer.length;
      if (value !== null && value !== undefined) writeBody(writer, field, value);
      writer.varint(writer.length - before);
    }
  }
}

/** The inside of a value that is a message. */
function writeBody(writer: WireWriter, field: MessageField, value: unknown): void {
  switch (field.op) {
    case 'object':
      writeMessage(writer, field.message, value as Json);
      return;
    case 'quantity':
      writer.string(value as string);
      writer.varint(0x0a);
      return;
    case 'time':
      writeTime(writer, value as string, 0);
      return;
    case 'microTime':
      writeTime(writer, value as string, 6);
      return;
    case 'intOrString':
      writeIntOrString(writer, value as string | number);
      return;
    case 'any':
      writer.string(JSON.stringify(value));
      writer.varint(0x0a);
      return;
    case 'list':
      writeStrings(writer, 0x0a, value as readonly string[]);
      return;
    case 'schemaOrBool':
      writeSchemaOrBool(writer, field, value as Json | boolean);
      return;
    case 'schemaOrArray':
      if (Array.isArray(value))
        for (let i = value.length - 1; i >= 0; i--) writeSchema(writer, field, 0x12, value[i]);
      else writeSchema(writer, field, 0x0a, value as Json);
      return;
    case 'schemaOrStrings':
      if (Array.isArray(value)) writeStrings(writer, 0x12, value as string[]);
      else writeSchema(writer, field, 0x0a, value as Json);
  }
}

/** A Timestamp. Both numbers are written even when 0: an empty message would be Go's zero time. */
function writeTime(writer: WireWriter, text: string, digits: 0 | 6): void {
  writer.varint(digits === 0 ? 0 : microsOf(text) * 1000);
  writer.varint(0x10);
  writer.varint(Math.floor(Date.parse(text) / 1000));
  writer.varint(0x08);
}

const microsOf = (text: string): number => Number((/\.(\d{1,6})/.exec(text)?.[1] ?? '').padEnd(6, '0'));

function writeIntOrString(writer: WireWriter, value: string | number): void {
  const isString = typeof value === 'string';
  writer.string(isString ? value : '');
  writer.varint(0x1a);
  writer.varint(isString ? 0 : value);
  writer.varint(0x10);
  writer.varint(isString ? 1 : 0);
  writer.varint(0x08);
}

function writeStrings(writer: WireWriter, tag: number, items: readonly string[]): void {
  for (let i = items.length - 1; i >= 0; i--) {
    const item: unknown = items[i];
    writer.string(typeof item === 'string' ? item : '');
    writer.varint(tag);
  }
}

/** The shape lets any JSON through here; what is no object is written as an empty schema. */
function writeSchema(writer: WireWriter, field: MessageField, tag: number, schema: unknown): void {
  const before = writer.length;
  if (typeof schema === 'object' && schema !== null && !Array.isArray(schema))
    writeMessage(writer, field.message, schema as Json);
  writer.varint(writer.length - before);
  writer.varint(tag);
}

/** A schema is itself a yes. */
function writeSchemaOrBool(writer: WireWriter, field: MessageField, value: Json | boolean): void {
  if (typeof value !== 'boolean') writeSchema(writer, field, 0x12, value);
  writer.varint(value === false ? 0 : 1);
  writer.varint(0x08);
}
