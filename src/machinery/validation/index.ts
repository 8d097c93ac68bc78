export * from './addresses.ts';
export * from './equal.ts';
export * from './field-at.ts';
export * from './label-selector.ts';
export * from './names.ts';
export * from './object-meta.ts';
