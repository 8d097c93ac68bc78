// Answers in Kubernetes' protobuf. HOT: bench/protobuf.ts. A stored object's message is made once per version (derived.ts); a
// list joins the messages of its items, and the joined items of a whole collection are kept while it does not change.

import { protobufMessage, protobufMessageFor, shape } from '../../api/index.ts';
import { type Clock, Pause } from '../../base/index.ts';
import {
  encodeMessage,
  envelopeParts,
  type KindDef,
  type KubeObject,
  type Message,
  messageField,
  writeEnvelope,
} from '../../machinery/index.ts';
import type { Entry } from '../../storage/index.ts';
import type { ListAnswer } from '../registry/list.ts';
import { objectOf } from '../registry/objects.ts';
import { hasMessage, storedMessage } from './derived.ts';

type Json = Record<string, unknown>;

/** The message of a built-in kind; undefined for others, whose objects are only written as JSON. */
export const messageOf = (kind: KindDef): Message | undefined => protobufMessage(kind.schema);

/** A stored version in its envelope. */
export function entryEnvelope(kind: KindDef, message: Message, entry: Entry): Buffer {
  return writeEnvelope(kind.apiVersion, kind.kind, storedMessage(message, entry));
}

/** An object that was made for this answer, in its envelope; undefined when nobody knows its message. */
export function objectEnvelope(object: KubeObject): Buffer | undefined {
  const { apiVersion = '', kind = '' } = object;
  const message = protobufMessageFor(apiVersion, kind);
  if (message === undefined) return undefined;
  return writeEnvelope(apiVersion, kind, encodeMessage(message, object as unknown as Json));
}

const objectMeta = () => protobufMessage(shape('meta.v1.ObjectMeta'))!;
const listMeta = () => protobufMessage(shape('meta.v1.ListMeta'))!;

const metadataMessage = (object: Pick<KubeObject, 'metadata'>): Buffer =>
  messageField(1, [encodeMessage(objectMeta(), object.metadata as unknown as Json)]);

/** A PartialObjectMetadata of meta.k8s.io in its envelope. */
export const partialEnvelope = (object: Pick<KubeObject, 'metadata'>, version: string): Buffer =>
  writeEnvelope(`meta.k8s.io/${version}`, 'PartialObjectMetadata', metadataMessage(object));

/** A PartialObjectMetadataList. Its first version numbered the fields the other way round. */
export async function partialListEnvelope(
  list: ListAnswer,
  meta: Json,
  { version, clock }: { version: string; clock: Clock },
): Promise<readonly Buffer[]> {
  const pause = new Pause(clock);
  const messages: Buffer[] = [];
  for (const entry of list.entries) {
    if (pause.due) await pause.now();
    messages.push(metadataMessage(objectOf(entry)));
  }
  const [metadata, items] = version === 'v1' ? [1, 2] : [2, 1];
  return envelopeParts(`meta.k8s.io/${version}`, 'PartialObjectMetadataList', [
    messageField(metadata!, [encodeMessage(listMeta(), meta)]),
    messageField(items!, messages),
  ]);
}

/** Joined items by the array they were joined from; gone with the array. */
const joined = new WeakMap<readonly Entry[], Buffer>();

/** Below this, joining again is cheaper than remembering. */
const rememberFromItems = 64;

export interface ListParts {
  readonly kind: KindDef;
  readonly message: Message;
  readonly list: ListAnswer;
  readonly meta: Json;
}

/** A list in its envelope, in parts to be sent in order. Makes missing messages in slices, so that others get their turn. */
export async function listEnvelope(parts: ListParts, clock: Clock): Promise<readonly Buffer[]> {
  const { kind, message, list, meta } = parts;
  const { entries } = list;
  let items = joined.get(entries);
  if (items === undefined) {
    const { conversion } = kind;
    const messages: Buffer[] = new Array(entries.length);
    const pause = new Pause(clock);
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      if (conversion !== null)
        messages[i] = encodeMessage(message, conversion.fromStored(objectOf(entry)) as unknown as Json);
      else {
        if (!hasMessage(entry) && pause.due) await pause.now();
        messages[i] = storedMessage(message, entry);
      }
    }
    items = messageField(2, messages);
    if (conversion === null && entries.length >= rememberFromItems) joined.set(entries, items);
  }
  return envelopeParts(kind.apiVersion, kind.listKind, [
    messageField(1, [encodeMessage(listMeta(), meta)]),
    items,
  ]);
}
