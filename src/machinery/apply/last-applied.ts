// The annotation of client-side apply. `kubectl apply --server-side` takes over from it: what the annotation says, and the object
// still has, may be taken without a conflict; and as long as the annotation is there, it is kept true.
import type { KubeObject } from '../meta/object-meta.ts';
import { decodeObject } from '../schema/decode.ts';
import type { ObjectSchema } from '../schema/schema.ts';
import { difference, type FieldSet, recursiveDifference } from './field-set.ts';
import { compare, fieldsOf, isMap, type Json } from './fields.ts';
import { typeFaults } from './typed.ts';

const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
/** Only kubectl's own applies follow the annotation. */
export const followsLastApplied = (manager: string): boolean => manager === 'kubectl';
const maxAnnotationsBytes = 256 * 1024;

/** The fields that client-side apply set and nobody changed since. `live` is in the terms of `schema`. */
export function lastAppliedFields(schema: ObjectSchema, apiVersion: string, live: KubeObject): FieldSet {
  const text = live.metadata.annotations?.[annotation];
  if (text === undefined || text === '') return undefined;
  try {
    const applied: unknown = JSON.parse(text);
    if (!isMap(applied) || applied['apiVersion'] !== apiVersion || typeFaults(schema, applied) !== undefined)
      return undefined;
    const { changed, removed } = compare(
      schema,
      { before: decodeObject(schema, applied, []), after: live as unknown as Json },
      'all',
    );
    return recursiveDifference(difference(fieldsOf(schema, applied), changed), removed);
  } catch {
    // Anybody may write the annotation; what cannot be read allows nothing.
    return undefined;
  }
}

/** Writes what was applied into the annotation, if the object has it. Mutates. */
export function refreshLastApplied(object: KubeObject, configuration: Json): void {
  const { annotations } = object.metadata;
  if (annotations?.[annotation] === undefined) return;
  const next = {
    ...annotations,
    [annotation]: `${JSON.stringify(withoutAnnotation(configuration), sorted)}\n`,
  };
  let bytes = 0;
  for (const [key, value] of Object.entries(next)) bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  if (bytes > maxAnnotationsBytes) delete (next as Json)[annotation];
  object.metadata.annotations = next;
}

function withoutAnnotation(configuration: Json): Json {
  const metadata = configuration['metadata'] as Json | undefined;
  const annotations = metadata?.['annotations'] as Json | undefined;
  if (annotations?.[annotation] === undefined) return configuration;
  const { [annotation]: _, ...rest } = annotations;
  return { ...configuration, metadata: { ...metadata, annotations: rest } };
}

const sorted = (_: string, value: unknown): unknown =>
  isMap(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value;
