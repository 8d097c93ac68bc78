// Which other objects a pod names: what its node must be able to read. After VisitPodSecretNames and VisitPodConfigmapNames of
// Kubernetes, and the edges of its node authorizer's graph. Pure.
import { deviceClaimsOf, type PersistentVolume, type Pod } from '../../api/index.ts';

export type ReferenceKind =
  | 'secrets'
  | 'configmaps'
  | 'persistentvolumeclaims'
  | 'resourceclaims'
  | 'serviceaccounts';

/** `KIND/NAMESPACE/NAME` */
export const referenceKey = (kind: ReferenceKind, namespace: string, name: string): string =>
  `${kind}/${namespace}/${name}`;

interface SecretNaming {
  readonly secretName?: string;
  readonly secretRef?: { readonly name?: string; readonly namespace?: string };
  readonly nodePublishSecretRef?: { readonly name?: string; readonly namespace?: string };
  readonly nodeStageSecretRef?: { readonly name?: string; readonly namespace?: string };
  readonly nodeExpandSecretRef?: { readonly name?: string; readonly namespace?: string };
}

/** Without doubles. */
export function referencesOfPod(pod: Pod): Set<string> {
  const found = new Set<string>();
  const { namespace = '', name: podName } = pod.metadata;
  const note = (kind: ReferenceKind, name: string | undefined) => {
    if (name) found.add(referenceKey(kind, namespace, name));
  };
  const { spec } = pod;
  note('serviceaccounts', spec.serviceAccountName);
  for (const { name } of spec.imagePullSecrets ?? []) note('secrets', name);
  for (const containers of [spec.initContainers, spec.containers, spec.ephemeralContainers])
    for (const { env, envFrom } of containers ?? []) {
      for (const { configMapRef, secretRef } of envFrom ?? []) {
        note('configmaps', configMapRef?.name);
        note('secrets', secretRef?.name);
      }
      for (const { valueFrom } of env ?? []) {
        note('configmaps', valueFrom?.configMapKeyRef?.name);
        note('secrets', valueFrom?.secretKeyRef?.name);
      }
    }
  for (const { name, ...volume } of spec.volumes ?? []) {
    note('configmaps', volume.configMap?.name);
    note('persistentvolumeclaims', volume.persistentVolumeClaim?.claimName);
    if (volume.ephemeral !== undefined) note('persistentvolumeclaims', `${podName}-${name}`);
    for (const source of volume.projected?.sources ?? []) {
      note('configmaps', source.configMap?.name);
      note('secrets', source.secret?.name);
    }
    // Every kind of volume names its secret in one of these fields.
    for (const source of Object.values(volume) as SecretNaming[]) {
      note('secrets', source.secretName);
      note('secrets', source.secretRef?.name);
      note('secrets', source.nodePublishSecretRef?.name);
    }
  }
  for (const key of deviceClaimsOf(pod)) found.add(`resourceclaims/${key}`);
  return found;
}

/** Whether a node that mounts the volume reads this secret. The claim's namespace counts where none is named. */
export function volumeNamesSecret(volume: PersistentVolume, namespace: string, name: string): boolean {
  const { claimRef, ...spec } = volume.spec ?? {};
  const is = (reference: { name?: string; namespace?: string } | undefined): boolean =>
    reference?.name === name && (reference.namespace ?? claimRef?.namespace) === namespace;
  return (Object.values(spec) as unknown[]).some((source) => {
    if (typeof source !== 'object' || source === null) return false;
    const { secretName, secretRef, nodePublishSecretRef, nodeStageSecretRef, nodeExpandSecretRef } =
      source as SecretNaming;
    return (
      is(secretName === undefined ? undefined : { name: secretName }) ||
      is(secretRef) ||
      is(nodePublishSecretRef) ||
      is(nodeStageSecretRef) ||
      is(nodeExpandSecretRef)
    );
  });
}
