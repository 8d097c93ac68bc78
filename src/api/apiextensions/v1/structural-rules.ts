// A schema is structural when its types are said outside of the logic of allOf, anyOf, oneOf and not, and that logic speaks only of
// fields that are declared outside of it.
import {
  type FieldAt,
  itemsOf,
  type JsonSchema,
  patternOf,
  semanticEqual,
  valuesOf,
} from '../../../machinery/index.ts';
import type { JSONSchemaProps } from '../../generated/apiextensions-v1.ts';

type Level = 'root' | 'item' | 'field';

export function validateStructure(schema: JSONSchemaProps, field: FieldAt): void {
  validateInvariants(schema, 'root', field);
  validateCompleteness(schema, schema, field);
}

const isIntOrString = (anyOf: readonly JsonSchema[] | undefined): boolean =>
  anyOf !== undefined && semanticEqual(anyOf, [{ type: 'integer' }, { type: 'string' }]);

const emptyType: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

function validateInvariants(schema: JsonSchema, level: Level, field: FieldAt): void {
  const { type = '', properties = {} } = schema;
  const items = itemsOf(schema);
  const values = valuesOf(schema);
  const embedded = schema['x-kubernetes-embedded-resource'] === true;
  const intOrString = schema['x-kubernetes-int-or-string'] === true;
  const preserving = schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (type === 'array' && items === undefined) field.child('items').required('must be specified');
  if (items !== undefined) validateInvariants(items, 'item', field.child('items'));
  for (const [name, property] of Object.entries(properties))
    validateInvariants(property, 'field', field.child('properties').key(name));
  if (schema.additionalProperties !== undefined) {
    const here = field.child('additionalProperties');
    if (level === 'root') here.forbidden('must not be used at the root');
    if (embedded) here.forbidden('must not be used if x-kubernetes-embedded-resource is set');
    if (values !== undefined) validateInvariants(values, 'field', here);
  }
  if (intOrString && preserving)
    field
      .child('x-kubernetes-preserve-unknown-fields')
      .invalid(true, 'must be false if x-kubernetes-int-or-string is true');
  if (intOrString && embedded)
    field
      .child('x-kubernetes-embedded-resource')
      .invalid(true, 'must be false if x-kubernetes-int-or-string is true');
  validateLogic(schema, field, { intOrString: true });
  if (embedded && type !== 'object') {
    const detail = 'must be object if x-kubernetes-embedded-resource is true';
    if (type === '') field.child('type').required(detail);
    else field.child('type').invalid(type, detail);
  } else if (type === '' && !intOrString && !preserving) field.child('type').required(emptyType[level]);
  if (level === 'root' && type !== '' && type !== 'object')
    field.child('type').invalid(type, 'must be object at the root');
  if (level === 'root' || embedded) validateResourceFields(schema, level, field);
  if (embedded && !preserving && Object.keys(properties).length === 0)
    field
      .child('properties')
      .required(
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      );
}

/** What every resource has is not for a schema to say. */
function validateResourceFields({ properties = {} }: JsonSchema, level: Level, field: FieldAt): void {
  for (const [name, type] of [
    ['kind', 'string'],
    ['apiVersion', 'string'],
    ['metadata', 'object'],
  ] as const) {
    const given = properties[name];
    if (given !== undefined && given.type !== type)
      field
        .child('properties')
        .key(name)
        .child('type')
        .invalid(given.type ?? '', `must be ${type}`);
  }
  const { metadata } = properties;
  if (metadata === undefined || level !== 'root') return;
  const { type: _t, default: _d, description: _n, properties: inner = {}, ...rest } = metadata;
  const foreign = Object.keys(inner).some((name) => name !== 'name' && name !== 'generateName');
  if (foreign || Object.values(rest).some((value) => value !== undefined))
    field
      .child('properties')
      .key('metadata')
      .forbidden(
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      );
}

/** `intOrString`: the one place where types may stand inside the logic. */
function validateLogic(schema: JsonSchema, field: FieldAt, { intOrString }: { intOrString: boolean }): void {
  const { anyOf = [], allOf = [], oneOf = [], not, pattern } = schema;
  if (!(intOrString && isIntOrString(anyOf)))
    for (const [i, one] of anyOf.entries()) validateNested(one, field.child('anyOf').index(i));
  for (const [i, one] of allOf.entries()) {
    const first = intOrString && i === 0 && isIntOrString(one.anyOf);
    validateNested(first ? { ...one, anyOf: undefined } : one, field.child('allOf').index(i));
  }
  for (const [i, one] of oneOf.entries()) validateNested(one, field.child('oneOf').index(i));
  if (not !== undefined) validateNested(not, field.child('not'));
  if (pattern !== undefined && pattern !== '' && patternOf(pattern) === null)
    field
      .child('pattern')
      .invalid(
        pattern,
        `must be a valid regular expression, but isn't: error parsing regexp: ${JSON.stringify(pattern)}`,
      );
}

const forbiddenInside: readonly (readonly [keyof JSONSchemaProps & keyof JsonSchema, string])[] = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
];

function validateNested(schema: JsonSchema, field: FieldAt): void {
  validateLogic(schema, field, { intOrString: false });
  const items = itemsOf(schema);
  if (items !== undefined) validateNested(items, field.child('items'));
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    validateNested(property, field.child('properties').key(name));
    if (name === 'metadata')
      field.child('properties').key(name).forbidden('must not be specified in a nested context');
  }
  for (const [name, detail] of forbiddenInside) {
    const given = schema[name];
    if (given !== undefined && given !== false && given !== '') field.child(name).forbidden(detail);
  }
}

/** Every field that the logic speaks of is declared outside of it. */
function validateCompleteness(schema: JsonSchema, declared: JsonSchema | undefined, field: FieldAt): void {
  const logic: [FieldAt, JsonSchema][] = [];
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const)
    for (const [i, one] of (schema[name] ?? []).entries()) logic.push([field.child(name).index(i), one]);
  if (schema.not !== undefined) logic.push([field.child('not'), schema.not]);
  for (const [here, one] of logic) completes(one, declared, { here, root: field });
  if (schema !== declared) return;
  const items = itemsOf(schema);
  if (items !== undefined) validateCompleteness(items, items, field.child('items'));
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    validateCompleteness(property, property, field.child('properties').key(name));
  const values = valuesOf(schema);
  if (values !== undefined) validateCompleteness(values, values, field.child('additionalProperties'));
}

function completes(
  nested: JsonSchema,
  declared: JsonSchema | undefined,
  { here, root }: { here: FieldAt; root: FieldAt },
): void {
  if (declared === undefined) {
    root.required(`because it is defined in ${here.path}`);
    return;
  }
  validateCompleteness(nested, declared, here);
  const items = itemsOf(nested);
  if (items !== undefined)
    completes(items, itemsOf(declared), { here: here.child('items'), root: root.child('items') });
  for (const [name, property] of Object.entries(nested.properties ?? {})) {
    const inner = here.child('properties').key(name);
    const known = declared.properties?.[name] ?? valuesOf(declared);
    if (declared['x-kubernetes-preserve-unknown-fields'] === true && known === undefined) continue;
    completes(property, known, { here: inner, root: root.child('properties').key(name) });
  }
}
