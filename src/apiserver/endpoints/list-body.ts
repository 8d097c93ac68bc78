// The bytes of a list, put together from the bytes of its items. HOT: bench/api.ts. An item of a list carries no kind and
// apiVersion, so it is a slice of the stored wire form. The joined items of a whole collection are kept while it does not
// change: store.list hands out the same array then.
//
// A list is joined and sent a block at a time, so that one of a hundred thousand objects does not hold up everybody else.
import { type Clock, Pause } from '../../base/index.ts';
import type { KindDef, KubeObject } from '../../machinery/index.ts';
import { type Entry, itemOffset } from '../../storage/index.ts';
import type { ListAnswer } from '../registry/list.ts';
import { objectOf } from '../registry/objects.ts';

/** An answer whose length is known before all its bytes have been made. */
export interface BlockBody {
  /** bytes */
  readonly length: number;
  /** In order; a block is made when it is asked for. Gone through once. */
  readonly blocks: Iterable<Buffer>;
}

/** About this long is a block: copying and encrypting one takes well below a millisecond. */
const blockBytes = 512 * 1024;

/** Larger collections are joined anew for each answer: remembering would double what they take. */
const rememberBelowBytes = 64 * 1024 * 1024;
/** Below this, joining again is cheaper than remembering. */
const rememberFromItems = 64;

const opening = Buffer.from('{');
const separator = Buffer.from(',{');
const ending = Buffer.from(']}\n');

/** Joined items by the array they were joined from; gone with the array. */
const joined = new WeakMap<readonly Entry[], JoinedItems>();

/** A list in the objects' own form. */
export async function listBody(
  { kind, list, listMeta }: { kind: KindDef; list: ListAnswer; listMeta: string },
  clock: Clock,
): Promise<BlockBody> {
  const head = `{"kind":"${kind.listKind}","apiVersion":"${kind.apiVersion}","metadata":${listMeta},"items":[`;
  const { entries } = list;
  if (kind.conversion !== null) {
    const { fromStored } = kind.conversion;
    const itemOf = (object: KubeObject) =>
      JSON.stringify({ ...fromStored(object), kind: undefined, apiVersion: undefined });
    return textBody({ head, entries, itemOf, tail: ']}\n' }, clock);
  }
  const start = Buffer.from(head);
  const items = itemsOf(entries);
  return {
    length: start.length + items.length + ending.length,
    blocks: around(start, items.blocks(), ending),
  };
}

/** A list whose items are made for this answer: rows of a table, metadata, another version. Made in slices of time. */
export async function textBody(
  parts: {
    readonly head: string;
    readonly entries: readonly Entry[];
    readonly itemOf: (object: KubeObject) => string;
    readonly tail: string;
  },
  clock: Clock,
): Promise<BlockBody> {
  const { entries, itemOf } = parts;
  const pause = new Pause(clock);
  const blocks: Buffer[] = [];
  let length = 0;
  let text = parts.head;
  const flush = () => {
    const block = Buffer.from(text);
    length += block.length;
    blocks.push(block);
    text = '';
  };
  for (let i = 0; i < entries.length; i++) {
    if (i > 0) text += ',';
    text += itemOf(objectOf(entries[i]!));
    if (text.length >= blockBytes) flush();
    if (pause.due) await pause.now();
  }
  text += parts.tail;
  flush();
  return { length, blocks };
}

function* around(head: Buffer, blocks: Iterable<Buffer>, tail: Buffer): Generator<Buffer> {
  yield head;
  yield* blocks;
  yield tail;
}

function itemsOf(entries: readonly Entry[]): JoinedItems {
  let items = joined.get(entries);
  if (items === undefined) {
    items = new JoinedItems(entries);
    if (entries.length >= rememberFromItems && items.length < rememberBelowBytes) {
      items.remember();
      joined.set(entries, items);
    }
  }
  return items;
}

/** The items with commas between them, cut into blocks of whole items. */
class JoinedItems {
  readonly length: number;
  readonly #entries: readonly Entry[];
  /** Where each block starts, and the end. */
  readonly #starts: number[] = [];
  #kept: (Buffer | undefined)[] | null = null;

  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
    let length = 0;
    let full = 0;
    const offset = entries.length === 0 ? 0 : itemOffset(entries[0]!.wire);
    for (let i = 0; i < entries.length; i++) {
      if (length >= full) {
        this.#starts.push(i);
        full = length + blockBytes;
      }
      length += entries[i]!.wire.length - offset + (i === 0 ? opening.length : separator.length);
    }
    this.#starts.push(entries.length);
    this.length = length;
  }

  /** Blocks that were made stay for the next answer. */
  remember(): void {
    this.#kept = new Array<Buffer | undefined>(this.#starts.length - 1);
  }

  *blocks(): Generator<Buffer> {
    for (let i = 0; i + 1 < this.#starts.length; i++) {
      let block = this.#kept?.[i];
      if (block === undefined) {
        block = this.#join(this.#starts[i]!, this.#starts[i + 1]!);
        if (this.#kept !== null) this.#kept[i] = block;
      }
      yield block;
    }
  }

  #join(from: number, to: number): Buffer {
    const entries = this.#entries;
    const offset = itemOffset(entries[0]!.wire);
    let length = 0;
    for (let i = from; i < to; i++)
      length += entries[i]!.wire.length - offset + (i === 0 ? opening.length : separator.length);
    const out = Buffer.allocUnsafe(length);
    let at = 0;
    for (let i = from; i < to; i++) {
      at += (i === 0 ? opening : separator).copy(out, at);
      at += entries[i]!.wire.copy(out, at, offset);
    }
    return out;
  }
}
