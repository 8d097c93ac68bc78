export * from './backend.ts';
export * from './store.ts';
