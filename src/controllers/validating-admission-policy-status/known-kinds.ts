// The kinds that expressions can be checked against: those that are built in, and custom ones by the schemas of their definitions.
import { ConfigMap, type CustomResourceDefinition, isEstablished } from '../../api/index.ts';
import { type Declare, type JsonSchema, type KindDef, ObjectSchema } from '../../machinery/index.ts';
import type { KnownKind, KnownKinds } from './plan.ts';

const metadataShape = (): ObjectSchema => {
  const shape = ConfigMap.schema.fields.get('metadata')?.schema;
  if (!(shape instanceof ObjectSchema)) throw new Error('a kind has metadata');
  return shape;
};

const builtIn = ({ group, version, kind, schema }: KindDef): KnownKind => ({
  group,
  version,
  kind,
  declare: (types, name) =>
    types.declare(name, { apiVersion: 'string', kind: 'string', ...types.fieldsOfShape(name, schema) }),
});

const custom =
  (schema: JsonSchema): Declare =>
  (types, name) => {
    const { metadata: _, apiVersion: _version, kind: _kind, ...properties } = schema.properties ?? {};
    return types.declare(name, {
      ...types.fieldsOfSchema(name, { ...schema, properties }),
      apiVersion: 'string',
      kind: 'string',
      metadata: types.ofShape(`${name}.metadata`, metadataShape()),
    });
  };

export const knownKinds = (
  kinds: readonly KindDef[],
  definitions: readonly CustomResourceDefinition[],
): KnownKinds => {
  const ofDefinition = (definition: CustomResourceDefinition, version: string): KnownKind | undefined => {
    const found = definition.spec.versions.find((one) => one.name === version && one.served);
    const schema = found?.schema?.openAPIV3Schema as JsonSchema | undefined;
    const { group, names } = definition.spec;
    return schema && { group, version, kind: names.kind, declare: custom(schema) };
  };
  const served = definitions.filter(isEstablished);
  return {
    byResource(group, version, resource) {
      const kind = kinds.find(
        (one) => one.group === group && one.version === version && one.plural === resource,
      );
      if (kind !== undefined) return builtIn(kind);
      const definition = served.find(({ spec }) => spec.group === group && spec.names.plural === resource);
      return definition && ofDefinition(definition, version);
    },
    byKind(apiVersion, name) {
      const kind = kinds.find((one) => one.apiVersion === apiVersion && one.kind === name);
      if (kind !== undefined) return builtIn(kind);
      const [group = '', version = ''] = apiVersion.split('/');
      const definition = served.find(({ spec }) => spec.group === group && spec.names.kind === name);
      return definition && ofDefinition(definition, version);
    },
  };
};
