// The storage class that a cluster has from its first second, named as in k3s and in Rancher's local-path-provisioner, so that what was
// written for small clusters finds it.
import {
  defaultClassAnnotation,
  defaultStorageClass,
  directoryProvisioner,
  StorageClass,
} from '../../api/index.ts';
import { type Clock, type Log, type Scope, sleep } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import { isAlreadyExists } from '../../machinery/index.ts';

export const localPathClass = 'local-path';

export interface LocalPathClassOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly scope: Scope;
}

const retryMs = 5_000;

/** Sees to it that there is the class. Nothing waits for that: a webhook that is not up yet may refuse it for a while. */
export function startLocalPathClass({ client, clock, log, scope }: LocalPathClassOptions): void {
  scope.run('default storage class', async (signal) => {
    for (;;) {
      try {
        await ensureLocalPathClass(client);
        return;
      } catch (error) {
        if (signal.aborted) return;
        log.warn('cannot make the default storage class, trying again', { error });
      }
      await sleep(clock, retryMs, signal).catch(() => {});
      if (signal.aborted) return;
    }
  });
}

/** Makes the class when it is missing, as the default unless another is; otherwise it is left as users changed it. */
export async function ensureLocalPathClass(client: Client): Promise<void> {
  const { items } = await client(StorageClass).list();
  if (items.some(({ metadata }) => metadata.name === localPathClass)) return;
  const isDefault = defaultStorageClass(items) === undefined;
  try {
    await client(StorageClass).create({
      metadata: { name: localPathClass, annotations: { [defaultClassAnnotation]: String(isDefault) } },
      provisioner: directoryProvisioner,
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'WaitForFirstConsumer',
      allowVolumeExpansion: true,
    });
  } catch (error) {
    // Another server was faster.
    if (!isAlreadyExists(error)) throw error;
  }
}
