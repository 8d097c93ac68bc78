export { type Client, createClient, type ResourceClient } from './client.ts';
export {
  createEventRecorder,
  type EventRecorder,
  type EventRecorderOptions,
  type EventType,
  noEvents,
  type RecordEvent,
  referenceTo,
} from './events.ts';
export { createHttpsTransport, type HttpsTransportOptions } from './https-transport.ts';
export {
  type ChangeHandlers,
  createInformers,
  type Informer,
  type Informers,
  type InformersOptions,
  type Selection,
  withoutManagedFields,
} from './informer.ts';
export {
  type Connection,
  type ContextEntry,
  KubeconfigError,
  mergeKubeconfig,
  printKubeconfig,
  readKubeconfig,
  removeFromKubeconfig,
} from './kubeconfig.ts';
export {
  checkElectionTiming,
  type ElectionOptions,
  type ElectionTiming,
  ElectionTimingError,
  leaseSpec,
  planLease,
  standForElection,
} from './leader-election.ts';
export { type IndexFunction, type Lister, ObjectCache } from './object-cache.ts';
export { countRequests } from './request-metrics.ts';
export { createServersClient, type ServersClient } from './servers/servers-client.ts';
export * from './transport.ts';
export { WorkQueue, type WorkQueueOptions } from './work-queue.ts';
