// Definitions of what is a single JSON value to OpenAPI, whatever lies behind it.

type Json = Record<string, unknown>;

export const quantityName = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
export const intOrStringName = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';
export const timeName = 'io.k8s.apimachinery.pkg.apis.meta.v1.Time';
export const microTimeName = 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime';
const extensionsPrefix = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.';

/** What OpenAPI 3 can say better: a value of one type or the other. */
const alternatives: Readonly<Record<string, readonly string[]>> = {
  [quantityName]: ['string', 'number'],
  [intOrStringName]: ['integer', 'string'],
};

const definitions: Readonly<Record<string, Json>> = {
  [quantityName]: { type: 'string', description: 'An amount of a resource, such as 500m or 1Gi.' },
  [intOrStringName]: {
    type: 'string',
    format: 'int-or-string',
    description: 'A number, or a name or percentage.',
  },
  [timeName]: { type: 'string', format: 'date-time', description: 'A time in RFC 3339, to the second.' },
  [microTimeName]: {
    type: 'string',
    format: 'date-time',
    description: 'A time in RFC 3339, to the microsecond.',
  },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': { type: 'object', description: 'Any object.' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': {
    type: 'object',
    description: 'A set of fields, as a tree of their names.',
  },
  [`${extensionsPrefix}JSON`]: { description: 'Any JSON value.' },
  [`${extensionsPrefix}JSONSchemaPropsOrArray`]: { description: 'A schema, or a list of schemas.' },
  [`${extensionsPrefix}JSONSchemaPropsOrBool`]: {
    description: 'A schema, or whether anything is allowed at all.',
  },
  [`${extensionsPrefix}JSONSchemaPropsOrStringArray`]: { description: 'A schema, or a list of names.' },
};

/** The definition of that name; throws when there is none, since who asks refers to it. */
export function singleValue(name: string, version: 2 | 3): Json {
  const definition = definitions[name];
  if (definition === undefined) throw new Error(`no definition of ${name}`);
  const types = version === 3 ? alternatives[name] : undefined;
  if (types === undefined) return definition;
  const { type: _, ...rest } = definition;
  return { ...rest, oneOf: types.map((type) => ({ type })) };
}
