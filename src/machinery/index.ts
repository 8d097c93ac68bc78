export {
  type Column,
  type Conversion,
  defineKind,
  type HookContext,
  type KindDef,
  type KindInput,
  type ObjectOf,
  type ScalePaths,
  type Scope,
  storageKey,
  type Verb,
} from './kind/kind.ts';
export * from './meta/object-meta.ts';
export type { DeleteOptions, Preconditions } from './meta/options.ts';
export { DecodeError, decodeObject, emptyObject } from './schema/decode.ts';
export {
  type Emit,
  type Field,
  field,
  type ListSchema,
  type MapSchema,
  ObjectSchema,
  type ScalarSchema,
  type ScalarType,
  type Schema,
  scalar,
} from './schema/schema.ts';
export * from './status/index.ts';
export * from './validation/index.ts';
