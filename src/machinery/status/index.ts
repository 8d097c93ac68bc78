export { at, Causes } from './causes.ts';
export * from './status-error.ts';
