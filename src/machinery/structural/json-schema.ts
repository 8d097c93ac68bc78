// The schema of a custom resource as its author writes it: OpenAPI v3 with Kubernetes' extensions, as plain data. What follows from it
// (pruning, defaults, validation, fields for apply) are functions over this one form; there is no second, compiled one.

export type Json = Record<string, unknown>;

export interface JsonSchema {
  readonly type?: string | undefined;
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined;
  /** A schema, or true. */
  readonly additionalProperties?: unknown;
  /** A schema. */
  readonly items?: unknown;
  readonly required?: readonly string[] | undefined;
  readonly default?: unknown;
  readonly nullable?: boolean | undefined;
  readonly enum?: readonly unknown[] | undefined;
  readonly format?: string | undefined;
  readonly pattern?: string | undefined;
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: boolean | undefined;
  readonly exclusiveMaximum?: boolean | undefined;
  readonly multipleOf?: number | undefined;
  readonly minItems?: number | undefined;
  readonly maxItems?: number | undefined;
  readonly minProperties?: number | undefined;
  readonly maxProperties?: number | undefined;
  readonly uniqueItems?: boolean | undefined;
  readonly allOf?: readonly JsonSchema[] | undefined;
  readonly anyOf?: readonly JsonSchema[] | undefined;
  readonly oneOf?: readonly JsonSchema[] | undefined;
  readonly not?: JsonSchema | undefined;
  readonly description?: string | undefined;
  readonly 'x-kubernetes-int-or-string'?: boolean | undefined;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean | undefined;
  readonly 'x-kubernetes-embedded-resource'?: boolean | undefined;
  readonly 'x-kubernetes-list-type'?: string | undefined;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[] | undefined;
  readonly 'x-kubernetes-map-type'?: string | undefined;
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[] | undefined;
}

/** A demand on a value, in CEL (machinery/cel). */
export interface ValidationRule {
  readonly rule: string;
  readonly message?: string | undefined;
  readonly messageExpression?: string | undefined;
  readonly reason?: string | undefined;
  readonly fieldPath?: string | undefined;
  readonly optionalOldSelf?: boolean | undefined;
}

export const isMap = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The schema of every item of a list. */
export const itemsOf = (schema: JsonSchema | undefined): JsonSchema | undefined =>
  isMap(schema?.items) ? (schema.items as JsonSchema) : undefined;

/** The schema of every value of a map. */
export const valuesOf = (schema: JsonSchema | undefined): JsonSchema | undefined =>
  isMap(schema?.additionalProperties) ? (schema.additionalProperties as JsonSchema) : undefined;

/** Whether the schema is that of a map: of values of one schema, or of anything. */
export const hasValues = (schema: JsonSchema): boolean =>
  schema.additionalProperties !== undefined && schema.additionalProperties !== false;

export const propertyOf = (schema: JsonSchema | undefined, name: string): JsonSchema | undefined =>
  schema?.properties !== undefined && Object.hasOwn(schema.properties, name)
    ? schema.properties[name]
    : undefined;

export const preserves = (schema: JsonSchema): boolean =>
  schema['x-kubernetes-preserve-unknown-fields'] === true;
