// How the schema of a custom resource is published: as its author wrote it in v3; in v2 without the words that v2 does not have, or
// that would make its readers refuse what is right.
import type { KindDef } from '../../machinery/index.ts';

type Json = Record<string, unknown>;

/** `stable.example.com`, `v1`, `CronTab` → `com.example.stable.v1.CronTab` */
export const customName = ({ group, version, kind }: Pick<KindDef, 'group' | 'version' | 'kind'>): string =>
  `${group.split('.').reverse().join('.')}.${version}.${kind}`;

/**
 * `metadata` is how the document refers to ObjectMeta. A v2 reader takes what is not in `properties` for forbidden, so where an object
 * may hold anything it is told of no property at all.
 */
export function customDefinition(schema: unknown, version: 2 | 3, metadata: Json): Json {
  const written = schema as Json;
  if (version === 2 && written[preservesUnknown] === true) return { type: 'object' };
  const own = embedding(version === 3 ? written : plain(written), version, metadata);
  return {
    type: 'object',
    ...own,
    properties: { ...(own['properties'] as Json | undefined), ...whoItIs, metadata },
  };
}

const whoItIs = {
  apiVersion: {
    description: 'APIVersion defines the version of the API that the object is written in.',
    type: 'string',
  },
  kind: { description: 'The kind of the object.', type: 'string' },
};

const preservesUnknown = 'x-kubernetes-preserve-unknown-fields';
const onlyInV3 = new Set(['anyOf', 'oneOf', 'allOf', 'not', 'nullable', 'default']);

/** Objects inside an object are told of as such: who they are, and that they must say so. */
function embedding(given: Json, version: 2 | 3, metadata: Json): Json {
  const inside = (schema: unknown): unknown =>
    typeof schema === 'object' && schema !== null ? embedding(schema as Json, version, metadata) : schema;
  const out: Json = { ...given };
  for (const key of ['items', 'additionalProperties']) if (key in given) out[key] = inside(given[key]);
  const { properties } = given as { properties?: Json };
  if (properties !== undefined)
    out['properties'] = Object.fromEntries(
      Object.entries(properties).map(([name, schema]) => [name, inside(schema)]),
    );
  if (given['x-kubernetes-embedded-resource'] !== true || (version === 2 && given[preservesUnknown] === true))
    return out;
  out['properties'] = { ...(out['properties'] as Json | undefined), ...whoItIs, metadata };
  out['required'] = [
    ...new Set([...((given['required'] as string[] | undefined) ?? []), 'kind', 'apiVersion']),
  ];
  return out;
}

const isNullable = (schema: unknown): boolean => (schema as Json | undefined)?.['nullable'] === true;

/** As apiextensions' conversion to v2 has it: what v2 cannot say is left open. */
function plain(given: Json): Json {
  const keepsAll = given[preservesUnknown] === true;
  const isOpen = keepsAll || isNullable(given);
  const properties = isOpen ? undefined : (given['properties'] as Record<string, Json> | undefined);
  const items = isOpen ? undefined : (given['items'] as Json | undefined);
  const { additionalProperties: more, type } = given;
  const required = requiredOf(given, properties);
  const isUntyped =
    isNullable(given) || (type === 'array' && items === undefined) || (type === 'object' && keepsAll);
  const { type: _type, properties: _properties, items: _items, required: _required, ...rest } = given;
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([key]) => !onlyInV3.has(key))),
    ...(type !== undefined && !isUntyped && { type }),
    ...(required !== undefined && { required }),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, of]) => [name, plain(of)])),
    }),
    ...(items && { items: plain(items) }),
    ...(typeof more === 'object' && more !== null && { additionalProperties: plain(more as Json) }),
  };
}

/** A reader of v2 would miss a null that is there. */
function requiredOf(given: Json, properties: Record<string, Json> | undefined): unknown {
  const required = given['required'] as readonly string[] | undefined;
  if (isNullable(given['additionalProperties'])) return undefined;
  const left = required?.filter((name) => !isNullable(properties?.[name]));
  return left?.length === 0 ? undefined : left;
}
