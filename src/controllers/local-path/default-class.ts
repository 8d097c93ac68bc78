// The storage class that a cluster has from its first second, named as in k3s and in Rancher's local-path-provisioner, so that what was
// written for small clusters finds it.
import {
  defaultClassAnnotation,
  defaultStorageClass,
  directoryProvisioner,
  StorageClass,
} from '../../api/index.ts';
import type { Client } from '../../client/index.ts';
import { isAlreadyExists } from '../../machinery/index.ts';

export const localPathClass = 'local-path';

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
