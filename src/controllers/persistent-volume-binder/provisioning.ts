// Volumes that are made and deleted in this process: what a provisioner answers becomes a volume of the API, already given to its claim.
import {
  boundByControllerAnnotation,
  Node,
  PersistentVolume,
  type PersistentVolumeClaim,
  provisionedByAnnotation,
  referenceToClaim,
  type StorageClass,
  selectedNodeAnnotation,
} from '../../api/index.ts';
import { type Draft, isAlreadyExists, isNotFound } from '../../machinery/index.ts';
import type { ControllerContext } from '../framework/index.ts';
import type { ProvisionedVolume, VolumeProvisioner } from './provisioner.ts';
import { claimKey, type Storage } from './storage.ts';
import { deletionFinalizer } from './volume-plan.ts';

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class Provisioning {
  readonly #context: ControllerContext;
  readonly #storage: Storage;
  readonly #byName: ReadonlyMap<string, VolumeProvisioner>;

  constructor(context: ControllerContext, storage: Storage, provisioners: readonly VolumeProvisioner[]) {
    this.#context = context;
    this.#storage = storage;
    this.#byName = new Map(provisioners.map((one) => [one.name, one]));
  }

  readonly has = (name: string): boolean => this.#byName.has(name);

  /** Rejects to be tried again later; users have been told why. */
  async provision(
    claim: PersistentVolumeClaim,
    storageClass: StorageClass,
    signal: AbortSignal,
  ): Promise<void> {
    const provisioner = this.#byName.get(storageClass.provisioner);
    if (provisioner === undefined) throw new Error(`there is no provisioner ${storageClass.provisioner}`);
    const refusal = refusalOf(claim, storageClass, provisioner);
    if (refusal !== undefined) return this.#fail(claim, refusal);
    const volumeName = `pvc-${claim.metadata.uid}`;
    const nodeName = claim.metadata.annotations?.[selectedNodeAnnotation];
    let node: Node | undefined;
    if (nodeName !== undefined) {
      try {
        node = await this.#context.client(Node).get(nodeName);
      } catch (error) {
        this.#fail(claim, `Failed to get target node: ${textOf(error)}`);
        // The scheduler finds another.
        if (isNotFound(error)) return this.#letSchedule(claim);
        throw error;
      }
    }
    let made: ProvisionedVolume;
    try {
      made = await provisioner.provision({ volumeName, claim, storageClass, node }, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const { name } = storageClass.metadata;
      this.#fail(
        claim,
        `Failed to provision volume with StorageClass ${JSON.stringify(name)}: ${textOf(error)}`,
      );
      if (nodeName !== undefined) return this.#letSchedule(claim);
      throw error;
    }
    signal.throwIfAborted();
    await this.#create(provisioner, volumeOf(claim, storageClass, { ...made, volumeName }), {
      claim,
      signal,
    });
  }

  /** Deletes what is behind the volume. Rejects as the provisioner does. */
  async delete(volume: PersistentVolume, provisioner: string, signal: AbortSignal): Promise<void> {
    await this.#byName.get(provisioner)?.delete(volume, signal);
  }

  async #create(
    provisioner: VolumeProvisioner,
    draft: Draft<PersistentVolume>,
    { claim, signal }: { claim: PersistentVolumeClaim; signal: AbortSignal },
  ): Promise<void> {
    const { name = '' } = draft.metadata;
    try {
      this.#storage.volumes.note(await this.#context.client(PersistentVolume).create(draft));
    } catch (error) {
      if (isAlreadyExists(error)) return;
      // The answer may have been lost, and the volume be there.
      if ((await this.#storage.readVolume(name)) === undefined)
        await this.#cleanUp(provisioner, draft, { claim, signal, why: textOf(error) });
      throw error;
    }
    this.#storage.say(claim, {
      type: 'Normal',
      reason: 'ProvisioningSucceeded',
      message: `Successfully provisioned volume ${name} using ${provisioner.name}`,
    });
  }

  /** Nobody would know of what was made. */
  async #cleanUp(
    provisioner: VolumeProvisioner,
    draft: Draft<PersistentVolume>,
    { claim, signal, why }: { claim: PersistentVolumeClaim; signal: AbortSignal; why: string },
  ): Promise<void> {
    const key = claimKey(claim);
    this.#fail(claim, `Error creating provisioned PV object for claim ${key}: ${why}. Deleting the volume.`);
    try {
      await provisioner.delete(draft as PersistentVolume, signal);
    } catch (error) {
      this.#storage.say(claim, {
        type: 'Warning',
        reason: 'ProvisioningCleanupFailed',
        message: `Error cleaning provisioned volume for claim ${key}: ${textOf(error)}. Please delete manually.`,
      });
    }
  }

  /** The scheduler sees that its node would not do. */
  async #letSchedule(claim: PersistentVolumeClaim): Promise<void> {
    const { resourceVersion } = claim.metadata;
    const annotations = { [selectedNodeAnnotation]: null };
    await this.#storage.patchClaim(claim, { metadata: { resourceVersion, annotations } });
  }

  #fail(claim: PersistentVolumeClaim, message: string): void {
    this.#storage.say(claim, { type: 'Warning', reason: 'ProvisioningFailed', message });
  }
}

/** What no volume of ours can have. */
function refusalOf(
  { spec }: PersistentVolumeClaim,
  { metadata, mountOptions = [] }: StorageClass,
  { name, supportsMountOptions }: VolumeProvisioner,
): string | undefined {
  const onlyCsi = (what: string) =>
    `plugin ${JSON.stringify(name)} is not a CSI plugin. Only CSI plugin can provision a claim with a ${what}`;
  if (spec.dataSource !== undefined || spec.dataSourceRef !== undefined) return onlyCsi('datasource');
  if (spec.volumeAttributesClassName) return onlyCsi('volumeAttributesClass');
  if (!supportsMountOptions && mountOptions.length > 0)
    return `Mount options are not supported by the provisioner but StorageClass ${JSON.stringify(metadata.name)} has mount options [${mountOptions.join(' ')}]`;
  return undefined;
}

function volumeOf(
  claim: PersistentVolumeClaim,
  { metadata, provisioner, reclaimPolicy = 'Delete', mountOptions }: StorageClass,
  { spec, labels, volumeName }: ProvisionedVolume & { volumeName: string },
): Draft<PersistentVolume> {
  return {
    metadata: {
      name: volumeName,
      ...(labels !== undefined && { labels: { ...labels } }),
      annotations: { [boundByControllerAnnotation]: 'yes', [provisionedByAnnotation]: provisioner },
      ...(reclaimPolicy === 'Delete' && { finalizers: [deletionFinalizer] }),
    },
    spec: {
      ...spec,
      claimRef: referenceToClaim(claim),
      storageClassName: metadata.name,
      persistentVolumeReclaimPolicy: reclaimPolicy,
      ...(mountOptions !== undefined && { mountOptions }),
    },
  };
}
