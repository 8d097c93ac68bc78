// A schema of a custom resource as the records that everything else walks: who owns which field follows from it.
import { type Field, field, ObjectSchema, type Schema, scalar } from '../schema/schema.ts';
import { hasValues, itemsOf, type JsonSchema, preserves, valuesOf } from './json-schema.ts';

const any = scalar('any');
const scalars: Readonly<Record<string, Schema>> = {
  string: scalar('string'),
  boolean: scalar('bool'),
  number: scalar('double'),
  integer: scalar('int64'),
};

/** The shape of a whole resource: its own fields, and what every resource has. */
export function resourceShape(name: string, schema: JsonSchema, metadata: ObjectSchema): ObjectSchema {
  return new ObjectSchema(
    name,
    () => {
      const fields = fieldsOf(schema, name);
      fields.set('apiVersion', field('apiVersion', scalar('string')));
      fields.set('kind', field('kind', scalar('string')));
      fields.set('metadata', field('metadata', metadata, { emit: 'always' }));
      return fields;
    },
    preserves(schema),
  );
}

function fieldsOf(schema: JsonSchema, name: string): Map<string, Field> {
  const required = new Set(schema.required ?? []);
  return new Map(
    Object.entries(schema.properties ?? {}).map(([key, property]) => [
      key,
      field(key, shapeOf(property, `${name}.${key}`), {
        required: required.has(key),
        emit: 'present',
        atomic: property['x-kubernetes-map-type'] === 'atomic',
      }),
    ]),
  );
}

function shapeOf(schema: JsonSchema, name: string): Schema {
  if (schema['x-kubernetes-int-or-string'] === true) return scalar('intOrString');
  if (schema.type === 'array') return listOf(schema, name);
  if (schema.type === 'object' || schema.properties !== undefined) {
    if (hasValues(schema) && schema.properties === undefined) {
      const values = valuesOf(schema);
      return { type: 'map', values: values === undefined ? any : shapeOf(values, name) };
    }
    return new ObjectSchema(name, () => fieldsOf(schema, name), preserves(schema));
  }
  // Whatever it is, it is declared to be kept: its members are owned one by one.
  if (schema.type === undefined && preserves(schema)) return new ObjectSchema(name, () => new Map(), true);
  return scalars[schema.type ?? ''] ?? any;
}

function listOf(schema: JsonSchema, name: string): Schema {
  const items = itemsOf(schema);
  const type = schema['x-kubernetes-list-type'];
  return {
    type: 'list',
    items: items === undefined ? any : shapeOf(items, name),
    listType: type === 'set' || type === 'map' ? type : 'atomic',
    mapKeys: schema['x-kubernetes-list-map-keys'] ?? [],
    itemsAtomic: items?.['x-kubernetes-map-type'] === 'atomic',
  };
}
