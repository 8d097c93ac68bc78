// Between objects and entries of the store: encode once on commit, decode once on first use. HOT: bench/api.ts.
import type { KindDef, KubeObject, ManagedFieldsEntry } from '../../machinery/index.ts';
import { sharedText, storageKey } from '../../machinery/index.ts';
import type { Entry } from '../../storage/index.ts';

type Loose = Record<string, unknown>;

/** What a call on one object answers: a stored version, or (dry run, conversion, Status) an object made for this answer. */
export interface Answer {
  readonly code: number;
  readonly entry: Entry | null;
  readonly object: KubeObject | null;
}

/**
 * The stored value: kind and apiVersion first, then metadata without its resourceVersion, then the rest as it stands. The
 * store splices the revision in (storage/store.ts, `Entry.wire`).
 */
export function encodeForStore(object: KubeObject): Buffer {
  const { apiVersion, kind, metadata, ...rest } = object as KubeObject & Loose;
  const { resourceVersion: _, managedFields, ...meta } = metadata;
  const owners = managedFields && ownersText(managedFields);
  if (owners === undefined)
    return bytesOf(JSON.stringify({ kind, apiVersion, metadata: { ...meta, managedFields }, ...rest }));
  const head = JSON.stringify({ kind, apiVersion, metadata: meta }).slice(0, -2);
  const tail = JSON.stringify(rest);
  return bytesOf(`${head},"managedFields":${owners}}${tail === '{}' ? '}' : `,${tail.slice(1)}`}`);
}

/**
 * Shared memory, which V8 does not count: a value is dead once it is committed, but a thousand that wait for the disk together
 * would have the whole heap marked (storage/wire-memory.ts).
 */
function bytesOf(text: string): Buffer {
  const bytes = Buffer.from(new SharedArrayBuffer(Buffer.byteLength(text)));
  bytes.write(text);
  return bytes;
}

/** Sets of fields that objects share have their text already, which is a third of a small pod. undefined = some have not. */
function ownersText(entries: readonly ManagedFieldsEntry[]): string | undefined {
  let text = '';
  for (const { fieldsV1, subresource, ...entry } of entries) {
    const fields = fieldsV1 && sharedText(fieldsV1);
    if (fields === undefined) return undefined;
    const end = subresource === undefined ? '}' : `,"subresource":${JSON.stringify(subresource)}}`;
    text += `${text === '' ? '[' : ','}${JSON.stringify(entry).slice(0, -1)},"fieldsV1":${fields}${end}`;
  }
  return text === '' ? undefined : `${text}]`;
}

/** The decoded object of an entry; shared by all readers, so never to be changed. */
export function objectOf<T extends KubeObject = KubeObject>(entry: Entry): T {
  if (entry.object === null) entry.object = freeze(JSON.parse(entry.wire.toString('utf8')));
  return entry.object as T;
}

/** A copy that the caller may change. */
export function mutableCopy<T extends KubeObject = KubeObject>(entry: Entry): T {
  return JSON.parse(entry.wire.toString('utf8')) as T;
}

export const keyFor = (kind: KindDef, namespace: string | undefined, name: string): string =>
  storageKey(kind, { namespace, name });

/** Tests freeze what is shared; a running server trusts its own code and saves the time. */
let freezeShared = false;

export function setFreezeShared(on: boolean): void {
  freezeShared = on;
}

export function freeze<T>(value: T): T {
  if (freezeShared) deepFreeze(value);
  return value;
}

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const key in value) deepFreeze((value as Loose)[key]);
}

/** Structural equality of JSON values; undefined members count as absent. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!sameJson(a[i], b[i])) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  for (const key in a) if (!sameJson((a as Loose)[key], (b as Loose)[key])) return false;
  for (const key in b) if ((b as Loose)[key] !== undefined && (a as Loose)[key] === undefined) return false;
  return true;
}
