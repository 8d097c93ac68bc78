// StorageObjectInUseProtection: volumes and claims are made with a finalizer, which their controllers take out once nobody uses
// them: what is deleted meanwhile waits.
import { claimProtectionFinalizer, volumeProtectionFinalizer } from '../../api/index.ts';
import type { AdmissionPlugin } from './admission.ts';

const finalizers: ReadonlyMap<string, string> = new Map([
  ['PersistentVolume', volumeProtectionFinalizer],
  ['PersistentVolumeClaim', claimProtectionFinalizer],
]);

export const storageObjectInUseProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  mutate({ operation, kind, subresource, object }) {
    if (operation !== 'create' || kind.group !== '' || subresource !== '') return;
    const finalizer = finalizers.get(kind.kind);
    if (finalizer === undefined) return;
    const { metadata } = object!;
    if (!metadata.finalizers?.includes(finalizer))
      metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
  },
};
