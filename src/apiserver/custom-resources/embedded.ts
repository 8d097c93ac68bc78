// Objects inside a custom resource (x-kubernetes-embedded-resource): each has an apiVersion, a kind and metadata of the form that every
// object has, whatever the author's schema says of them.
import { shape } from '../../api/index.ts';
import {
  Causes,
  checkDns1035Label,
  DecodeError,
  decodeObject,
  type FieldAt,
  type JsonSchema,
  nameIsPathSegment,
  validateObjectMeta,
} from '../../machinery/index.ts';

type Json = Record<string, unknown>;
type Meta = Parameters<typeof validateObjectMeta>[0];

const metadataShape = shape('meta.v1.ObjectMeta');
const isMap = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isEmbedded = (schema: JsonSchema): boolean => schema['x-kubernetes-embedded-resource'] === true;

/** Every value below that a schema speaks of, with the way to it. The resource itself is not inside of anything. */
function visit(schema: JsonSchema | undefined, value: unknown, way: Way): void {
  if (schema === undefined) return;
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries())
      visit(schema.items as JsonSchema | undefined, item, way.index(i));
    return;
  }
  if (!isMap(value)) return;
  if (isEmbedded(schema)) way.found(value);
  const { properties, additionalProperties } = schema;
  for (const [key, member] of Object.entries(value)) {
    const property = properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (property !== undefined) visit(property, member, way.child(key));
    else if (isMap(additionalProperties)) visit(additionalProperties as JsonSchema, member, way.key(key));
  }
}

interface Way {
  index(i: number): Way;
  child(name: string): Way;
  key(name: string): Way;
  found(resource: Json): void;
}

/**
 * Gives metadata its form. Mutates `object`; `unknown` collects the paths of the fields that metadata does not have. Throws DecodeError
 * when it has not the form of metadata.
 */
export function settleEmbedded(schema: JsonSchema, object: Json, unknown: string[]): void {
  const at = (path: string): Way => ({
    index: (i) => at(`${path}[${i}]`),
    child: (name) => at(path === '' ? name : `${path}.${name}`),
    key: (name) => at(path === '' ? name : `${path}.${name}`),
    found(resource) {
      if (!isMap(resource['metadata'])) return;
      const below: string[] = [];
      try {
        resource['metadata'] = decodeObject(metadataShape, resource['metadata'], below);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        throw new DecodeError(
          `${path}.metadata: Invalid value: ${JSON.stringify(resource['metadata'])}: ${error.message}`,
        );
      }
      unknown.push(...below.map((name) => `${path}.metadata.${name}`));
    },
  });
  visit(schema, object, at(''));
}

/** Says of each what is not allowed of any object. */
export function validateEmbedded(schema: JsonSchema, object: Json, field: FieldAt): void {
  const at = (here: FieldAt): Way => ({
    index: (i) => at(here.index(i)),
    child: (name) => at(here.child(name)),
    key: (name) => at(here.key(name)),
    found: (resource) => validateResource(resource, here),
  });
  visit(schema, object, at(field));
}

function validateResource(resource: Json, field: FieldAt): void {
  const { apiVersion, kind, metadata } = resource;
  const missing = 'must not be empty';
  const version = field.child('apiVersion');
  if (apiVersion === undefined) version.required(missing);
  else if (typeof apiVersion !== 'string') version.invalid(apiVersion, 'must be a string');
  else if (apiVersion === '') version.invalid(apiVersion, missing);
  else if (apiVersion.split('/').length > 2)
    version.invalid(apiVersion, `unexpected GroupVersion string: ${apiVersion}`);
  const ofKind = field.child('kind');
  if (kind === undefined) ofKind.required(missing);
  else if (typeof kind !== 'string') ofKind.invalid(kind, 'must be a string');
  else if (kind === '') ofKind.invalid(kind, missing);
  else {
    const why = checkDns1035Label(kind.toLowerCase());
    if (why.length > 0)
      ofKind.invalid(kind, `may have mixed case, but should otherwise match: ${why.join(',')}`);
  }
  if (isMap(metadata)) validateMetadata(metadata as unknown as Meta, field);
  else if (metadata !== undefined && metadata !== null)
    field.child('metadata').invalid(metadata, 'must be an object');
}

/** A name is not asked for: a template has none. */
function validateMetadata(given: Meta, field: FieldAt): void {
  const found = new Causes();
  const namespaced = (given.namespace ?? '') !== '';
  validateObjectMeta(
    { ...given, name: given.name || 'unnamed' },
    { namespaced, nameRule: nameIsPathSegment },
    found,
  );
  field.causes.list.push(...found.list.map((cause) => ({ ...cause, field: `${field.path}.${cause.field}` })));
}
