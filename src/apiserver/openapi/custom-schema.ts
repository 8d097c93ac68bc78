// How the schema of a custom resource is published: as its author wrote it in v3; in v2 without the words that v2 does not have, or
// that would make its readers refuse what is right.
import type { KindDef } from '../../machinery/index.ts';

type Json = Record<string, unknown>;

/** `stable.example.com`, `v1`, `CronTab` → `com.example.stable.v1.CronTab` */
export const customName = ({ group, version, kind }: Pick<KindDef, 'group' | 'version' | 'kind'>): string =>
  `${group.split('.').reverse().join('.')}.${version}.${kind}`;

/** `metadata` is how the document refers to ObjectMeta. */
export function customDefinition(schema: unknown, version: 2 | 3, metadata: Json): Json {
  const written = (version === 3 ? schema : plain(schema)) as Json;
  return {
    type: 'object',
    ...written,
    properties: {
      ...(written['properties'] as Json | undefined),
      apiVersion: { description: 'The version of the API that the object is written in.', type: 'string' },
      kind: { description: 'The kind of the object.', type: 'string' },
      metadata,
    },
  };
}

const onlyInV3 = new Set(['anyOf', 'oneOf', 'allOf', 'not', 'nullable', 'default']);

function plain(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema;
  const given = schema as Json;
  const out: Json = {};
  // A value that may be null, or hold anything, is of no type that v2 could check.
  const anything =
    given['nullable'] === true ||
    given['x-kubernetes-preserve-unknown-fields'] === true ||
    given['x-kubernetes-int-or-string'] === true;
  for (const [key, value] of Object.entries(given)) {
    if (onlyInV3.has(key) || (anything && (key === 'type' || key === 'items' || key === 'properties')))
      continue;
    if (key === 'properties')
      out[key] = Object.fromEntries(
        Object.entries(value as Json).map(([name, property]) => [name, plain(property)]),
      );
    else if (key === 'items' || key === 'additionalProperties') out[key] = plain(value);
    else out[key] = value;
  }
  return out;
}
