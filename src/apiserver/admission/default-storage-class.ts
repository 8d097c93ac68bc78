// DefaultStorageClass: a claim that says nothing of a class gets the default one; of several defaults the newest.
import {
  type PersistentVolumeClaim,
  defaultStorageClass as pickDefault,
  StorageClass,
  saysStorageClass,
} from '../../api/index.ts';
import type { Store } from '../../storage/index.ts';
import { objectOf } from '../registry/objects.ts';
import type { AdmissionPlugin } from './admission.ts';

export function defaultStorageClass(store: Store): AdmissionPlugin {
  return {
    name: 'DefaultStorageClass',
    mutate({ operation, kind, subresource, object }) {
      if (operation !== 'create' || kind.kind !== 'PersistentVolumeClaim' || kind.group !== '') return;
      if (subresource !== '') return;
      const claim = object as PersistentVolumeClaim;
      if (saysStorageClass(claim)) return;
      const all = [...store.list(StorageClass.storagePrefix)].map((entry) => objectOf<StorageClass>(entry));
      const chosen = pickDefault(all);
      if (chosen !== undefined) claim.spec.storageClassName = chosen.metadata.name;
    },
  };
}
