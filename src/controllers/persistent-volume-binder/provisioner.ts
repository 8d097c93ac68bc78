// The seam to those who make volumes in this process, by the provisioner that storage classes name. Provisioners outside need no seam:
// they see the annotations of claims and write volumes through the API.
import type { coreV1, Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from '../../api/index.ts';

export interface ProvisionRequest {
  /** The name that the volume gets, made from the claim's uid: the same whenever the same claim is tried again. */
  readonly volumeName: string;
  readonly claim: PersistentVolumeClaim;
  readonly storageClass: StorageClass;
  /** Where it is wanted; undefined = the class does not wait for a consumer. */
  readonly node: Node | undefined;
}

/** What was made: where it is, and what can be said of it. Name, claim, class, policy and annotations are the caller's. */
export interface ProvisionedVolume {
  /** Exactly one kind of source (`hostPath`, `csi` …), with capacity, access modes, and whence it can be reached. */
  readonly spec: Omit<
    coreV1.PersistentVolumeSpec,
    'claimRef' | 'storageClassName' | 'persistentVolumeReclaimPolicy' | 'mountOptions'
  >;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/**
 * Called by the volume controller, for different volumes at once, never twice at once for the same. Both calls must be idempotent: they
 * are repeated, with growing delays, after they have failed and after a crash.
 */
export interface VolumeProvisioner {
  /** As classes name it; without the prefix kubernetes.io/. */
  readonly name: string;
  /** Whether its volumes may have mount options. */
  readonly supportsMountOptions: boolean;
  /** Rejects with the reason, which users are told. A claim that waited for its consumer is then scheduled anew. */
  provision(request: ProvisionRequest, signal: AbortSignal): Promise<ProvisionedVolume>;
  /**
   * Deletes what is behind the volume; resolves too when nothing is there. Rejects with VolumeInUse to be asked again later, and with
   * DeletionUnderWay to be asked again when the volume changes.
   */
  delete(volume: PersistentVolume, signal: AbortSignal): Promise<void>;
  /** Makes what is behind the volume as large as `size`, a quantity; absent = its volumes do not grow. Idempotent. */
  expand?(volume: PersistentVolume, size: string, signal: AbortSignal): Promise<void>;
}

/** The volume cannot be deleted yet: not a failure. */
export class VolumeInUse extends Error {}

/** Somebody else deletes it, and says so by a change of the volume: not a failure. A message is told to users, '' is nothing to tell. */
export class DeletionUnderWay extends Error {}
