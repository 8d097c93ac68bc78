export { applyDefaults, hasDefaults } from './defaults.ts';
export { type JsonPath, parseJsonPath } from './json-path.ts';
export { itemsOf, type JsonSchema, preserves, propertyOf, valuesOf } from './json-schema.ts';
export { prune, prunePart } from './prune.ts';
export { resourceShape } from './shape.ts';
export { patternOf, validateValue } from './validate.ts';
