export {
  ApplyConflict,
  applyConfiguration,
  describeManager,
  type ManagedWrite,
  noteUpdate,
  pathText,
  sameOwnership,
  sharedText,
  typeFaults,
  type VersionView,
} from './apply/index.ts';
export { type AccessAnswer, type AccessQuestion, Authorizer } from './cel/authorizer.ts';
export { type Declare, DeclaredTypes } from './cel/declared-types.ts';
export {
  type DeviceFacts,
  type DeviceValue,
  deviceSelectorFault,
  SelectableDevice,
  type SelectorFault,
} from './cel/device-selectors.ts';
export {
  CompiledPolicy,
  type Objection,
  type PolicyExpressions,
  type PolicyFacts,
  type PolicyOutcome,
  PolicyRequest,
  policyFaults,
  typeFaults as policyTypeFaults,
} from './cel/policy.ts';
export { conditionFault, RequestConditions, type RequestFacts } from './cel/request-conditions.ts';
export { checkRules, hasRules, validateRules } from './cel/rules.ts';
export { humanDuration, translateTimestampSince } from './codec/age.ts';
export { durationError, formatDuration, parseDuration } from './codec/duration.ts';
export { findDuplicateFields, parseJson } from './codec/json.ts';
export { indentJson } from './codec/json-indent.ts';
export { loadYaml } from './codec/load-yaml.ts';
export type { Parsed } from './codec/parsed.ts';
export { decodeMessage } from './codec/protobuf-decode.ts';
export { encodeMessage } from './codec/protobuf-encode.ts';
export {
  type Envelope,
  envelopeParts,
  messageField,
  readEnvelope,
  watchFrame,
  writeEnvelope,
} from './codec/protobuf-envelope.ts';
export { Message, type MessageSource, Messages } from './codec/protobuf-message.ts';
export { ProtobufError } from './codec/protobuf-wire.ts';
export * from './codec/quantity.ts';
export { canonicalMicroTime, canonicalTime, formatMicroTime, formatTime, parseTime } from './codec/time.ts';
export {
  type Column,
  type Conversion,
  type CustomKind,
  defineKind,
  type HookContext,
  type KindDef,
  type KindInput,
  type ObjectOf,
  type ScalePaths,
  type Scope,
  storageKey,
  type Translation,
  type Verb,
} from './kind/kind.ts';
export * from './meta/object-meta.ts';
export type { DeleteOptions, Preconditions } from './meta/options.ts';
export * from './meta/selectors.ts';
export * from './meta/selectors-of-fields.ts';
export { goText } from './patch/go-text.ts';
export { applyJsonPatch } from './patch/json-patch.ts';
export { applyMergePatch } from './patch/merge-patch.ts';
export type { PatchProblem, PatchResult } from './patch/result.ts';
export { applyStrategicMergePatch } from './patch/strategic.ts';
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
export * from './structural/index.ts';
export * from './validation/index.ts';
