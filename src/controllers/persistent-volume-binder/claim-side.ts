// Makes what a claim's plan says. A binding is written in four steps, the volume first; whoever comes after a crash goes on from there.
import {
  betaStorageProvisionerAnnotation,
  findFree,
  findReserved,
  isMeantFor,
  needsOf,
  type PersistentVolume,
  type PersistentVolumeClaim,
  patchToBindVolume,
  type StorageClass,
  storageClassOf,
  storageProvisionerAnnotation,
} from '../../api/index.ts';
import {
  boundStatus,
  type ClaimSurroundings,
  patchToBindClaim,
  planClaim,
  type Saying,
  unboundStatus,
} from './claim-plan.ts';
import type { Provisioning } from './provisioning.ts';
import { claimKey, freeByClass, type Storage, volumesByClaim } from './storage.ts';
import { isBuiltInName, phasePatch } from './volume-plan.ts';

export class ClaimSide {
  readonly #storage: Storage;
  readonly #provisioning: Provisioning;
  /** Volumes that are being written for a claim right now: no other claim picks them meanwhile. */
  readonly #taken = new Map<string, string>();

  constructor(storage: Storage, provisioning: Provisioning) {
    this.#storage = storage;
    this.#provisioning = provisioning;
  }

  async reconcile(claim: PersistentVolumeClaim, signal: AbortSignal): Promise<void> {
    const storage = this.#storage;
    const around = this.#around(claimKey(claim));
    const plan = planClaim(claim, around);
    switch (plan.step) {
      case 'bind':
        return this.#bind(claim, plan.volume, signal);
      case 'wait':
        await storage.patchClaim(claim, unboundStatus(claim, 'Pending'), 'status');
        if (plan.say !== undefined) storage.say(claim, plan.say);
        return;
      case 'lose':
        return this.#lose(claim, around);
      case 'assignClass': {
        const { resourceVersion } = claim.metadata;
        const patch = { metadata: { resourceVersion }, spec: { storageClassName: plan.name } };
        await storage.patchClaim(claim, patch);
        return;
      }
      case 'provision':
        return this.#provision(claim, plan.storageClass, signal);
    }
  }

  #around(key: string): ClaimSurroundings {
    const { volumes } = this.#storage;
    return {
      volume: (name) => volumes.get(name),
      match: (claim, reservedOnly) => {
        const needs = needsOf(claim);
        const reserved = findReserved(needs, volumes.byIndex(volumesByClaim, key));
        if (reserved !== undefined || reservedOnly) return reserved;
        return findFree(needs, volumes.byIndex(freeByClass, needs.storageClass), ({ metadata }) => {
          const by = this.#taken.get(metadata.name);
          return by === undefined || by === key;
        });
      },
      storageClass: (name) => this.#storage.storageClass(name),
      defaultClass: () => this.#storage.defaultClass(),
      waitingPods: () => this.#storage.waitingPods(key),
    };
  }

  async #bind(claim: PersistentVolumeClaim, volume: PersistentVolume, signal: AbortSignal): Promise<void> {
    const { name } = volume.metadata;
    this.#taken.set(name, claimKey(claim));
    try {
      if (!isMeantFor(volume, claim) && !(await this.#isStillThere(claim))) return;
      signal.throwIfAborted();
      await this.#writeBinding(claim, volume, signal);
    } finally {
      this.#taken.delete(name);
    }
  }

  /** A volume that is given to a claim that has gone would count as used, and not be given again. */
  async #isStillThere(claim: PersistentVolumeClaim): Promise<boolean> {
    const live = await this.#storage.readClaim(claimKey(claim));
    return live?.metadata.uid === claim.metadata.uid && live.metadata.deletionTimestamp === undefined;
  }

  async #writeBinding(
    claim: PersistentVolumeClaim,
    volume: PersistentVolume,
    signal: AbortSignal,
  ): Promise<void> {
    const storage = this.#storage;
    const given = await storage.patchVolume(volume, patchToBindVolume(volume, claim));
    signal.throwIfAborted();
    await storage.patchVolume(given, phasePatch(given, 'Bound'), 'status');
    signal.throwIfAborted();
    const named = await storage.patchClaim(claim, patchToBindClaim(claim, given));
    signal.throwIfAborted();
    await storage.patchClaim(named, boundStatus(named, given), 'status');
  }

  /** Caches of claims and volumes are not of one moment: that a volume is gone is believed only to the server. */
  async #lose(claim: PersistentVolumeClaim, around: ClaimSurroundings): Promise<void> {
    if (claim.status?.phase === 'Lost') return;
    const storage = this.#storage;
    const live = await storage.readClaim(claimKey(claim));
    if (live === undefined || live.metadata.uid !== claim.metadata.uid) return;
    const { volumeName } = live.spec;
    const volume = volumeName ? await storage.readVolume(volumeName) : undefined;
    const plan = planClaim(live, { ...around, volume: () => volume });
    if (plan.step !== 'lose') return;
    await storage.patchClaim(live, unboundStatus(live, 'Lost'), 'status');
    storage.say(live, plan.say);
  }

  async #provision(
    claim: PersistentVolumeClaim,
    storageClass: StorageClass | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const storage = this.#storage;
    const fail = (message: string): void =>
      storage.say(claim, { type: 'Warning', reason: 'ProvisioningFailed', message });
    if (storageClass === undefined)
      return fail(`storageclass.storage.k8s.io ${JSON.stringify(storageClassOf(claim))} not found`);
    const { provisioner } = storageClass;
    const ours = this.#provisioning.has(provisioner);
    if (!ours && isBuiltInName(provisioner)) return fail(`no volume plugin matched name: ${provisioner}`);
    const noted = await storage.patchClaim(claim, provisionerPatch(claim, provisioner));
    if (ours) {
      signal.throwIfAborted();
      return this.#provisioning.provision(noted, storageClass, signal);
    }
    storage.say(noted, sayExternal(provisioner));
  }
}

/** Tells provisioners outside whose turn it is; undefined = it is told. */
function provisionerPatch({ metadata }: PersistentVolumeClaim, provisioner: string): object | undefined {
  const names = [storageProvisionerAnnotation, betaStorageProvisionerAnnotation];
  if (names.every((name) => metadata.annotations?.[name] === provisioner)) return undefined;
  const annotations = Object.fromEntries(names.map((name) => [name, provisioner]));
  return { metadata: { resourceVersion: metadata.resourceVersion, annotations } };
}

const sayExternal = (provisioner: string): Saying => ({
  type: 'Normal',
  reason: 'ExternalProvisioning',
  message: `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`,
});
