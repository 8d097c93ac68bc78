// HOT (bench/storage.ts). The bytes of an object: the stored value has no resourceVersion, the wire form has it as the first
// member of metadata. One search and one copy per version; nothing is parsed.
//
//   stored  {"kind":"Pod","apiVersion":"v1","metadata":{"name":"a",…
//   wire    {"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"42","name":"a",…
//   item                                   {"metadata":{"resourceVersion":"42","name":"a",…

const metadata = Buffer.from('"metadata":{');
const member = Buffer.from('"resourceVersion":"');
const closingBrace = 0x7d;
const quote = 0x22;
const comma = 0x2c;

/** Where metadata's first member begins. Throws when the bytes are not an object with metadata. */
function insideMetadata(bytes: Buffer): number {
  const at = bytes.indexOf(metadata);
  if (at < 0 || at + metadata.length >= bytes.length) throw new TypeError('the value has no metadata object');
  return at + metadata.length;
}

/** Makes a buffer of so many bytes: a store's own way is WireMemory's. */
export type Allocate = (length: number) => Buffer;

const unpooled: Allocate = (length) => Buffer.allocUnsafeSlow(length);

function join(parts: { before: Buffer; revision: number; after: Buffer }, allocate: Allocate): Buffer {
  const { before, revision, after } = parts;
  const digits = String(revision);
  const last = after[0] === closingBrace;
  const wire = allocate(before.length + member.length + digits.length + (last ? 1 : 2) + after.length);
  let at = before.copy(wire, 0);
  at += member.copy(wire, at);
  at += wire.write(digits, at, 'latin1');
  wire[at++] = quote;
  if (!last) wire[at++] = comma;
  after.copy(wire, at);
  return wire;
}

/** True when the bytes can be given a revision: the check a writer makes before anything is stored. */
export function hasMetadata(value: Buffer): boolean {
  const at = value.indexOf(metadata);
  return at >= 0 && at + metadata.length < value.length;
}

/** The wire form of a stored value. */
export function spliceRevision(value: Buffer, revision: number, allocate: Allocate = unpooled): Buffer {
  const at = insideMetadata(value);
  return join({ before: value.subarray(0, at), revision, after: value.subarray(at) }, allocate);
}

/** The range of `"resourceVersion":"N",` (with the comma, if there is one) in a wire form. */
function revisionRange(wire: Buffer): { from: number; to: number } {
  const from = insideMetadata(wire);
  if (!wire.subarray(from, from + member.length).equals(member))
    throw new TypeError('the wire form has no resourceVersion as the first member of metadata');
  let to = wire.indexOf(quote, from + member.length) + 1;
  if (wire[to] === comma) to++;
  return { from, to };
}

/** The same object at another revision: what a deletion sends is the last state with the deletion's revision. */
export function respliceRevision(wire: Buffer, revision: number, allocate: Allocate = unpooled): Buffer {
  const { from, to } = revisionRange(wire);
  return join({ before: wire.subarray(0, from), revision, after: wire.subarray(to) }, allocate);
}

/** The stored value of a wire form: the inverse of spliceRevision. */
export function withoutRevision(wire: Buffer): Buffer {
  const { from, to } = revisionRange(wire);
  const value = unpooled(wire.length - (to - from));
  wire.copy(value, 0, 0, from);
  wire.copy(value, from, to);
  return value;
}

/** A list item is `{` + wire.subarray(itemOffset(wire)): the object without kind and apiVersion. */
export function itemOffset(wire: Buffer): number {
  return insideMetadata(wire) - metadata.length;
}
