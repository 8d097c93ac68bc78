export * from './backend.ts';
export { DirectoryInUse } from './directory-lock.ts';
export { type EtcdBackendOptions, openEtcdBackend } from './etcd/index.ts';
export { compareKeys } from './key-order.ts';
export { openLmdbBackend } from './lmdb.ts';
export { createMemoryBackend } from './memory.ts';
export { createStore, type StoreOptions } from './revision-store.ts';
export * from './store.ts';
export { itemOffset, respliceRevision, spliceRevision, withoutRevision } from './wire.ts';
