// The rules of the schema of a custom resource: what of OpenAPI may be said, what Kubernetes' extensions demand, and that a schema is
// structural, so that pruning and defaults follow from it without asking what a value is.
import {
  applyDefaults,
  checkRules,
  type FieldAt,
  itemsOf,
  type JsonSchema,
  preserves,
  prunePart,
  semanticEqual,
  validateValue,
  valuesOf,
} from '../../../machinery/index.ts';
import type { JSONSchemaProps } from '../../generated/apiextensions-v1.ts';
import { validateStructure } from './structural-rules.ts';

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const resourceFields = new Set(['apiVersion', 'kind', 'metadata']);

/** Fields that say something about an object without hiding what says something about its status. */
const allowedAtRoot = new Set([
  'description',
  'type',
  'format',
  'title',
  'maximum',
  'exclusiveMaximum',
  'minimum',
  'exclusiveMinimum',
  'maxLength',
  'minLength',
  'pattern',
  'maxItems',
  'minItems',
  'uniqueItems',
  'multipleOf',
  'required',
  'items',
  'properties',
  'externalDocs',
  'example',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-validations',
]);
const allowedShown =
  '[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations]';

export function validateSchema(
  schema: JSONSchemaProps,
  field: FieldAt,
  { statusEnabled }: { statusEnabled: boolean },
): void {
  const before = field.causes.list.length;
  if (statusEnabled) validateRoot(schema, field);
  if (schema.nullable === true) field.child('nullable').forbidden('nullable cannot be true at the root');
  validateNode(schema, field, {
    root: true,
    insideMeta: false,
    noDefaults: undefined,
    uncorrelatable: undefined,
  });
  const inner = field.causes.list.length;
  validateStructure(schema, field);
  if (field.causes.list.length === inner && inner === before) validateDefaults(schema, field);
}

function validateRoot(schema: JSONSchemaProps, field: FieldAt): void {
  if (schema.type !== undefined && schema.type !== 'object')
    field
      .child('type')
      .invalid(
        schema.type,
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
      );
  if (Object.keys(schema).some((name) => !allowedAtRoot.has(name)))
    field.invalidUnshown(
      `only ${allowedShown} fields are allowed at the root of the schema if the status subresource is enabled`,
    );
}

interface Place {
  readonly root: boolean;
  readonly insideMeta: boolean;
  /** Why no default may be here; undefined = one may. */
  readonly noDefaults: string | undefined;
  /** The list on the way here whose items cannot be followed through its changes; undefined = there is none. */
  readonly uncorrelatable: string | undefined;
}

const unsupported = [
  'id',
  'additionalItems',
  'patternProperties',
  'definitions',
  'dependencies',
  '$ref',
] as const;

/** One node and all below it. Parts that are any JSON are nodes as well. */
function validateNode(given: unknown, field: FieldAt, place: Place): void {
  if (typeof given !== 'object' || given === null) return;
  const schema = given as JSONSchemaProps;
  validateWords(schema, field, place);
  const inner: Place = { ...place, root: false };
  const values = valuesOf(schema as JsonSchema);
  if (schema.additionalProperties !== undefined) {
    if (
      Object.keys(schema.properties ?? {}).length > 0 &&
      (schema.additionalProperties === false || values !== undefined)
    )
      field
        .child('additionalProperties')
        .forbidden('additionalProperties and properties are mutual exclusive');
    validateNode(values, field.child('additionalProperties'), {
      ...inner,
      noDefaults: place.insideMeta
        ? 'inside additionalProperties applying to object metadata'
        : inner.noDefaults,
    });
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const meta =
      (place.root || schema['x-kubernetes-embedded-resource'] === true) && resourceFields.has(name);
    validateNode(property, field.child('properties').key(name), {
      root: false,
      insideMeta: place.insideMeta || meta,
      noDefaults: meta && place.root ? `in top-level ${name}` : place.noDefaults,
      uncorrelatable: place.uncorrelatable,
    });
  }
  validateNode(schema.not, field.child('not'), inner);
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const)
    for (const [i, one] of (schema[name] ?? []).entries())
      validateNode(one, field.child(name).index(i), inner);
  if (Array.isArray(schema.items))
    field.child('items').forbidden('items must be a schema object and not an array');
  else {
    const followed = schema['x-kubernetes-list-type'] === 'map';
    const uncorrelatable = place.uncorrelatable ?? (followed ? undefined : field.path);
    validateNode(schema.items, field.child('items'), { ...inner, uncorrelatable });
  }
  validateLists(schema, field);
}

