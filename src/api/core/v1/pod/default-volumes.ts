// What kube-apiserver fills into volumes, by source. One entry per source that has defaults.
import type { Volume, VolumeProjection } from '../../../generated/core-v1.ts';
import { defaultPullPolicy } from './image.ts';

const fileMode = 0o644;
const tokenSeconds = 3600;

type Source = Exclude<keyof Volume, 'name'>;

/** By source; volumes of the cluster (PersistentVolume) get the same for the sources they share with pods. */
export const sourceDefaults: { readonly [S in Source]?: (source: NonNullable<Volume[S]>) => void } = {
  azureDisk(source) {
    source.cachingMode ??= 'ReadWrite';
    source.fsType ??= 'ext4';
    source.readOnly ??= false;
    source.kind ??= 'Shared';
  },
  configMap(source) {
    source.defaultMode ??= fileMode;
  },
  downwardAPI(source) {
    source.defaultMode ??= fileMode;
    for (const item of source.items ?? []) defaultFieldRef(item.fieldRef);
  },
  ephemeral(source) {
    if (source.volumeClaimTemplate !== undefined) source.volumeClaimTemplate.spec.volumeMode ??= 'Filesystem';
  },
  hostPath(source) {
    source.type ??= '';
  },
  image(source) {
    source.pullPolicy ||= defaultPullPolicy(source.reference);
  },
  iscsi(source) {
    source.iscsiInterface ||= 'default';
  },
  projected(source) {
    source.defaultMode ??= fileMode;
    for (const projection of source.sources ?? []) defaultProjection(projection);
  },
  rbd(source) {
    source.pool ||= 'rbd';
    source.user ||= 'admin';
    source.keyring ||= '/etc/ceph/keyring';
  },
  scaleIO(source) {
    source.storageMode ||= 'ThinProvisioned';
    source.fsType ||= 'xfs';
  },
  secret(source) {
    source.defaultMode ??= fileMode;
  },
};

/** A volume without any source is an emptyDir. Mutates. */
export function defaultVolume(volume: Volume): void {
  let found = false;
  for (const key in volume) {
    if (key === 'name') continue;
    const source = volume[key as Source];
    if (source === undefined || source === null) continue;
    found = true;
    (sourceDefaults[key as Source] as ((source: unknown) => void) | undefined)?.(source);
  }
  if (!found) volume.emptyDir = {};
}

function defaultProjection(projection: VolumeProjection): void {
  for (const item of projection.downwardAPI?.items ?? []) defaultFieldRef(item.fieldRef);
  if (projection.serviceAccountToken !== undefined)
    projection.serviceAccountToken.expirationSeconds ??= tokenSeconds;
  if (projection.podCertificate !== undefined) projection.podCertificate.maxExpirationSeconds ??= 24 * 3600;
}

/** Downward API paths are read as fields of a v1 pod. */
export function defaultFieldRef(ref: { apiVersion?: string | undefined } | undefined): void {
  if (ref !== undefined) ref.apiVersion ||= 'v1';
}
