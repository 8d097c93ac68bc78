export { FieldSet, type FieldsV1, fromFieldsV1, paths, pathText, toFieldsV1 } from './field-set.ts';
export {
  ApplyConflict,
  applyConfiguration,
  type Conflict,
  conflictText,
  describeManager,
  type ManagedWrite,
  type Manager,
  noteUpdate,
} from './managers.ts';