function validateWords(schema: JSONSchemaProps, field: FieldAt, place: Place): void {
  const { type } = schema;
  if (type !== undefined && type !== '' && type !== 'null' && !types.includes(type))
    field.child('type').notSupported(type, types);
  if (type === 'null')
    field.child('type').forbidden('type cannot be set to null, use nullable as an alternative');
  if (schema.default !== undefined && place.noDefaults !== undefined)
    field.child('default').forbidden(`must not be set ${place.noDefaults}`);
  for (const name of unsupported)
    if (schema[name] !== undefined) field.child(name).forbidden(`${name} is not supported`);
  if (place.insideMeta && schema['x-kubernetes-embedded-resource'] === true)
    field.child('x-kubernetes-embedded-resource').forbidden('must not be used inside of resource meta');
  if (schema.uniqueItems === true)
    field
      .child('uniqueItems')
      .forbidden('uniqueItems cannot be set to true since the runtime complexity becomes quadratic');
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    field.child('x-kubernetes-preserve-unknown-fields').invalid(false, 'must be true or undefined');
  checkRules(schema as JsonSchema, field, place);
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType === undefined) return;
  typeMustBe('object', 'x-kubernetes-map-type', schema, field);
  field.child('x-kubernetes-map-type').oneOf(mapType, ['atomic', 'granular']);
}

function typeMustBe(wanted: string, because: string, { type }: JSONSchemaProps, field: FieldAt): void {
  const detail = `must be ${wanted} if ${because} is specified`;
  if (!type) field.child('type').required(detail);
  else if (type !== wanted) field.child('type').invalid(type, detail);
}

function validateLists(schema: JSONSchemaProps, field: FieldAt): void {
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const here = field.child('x-kubernetes-list-type');
  const items = itemsOf(schema as JsonSchema);
  if (listType !== undefined) {
    typeMustBe('array', 'x-kubernetes-list-type', schema, field);
    here.oneOf(listType, ['atomic', 'set', 'map']);
  }
  if (keys.length > 0 && listType !== 'map') {
    const detail = 'must be map if x-kubernetes-list-map-keys is non-empty';
    if (listType === undefined) here.required(detail);
    else here.invalid(listType, detail);
  }
  if ((listType === 'set' || listType === 'map') && items?.nullable === true)
    field
      .child('items', 'nullable')
      .forbidden(`cannot be nullable when x-kubernetes-list-type is ${listType}`);
  if (listType === 'set' && schema.type === 'array' && items !== undefined) validateSetItems(items, field);
  if (listType === 'map') validateMapItems(items, keys, field);
}

function validateSetItems(items: JsonSchema, field: FieldAt): void {
  const detail = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const listType = items['x-kubernetes-list-type'];
  const mapType = items['x-kubernetes-map-type'];
  if (items.type === 'array' && listType !== undefined && listType !== 'atomic')
    field.child('items', 'x-kubernetes-list-type').invalid(listType, detail);
  if (items.type === 'object' && mapType !== 'atomic')
    field.child('items', 'x-kubernetes-map-type').invalid(mapType ?? null, detail);
}

function validateMapItems(items: JsonSchema | undefined, keys: readonly string[], field: FieldAt): void {
  const keysField = field.child('x-kubernetes-list-map-keys');
  if (keys.length === 0) keysField.required('must not be empty if x-kubernetes-list-type is map');
  if (items === undefined) {
    field.child('items').required('must have a schema if x-kubernetes-list-type is map');
    return;
  }
  if (items.type !== 'object') {
    field
      .child('items', 'type')
      .invalid(items.type ?? '', "must be object if parent array's x-kubernetes-list-type is map");
    return;
  }
  for (const [i, key] of keys.entries()) {
    const property = items.properties?.[key];
    const here = field.child('items', 'properties').key(key);
    if (keys.indexOf(key) < i) keysField.invalid(keys, 'must not contain duplicate entries');
    if (property === undefined) {
      keysField.invalid(keys, 'entries must all be names of item properties');
      continue;
    }
    if (property.type === 'array' || property.type === 'object')
      here
        .child('type')
        .invalid(property.type, "must be a scalar type if parent array's x-kubernetes-list-type is map");
    if (!(items.required ?? []).includes(key) && property.default === undefined)
      here
        .child('default')
        .required(
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        );
    if (property.nullable === true)
      here
        .child('nullable')
        .forbidden('this property is in x-kubernetes-list-map-keys, so it cannot be nullable');
  }
}

/** A default must itself be what its field demands. */
function validateDefaults(schema: JsonSchema, field: FieldAt): void {
  if (schema.default !== undefined) {
    const here = field.child('default');
    const pruned = structuredClone(schema.default);
    if (!preserves(schema)) prunePart(schema, pruned, []);
    if (!semanticEqual(pruned, schema.default)) here.invalid(schema.default, 'must not have unknown fields');
    const filled = structuredClone(schema.default);
    applyDefaults(schema, filled);
    validateValue(schema, filled, here);
  }
  const items = itemsOf(schema);
  if (items !== undefined) validateDefaults(items, field.child('items'));
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    validateDefaults(property, field.child('properties').key(name));
}
