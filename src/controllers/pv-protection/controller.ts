// Volume protection: a volume that is deleted while a claim has it goes when the claim has gone.
import { volumeProtectionFinalizer as finalizer, PersistentVolume } from '../../api/index.ts';
import { isNotFound } from '../../machinery/index.ts';
import { type Controller, defineController } from '../framework/index.ts';
import { finalizersPatch, planProtection, withFinalizer, withoutFinalizer } from '../protection.ts';

export const pvProtectionController: Controller = defineController({
  name: 'pv-protection',
  reconciles: PersistentVolume,
  concurrency: 4,

  build({ lister, client, log }) {
    const volumes = lister(PersistentVolume);

    return async function reconcile(name) {
      const volume = volumes.get(name);
      if (volume === undefined) return;
      const plan = planProtection(volume, finalizer, () => volume.status?.phase === 'Bound');
      if (plan === 'nothing') return;
      const finalizers =
        plan === 'release' ? withoutFinalizer(volume, finalizer) : withFinalizer(volume, finalizer);
      await client(PersistentVolume)
        .patch({ name }, 'merge', finalizersPatch(volume, finalizers))
        .catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      if (plan === 'release') log.info('volume is unused and may go', { volume: name });
    };
  },
});
