// What the health endpoints check, under the names that kube-apiserver's checks have.
import type { Clock } from '../base/index.ts';
import type { Store } from '../storage/index.ts';
import type { HealthCheck, HealthChecks } from './endpoints/health.ts';

/** As kube-apiserver's --etcd-healthcheck-timeout. */
const storageTimeoutMs = 2000;

export interface Checked {
  readonly store: Store;
  readonly clock: Clock;
  /** The names of the hooks that have not run yet. */
  readonly pending: ReadonlySet<string>;
  readonly draining: () => boolean;
}

/** `pending` holds the names of all hooks when this is called. */
export function healthChecks({ store, clock, pending, draining }: Checked): HealthChecks {
  const alive: HealthCheck[] = [
    { name: 'ping', check: () => undefined },
    // The log is written before a call goes on: who can answer is not held up by it.
    { name: 'log', check: () => undefined },
    // Whatever the store is, those who ask know it by this name.
    { name: 'etcd', check: () => reach(store, clock) },
    ...[...pending].map((name) => ({
      name: `poststarthook/${name}`,
      check: () => (pending.has(name) ? 'not finished' : undefined),
    })),
  ];
  const shutdown = { name: 'shutdown', check: () => (draining() ? 'process is shutting down' : undefined) };
  return { livez: alive, healthz: alive, readyz: [...alive, shutdown] };
}

/** Whether the storage backend answers; undefined = it does. */
function reach(store: Store, clock: Clock): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = clock.after(storageTimeoutMs, () => end('the storage did not answer in time'));
    const end = (problem?: string) => {
      timer.cancel();
      resolve(problem);
    };
    store.catchUp().then(
      () => end(),
      (error: unknown) => end(error instanceof Error ? error.message : String(error)),
    );
  });
}
