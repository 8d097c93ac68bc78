// `import { startServer, startCluster } from 'jotasu'`: what other programs get. A server in their process, a cluster of this machine,
// the typed client, and the kinds; the rest of the program is not for them.
export * from '../api/index.ts';
export type {
  Client,
  DeleteOptions,
  ListQuery,
  ListResult,
  PatchType,
  ResourceClient,
  WatchEvent,
  WatchQuery,
  WatchSink,
  WriteOptions,
} from '../client/index.ts';
export {
  type Draft,
  isAlreadyExists,
  isConflict,
  isNotFound,
  type KindDef,
  type KubeObject,
  StatusError,
} from '../machinery/index.ts';
export {
  type ClusterNode,
  type StartClusterOptions,
  type StartedCluster,
  startCluster,
} from './embedded-cluster.ts';
export { type StartedServer, type StartServerOptions, startServer } from './embedded-server.ts';
export type { ServerOptions } from './server-options.ts';
