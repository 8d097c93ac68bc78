export { ApplyConflict, applyConfiguration, type Conflict, describeManager } from './configuration.ts';
export { sharedText } from './created.ts';
export { type FieldSet, type FieldsV1, pathText } from './field-set.ts';
export type { Part } from './fields.ts';
export { type ManagedWrite, type Manager, noteUpdate, sameOwnership, type VersionView } from './managers.ts';
export { typeFaults } from './typed.ts';
