// PersistentVolumeClaimResize: a claim grows only when it is bound and its class says that its volumes can. That it does not shrink
// is a rule of the kind.
import {
  compareQuantities,
  type PersistentVolumeClaim,
  StorageClass,
  storageClassOf,
} from '../../api/index.ts';
import { forbidden } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { refOf } from '../registry/core.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import type { AdmissionPlugin } from './admission.ts';

export function claimResize(store: Store): AdmissionPlugin {
  const canGrow = (claim: PersistentVolumeClaim, before: PersistentVolumeClaim): boolean => {
    const name = storageClassOf(claim);
    if (name === '' || name !== storageClassOf(before)) return false;
    const entry = store.get(keyFor(StorageClass, undefined, name));
    return entry !== undefined && objectOf<StorageClass>(entry).allowVolumeExpansion === true;
  };
  const sizeOf = ({ spec }: PersistentVolumeClaim) => spec.resources?.requests?.['storage'] ?? '0';
  return {
    name: 'PersistentVolumeClaimResize',
    validate({ operation, kind, subresource, object, old, name }) {
      if (operation !== 'update' || kind.kind !== 'PersistentVolumeClaim' || kind.group !== '') return;
      if (subresource !== '') return;
      const [claim, before] = [object as PersistentVolumeClaim, old as PersistentVolumeClaim];
      if (compareQuantities(sizeOf(claim), sizeOf(before)) <= 0) return;
      if (before.status?.phase !== 'Bound')
        throw forbidden(refOf(kind), name, 'Only bound persistent volume claims can be expanded');
      if (!canGrow(claim, before))
        throw forbidden(
          refOf(kind),
          name,
          'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
        );
    },
  };
}
