// etcd as a backend. Loaded only when it is asked for: gRPC and the messages cost 50 ms of start-up.
import type { NotedBackend } from '../backend.ts';
import type { EtcdBackendOptions } from './etcd-backend.ts';

export type { EtcdBackendOptions } from './etcd-backend.ts';

/** Connects, and waits until etcd answers. Rejects with BackendUnavailable when it does not in time. */
export async function openEtcdBackend(options: EtcdBackendOptions): Promise<NotedBackend> {
  const etcd = await import('./etcd-backend.ts');
  return etcd.openEtcdBackend(options);
}
