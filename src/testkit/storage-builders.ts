// Volumes, claims and classes for tests in one line, as builders.ts has pods and nodes.
import type { coreV1, PersistentVolume, PersistentVolumeClaim, StorageClass } from '../api/index.ts';
import { formatTime, type ObjectMeta } from '../machinery/index.ts';
import { epochMs } from './builders.ts';

type Annotations = Record<string, string>;

const meta = (name: string, given: Partial<ObjectMeta> = {}): ObjectMeta => ({
  name,
  uid: `uid-${name}`,
  resourceVersion: '1',
  creationTimestamp: formatTime(epochMs),
  ...given,
});

export interface VolumeParts {
  readonly meta?: Partial<ObjectMeta>;
  readonly size?: string;
  readonly modes?: readonly string[];
  readonly storageClass?: string;
  readonly policy?: 'Retain' | 'Delete' | 'Recycle';
  readonly phase?: string;
  /** A claim that it is bound to, or the name of one that it is reserved for. */
  readonly claim?: PersistentVolumeClaim | string;
  readonly annotations?: Annotations;
  /** `key=value`: only nodes with that label reach it. */
  readonly nodeLabel?: string;
  readonly spec?: Partial<coreV1.PersistentVolumeSpec>;
}

/** A volume of 1Gi for ReadWriteOnce: Available, or Bound when it has a claim. */
export function buildVolume(name: string, parts: VolumeParts = {}): PersistentVolume {
  const { claim, annotations, nodeLabel, policy = 'Retain', storageClass = '', size = '1Gi' } = parts;
  const [key = '', value = ''] = nodeLabel?.split('=') ?? [];
  const claimRef =
    typeof claim === 'string'
      ? { kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace: 'default', name: claim }
      : claim && {
          kind: 'PersistentVolumeClaim',
          apiVersion: 'v1',
          namespace: claim.metadata.namespace,
          name: claim.metadata.name,
          uid: claim.metadata.uid,
        };
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: meta(name, { ...(annotations !== undefined && { annotations }), ...parts.meta }),
    spec: {
      capacity: { storage: size },
      accessModes: [...(parts.modes ?? ['ReadWriteOnce'])],
      persistentVolumeReclaimPolicy: policy,
      volumeMode: 'Filesystem',
      ...(storageClass !== '' && { storageClassName: storageClass }),
      ...(claimRef !== undefined && { claimRef }),
      ...(nodeLabel !== undefined && {
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'In', values: value.split('|') }] }],
          },
        },
      }),
      hostPath: { path: `/data/${name}` },
      ...parts.spec,
    },
    status: { phase: parts.phase ?? (typeof claim === 'object' ? 'Bound' : 'Available') },
  };
}

export interface ClaimParts {
  readonly meta?: Partial<ObjectMeta>;
  readonly size?: string;
  readonly modes?: readonly string[];
  /** undefined = it says nothing of a class */
  readonly storageClass?: string;
  /** The volume that it names. */
  readonly volume?: string;
  /** The binding has been completed. */
  readonly bound?: boolean;
  readonly annotations?: Annotations;
  readonly spec?: Partial<coreV1.PersistentVolumeClaimSpec>;
}

/** A claim of namespace default for 1Gi, ReadWriteOnce: Pending, or Bound when it is bound. */
export function buildClaim(name: string, parts: ClaimParts = {}): PersistentVolumeClaim {
  const { storageClass, volume, bound = false, size = '1Gi', modes = ['ReadWriteOnce'] } = parts;
  const annotations = {
    ...(bound && { 'pv.kubernetes.io/bind-completed': 'yes', 'pv.kubernetes.io/bound-by-controller': 'yes' }),
    ...parts.annotations,
  };
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: meta(name, {
      namespace: 'default',
      ...(Object.keys(annotations).length > 0 && { annotations }),
      ...parts.meta,
    }),
    spec: {
      accessModes: [...modes],
      resources: { requests: { storage: size } },
      volumeMode: 'Filesystem',
      ...(storageClass !== undefined && { storageClassName: storageClass }),
      ...(volume !== undefined && { volumeName: volume }),
      ...parts.spec,
    },
    status: bound
      ? { phase: 'Bound', accessModes: [...modes], capacity: { storage: size } }
      : { phase: 'Pending' },
  };
}

export interface ClassParts {
  readonly provisioner?: string;
  readonly waits?: boolean;
  readonly isDefault?: boolean;
  readonly more?: Partial<StorageClass>;
}

export const buildClass = (name: string, parts: ClassParts = {}): StorageClass => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: meta(name, {
    ...(parts.isDefault === true && {
      annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
    }),
  }),
  provisioner: parts.provisioner ?? 'kubernetes.io/no-provisioner',
  reclaimPolicy: 'Delete',
  volumeBindingMode: parts.waits === true ? 'WaitForFirstConsumer' : 'Immediate',
  ...parts.more,
});
