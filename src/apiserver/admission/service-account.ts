// ServiceAccount: a pod that names no account runs as its namespace's default one.
import type { Pod } from '../../api/index.ts';
import type { AdmissionPlugin } from './admission.ts';

export const serviceAccount: AdmissionPlugin = {
  name: 'ServiceAccount',
  mutate({ operation, kind, subresource, object }) {
    if (operation !== 'create' || kind.kind !== 'Pod' || kind.group !== '' || subresource !== '') return;
    const pod = object as Pod;
    // Mirror pods show what a node runs by itself; they have no account.
    if (pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) return;
    // The kind keeps the old name of the field in step.
    pod.spec.serviceAccountName ||= 'default';
  },
};
