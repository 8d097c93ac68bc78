// The bytes of a list, put together from the bytes of its items. HOT: bench/api.ts. An item of a list carries no kind and
// apiVersion, so it is a slice of the stored wire form. The joined items of a whole collection are kept while it does not
// change: store.list hands out the same array then.
import type { KindDef } from '../../machinery/index.ts';
import { type Entry, itemOffset } from '../../storage/index.ts';
import type { ListAnswer } from '../registry/list.ts';
import { objectOf } from '../registry/objects.ts';

const opening = Buffer.from('{');
const separator = Buffer.from(',{');
const ending = Buffer.from(']}\n');

/** Joined items by the array they were joined from; gone with the array. */
const joined = new WeakMap<readonly Entry[], Buffer>();

/** Below this, joining again is cheaper than remembering. */
const rememberFromItems = 64;

/** In order; together one JSON document. */
export function listBody(kind: KindDef, list: ListAnswer, listMeta: string): readonly Buffer[] {
  const head = Buffer.from(
    `{"kind":"${kind.listKind}","apiVersion":"${kind.apiVersion}","metadata":${listMeta},"items":[`,
  );
  const { entries } = list;
  if (kind.conversion !== null) {
    const { fromStored } = kind.conversion;
    const items = entries.map((entry) =>
      JSON.stringify({ ...fromStored(objectOf(entry)), kind: undefined, apiVersion: undefined }),
    );
    return [head, Buffer.from(items.join(',')), ending];
  }
  let items = joined.get(entries);
  if (items === undefined) {
    items = join(entries);
    if (entries.length >= rememberFromItems) joined.set(entries, items);
  }
  return [head, items, ending];
}

function join(entries: readonly Entry[]): Buffer {
  if (entries.length === 0) return Buffer.alloc(0);
  const offset = itemOffset(entries[0]!.wire);
  let length = entries.length * separator.length - 1;
  for (const entry of entries) length += entry.wire.length - offset;
  const out = Buffer.allocUnsafe(length);
  let at = 0;
  for (let i = 0; i < entries.length; i++) {
    at += (i === 0 ? opening : separator).copy(out, at);
    at += entries[i]!.wire.copy(out, at, offset);
  }
  return out;
}
