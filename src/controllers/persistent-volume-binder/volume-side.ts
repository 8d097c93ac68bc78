// Makes what a volume's plan says: its phase, and what becomes of it when its claim is gone.
import { claimKeyOf, PersistentVolume, type PersistentVolumeClaim } from '../../api/index.ts';
import { isNotFound } from '../../machinery/index.ts';
import type { ControllerContext } from '../framework/index.ts';
import { finalizersPatch, withoutFinalizer } from '../protection.ts';
import type { Saying } from './claim-plan.ts';
import { DeletionUnderWay, VolumeInUse } from './provisioner.ts';
import type { Provisioning } from './provisioning.ts';
import type { Storage } from './storage.ts';
import {
  deletionFinalizer,
  patchToUnbind,
  phasePatch,
  plannedFinalizers,
  planReclaim,
  planVolume,
} from './volume-plan.ts';

export class VolumeSide {
  readonly #context: ControllerContext;
  readonly #storage: Storage;
  readonly #provisioning: Provisioning;

  constructor(context: ControllerContext, storage: Storage, provisioning: Provisioning) {
    this.#context = context;
    this.#storage = storage;
    this.#provisioning = provisioning;
  }

  async reconcile(seen: PersistentVolume, signal: AbortSignal): Promise<void> {
    const storage = this.#storage;
    const finalizers = plannedFinalizers(seen, this.#provisioning.has);
    const volume = await storage.patchVolume(seen, finalizers && finalizersPatch(seen, finalizers));
    signal.throwIfAborted();
    const claim = storage.claims.get(claimKeyOf(volume) ?? '');
    const plan = planVolume(volume, claim);
    switch (plan.step) {
      case 'phase':
        await storage.patchVolume(volume, phasePatch(volume, plan.phase), 'status');
        return;
      case 'unbind': {
        const free = await storage.patchVolume(volume, patchToUnbind(volume));
        signal.throwIfAborted();
        await storage.patchVolume(free, phasePatch(free, 'Available'), 'status');
        return;
      }
      case 'leave':
        if (plan.say === undefined || claim === undefined) return;
        storage.say(volume, plan.say.volume);
        storage.say(claim, plan.say.claim);
        return;
      case 'release':
        return this.#release(volume, signal);
    }
  }

  async #release(seen: PersistentVolume, signal: AbortSignal): Promise<void> {
    let volume = seen;
    const phase = volume.status?.phase;
    if (phase !== 'Released' && phase !== 'Failed') {
      if (!(await this.#isReleased(volume))) return;
      volume = await this.#storage.patchVolume(volume, phasePatch(volume, 'Released'), 'status');
      signal.throwIfAborted();
    }
    const reclaim = planReclaim(volume, this.#provisioning.has);
    if (reclaim.how === 'fail') await this.#markFailed(volume, reclaim.say);
    if (reclaim.how === 'delete') await this.#delete(volume, reclaim.provisioner, signal);
  }

  /** Asks the server: the claim may not have come into the cache yet. */
  async #isReleased(volume: PersistentVolume): Promise<boolean> {
    const key = claimKeyOf(volume);
    const claim: PersistentVolumeClaim | undefined =
      key === undefined ? undefined : await this.#storage.readClaim(key);
    return planVolume(volume, claim).step === 'release';
  }

  async #delete(seen: PersistentVolume, provisioner: string, signal: AbortSignal): Promise<void> {
    const { name, uid } = seen.metadata;
    const volume = await this.#storage.readVolume(name);
    // What follows cannot be undone, so nothing of it is decided by a cache.
    if (volume === undefined || volume.metadata.uid !== uid || !(await this.#isReleased(volume))) return;
    if (planReclaim(volume, this.#provisioning.has).how !== 'delete') return;
    signal.throwIfAborted();
    try {
      await this.#provisioning.delete(volume, provisioner, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const message = error instanceof Error ? error.message : String(error);
      const waits = error instanceof VolumeInUse || error instanceof DeletionUnderWay;
      if (waits && message !== '')
        this.#storage.say(volume, { type: 'Normal', reason: 'VolumeDelete', message });
      if (error instanceof DeletionUnderWay) return;
      if (!waits) await this.#markFailed(volume, { type: 'Warning', reason: 'VolumeFailedDelete', message });
      throw error;
    }
    signal.throwIfAborted();
    if (volume.metadata.finalizers?.includes(deletionFinalizer)) {
      const left = withoutFinalizer(volume, deletionFinalizer);
      const patched = await this.#storage
        .patchVolume(volume, finalizersPatch(volume, left))
        .catch(undefinedIfNotFound);
      if (patched === undefined) return;
      signal.throwIfAborted();
    }
    await this.#context
      .client(PersistentVolume)
      .delete(name, undefined, { preconditions: { uid } })
      .catch(undefinedIfNotFound);
  }

  /** Said once, when it becomes so. */
  async #markFailed(volume: PersistentVolume, say: Saying): Promise<void> {
    const patch = phasePatch(volume, 'Failed', say.message);
    if (patch === undefined) return;
    await this.#storage.patchVolume(volume, patch, 'status');
    this.#context.event(volume, say.type, say.reason, say.message);
  }
}

const undefinedIfNotFound = (error: unknown): undefined => {
  if (!isNotFound(error)) throw error;
};
