// Kubernetes' protobuf messages, driven by the same shapes as JSON: a table of field numbers (one line of text a message, read on
// first use) says what travels under which number, the shape says what the values are.
//
//   containers=2            the field of that name
//   extra=4:list            a list that is a message of its own: {items=1}
//   items=24:schemaOrArray  the unions of JSON schema (also schemaOrBool, schemaOrStrings)
//   >core.v1.VolumeSource=2 another message whose fields lie flat in the same JSON object
import type { ObjectSchema, ScalarType, Schema } from '../schema/schema.ts';
import { wireBytes, wireFixed64, wireVarint } from './protobuf-wire.ts';

export type Json = Record<string, unknown>;

/** What a value is. `list` is a list inside a message of its own; the unions hold the schema that they are part of. */
export type Op = ScalarType | 'object' | 'list' | 'schemaOrArray' | 'schemaOrBool' | 'schemaOrStrings';

/** A single value, a repeated one, a map from strings, or a message whose fields lie flat in the JSON object. */
export type Place = 'one' | 'many' | 'map' | 'flat';

function wireOf(op: Op): number {
  if (op === 'int32' || op === 'int64' || op === 'bool') return wireVarint;
  return op === 'double' ? wireFixed64 : wireBytes;
}

interface FieldInput {
  readonly name: string;
  readonly number: number;
  readonly op: Op;
  readonly find: (() => Message) | null;
}

export class MessageField {
  readonly name: string;
  readonly number: number;
  readonly place: Place;
  readonly op: Op;
  /** The wire type of a single value. */
  readonly wire: number;
  /** The header of a value: number and wire type. */
  readonly tag: number;
  readonly messages: Messages;
  readonly #find: (() => Message) | null;
  #message: Message | null = null;

  constructor(messages: Messages, place: Place, field: FieldInput) {
    this.messages = messages;
    this.name = field.name;
    this.number = field.number;
    this.place = place;
    this.op = field.op;
    this.wire = wireOf(field.op);
    this.tag = field.number * 8 + (place === 'map' ? wireBytes : this.wire);
    this.#find = field.find;
  }

  /** The message of a value that is one. Made on first use: shapes may hold themselves. */
  get message(): Message {
    this.#message ??= this.#find!();
    return this.#message;
  }
}

/** One message, joined to its shape. */
export class Message {
  readonly byNumber: readonly (MessageField | undefined)[];
  readonly byName: ReadonlyMap<string, MessageField>;
  /** The messages whose fields lie flat in this one's JSON object. */
  readonly flat: readonly MessageField[];

  constructor(fields: readonly MessageField[]) {
    const byNumber: (MessageField | undefined)[] = [];
    for (const field of fields) {
      while (byNumber.length <= field.number) byNumber.push(undefined);
      byNumber[field.number] = field;
    }
    this.byNumber = byNumber;
    this.byName = new Map(fields.filter((f) => f.place !== 'flat').map((f) => [f.name, f]));
    this.flat = fields.filter((f) => f.place === 'flat');
  }
}

/** Where the messages come from. */
export interface MessageSource {
  /** The field numbers of a message by its name, in the notation above. */
  notation(name: string): string | undefined;
  /** The shape of an object that lies in a RawExtension as protobuf. */
  shapeOf(apiVersion: string, kind: string): ObjectSchema | undefined;
}

/** All messages of a table, each made when first asked for. */
export class Messages {
  readonly source: MessageSource;
  readonly #made = new Map<string, Message>();

  constructor(source: MessageSource) {
    this.source = source;
  }

  /** The message of a shape; undefined when the table has none of that name. */
  of(schema: ObjectSchema): Message | undefined {
    return this.#message(schema.name, schema);
  }

  #message(name: string, schema: ObjectSchema): Message | undefined {
    // A message that lies flat in several shapes (a name inside a selector) is joined to each of them.
    const key = name === schema.name ? name : `${name} in ${schema.name}`;
    let message = this.#made.get(key);
    if (message === undefined) {
      const notation = this.source.notation(name);
      if (notation === undefined) return undefined;
      message = new Message(this.#parse(notation, schema));
      this.#made.set(key, message);
    }
    return message;
  }

  #parse(notation: string, schema: ObjectSchema): MessageField[] {
    const words = notation.split(' ').filter((word) => word !== '');
    return words.map((word) => {
      const parts = /^(>?)([^=]+)=(\d+)(?::(\w+))?$/.exec(word);
      if (parts === null) throw new Error(`field numbers of ${schema.name}: cannot read ${word}`);
      const [, flat, name, digits, union] = parts as unknown as [string, string, string, string, string?];
      const number = Number(digits);
      if (flat === '>')
        return new MessageField(this, 'flat', {
          name,
          number,
          op: 'object',
          find: () => this.#required(name, schema),
        });
      return this.#field(schema, { name, number, union });
    });
  }

  #field(
    schema: ObjectSchema,
    { name, number, union }: { name: string; number: number; union: string | undefined },
  ): MessageField {
    let value: Schema | undefined = schema.fields.get(name)?.schema;
    if (value === undefined) throw new Error(`the shape ${schema.name} has no field ${name}`);
    let place: Place = 'one';
    if (value.type === 'map') {
      place = 'map';
      value = value.values;
    } else if (value.type === 'list' && union !== 'list') {
      place = 'many';
      value = value.items;
    }
    if (union !== undefined)
      return new MessageField(this, place, {
        name,
        number,
        op: union as Op,
        find: () => this.#required(schema.name, schema),
      });
    if (value.type === 'list' || value.type === 'map')
      throw new Error(`${schema.name}.${name}: no message holds a list of lists`);
    const inner = value;
    if (inner.type !== 'object')
      return new MessageField(this, place, { name, number, op: inner.type, find: null });
    return new MessageField(this, place, {
      name,
      number,
      op: 'object',
      find: () => this.#required(inner.name, inner),
    });
  }

  #required(name: string, schema: ObjectSchema): Message {
    const message = this.#message(name, schema);
    if (message === undefined) throw new Error(`there are no field numbers for ${name}`);
    return message;
  }
}
