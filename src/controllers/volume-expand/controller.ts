// Volumes that grow: a claim that asks for more than it has gets it from one of our provisioners, or hears that somebody outside is to
// give it.
import { PersistentVolume, PersistentVolumeClaim } from '../../api/index.ts';
import { keyOf } from '../../machinery/index.ts';
import { type Controller, defineController, maps } from '../framework/index.ts';
import type { VolumeProvisioner } from '../persistent-volume-binder/provisioner.ts';
import { grownStatusPatch, planGrowth, volumeSizePatch } from './plan.ts';

export const volumeExpandController = ({
  provisioners,
}: {
  readonly provisioners: readonly VolumeProvisioner[];
}): Controller =>
  defineController({
    // Events come from volume_expand, as Kubernetes'.
    name: 'volume-expand',
    component: 'volume_expand',
    reconciles: PersistentVolumeClaim,
    watches: [
      // A claim may be seen to be bound before its volume is.
      maps(PersistentVolume, ({ spec: { claimRef } }) =>
        claimRef === undefined ? [] : [`${claimRef.namespace}/${claimRef.name}`],
      ),
    ],

    build({ lister, client, event }) {
      const claims = lister(PersistentVolumeClaim);
      const volumes = lister(PersistentVolume);
      const byName = new Map(provisioners.map((one) => [one.name, one]));
      const grows = (name: string) => byName.get(name)?.expand !== undefined;
      /** What a claim was told last, so that it is told once for each size. */
      const told = new Map<string, string>();

      return async function reconcile(key, signal) {
        const claim = claims.get(key);
        if (claim === undefined) {
          told.delete(key);
          return;
        }
        const volume = volumes.get(claim.spec.volumeName ?? '');
        const plan = planGrowth(claim, volume, grows);
        if (plan.step === 'nothing' || volume === undefined) {
          told.delete(key);
          return;
        }
        if (plan.step === 'external') {
          const asked = `${claim.metadata.uid} ${claim.spec.resources?.requests?.['storage']}`;
          if (told.get(key) === asked) return;
          told.set(key, asked);
          const message = 'waiting for an external controller to expand this PVC';
          event(claim, 'Normal', 'ExternalExpanding', message);
          return;
        }
        const { provisioner, size } = plan;
        try {
          await byName.get(provisioner)!.expand!(volume, size, signal);
        } catch (error) {
          if (signal.aborted) throw error;
          const what = `error expanding volume ${JSON.stringify(keyOf(claim))} of plugin ${JSON.stringify(provisioner)}: ${(error as Error).message}`;
          event(claim, 'Warning', 'VolumeResizeFailed', what);
          throw error;
        }
        signal.throwIfAborted();
        const { name } = volume.metadata;
        const larger = volumeSizePatch(volume, size);
        if (larger !== undefined) await client(PersistentVolume).patch({ name }, 'merge', larger);
        signal.throwIfAborted();
        const at = { name: claim.metadata.name, namespace: claim.metadata.namespace, subresource: 'status' };
        await client(PersistentVolumeClaim).patch(at, 'merge', grownStatusPatch(claim, size));
        event(claim, 'Normal', 'VolumeResizeSuccessful', `ExpandVolume succeeded for volume ${keyOf(claim)}`);
      };
    },
  });
