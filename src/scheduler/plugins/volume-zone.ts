// VolumeZone: a volume with the labels of a zone or a region is used there.
import {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  storageClassOf,
  waitsForConsumer,
} from '../../api/index.ts';
import { keyOf, semanticEqual } from '../../machinery/index.ts';
import { definePlugin, definePluginFactory, fits, PodRefusal, unresolvable, wakeOn } from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';

const elsewhere = 1;

/** With the names of today for those of before. */
const labels: readonly (readonly [label: string, today: string])[] = [
  ['failure-domain.beta.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['failure-domain.beta.kubernetes.io/region', 'topology.kubernetes.io/region'],
  ['topology.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['topology.kubernetes.io/region', 'topology.kubernetes.io/region'],
];

interface Place {
  readonly label: string;
  readonly today: string;
  readonly values: readonly string[];
}

/** A label may name several zones: `a__b`. One that names none, or an empty one, cannot be read and does not count. */
function placesOf({ metadata }: PersistentVolume): readonly Place[] {
  const out: Place[] = [];
  for (const [label, today] of labels) {
    const values = metadata.labels?.[label]?.split('__').map((value) => value.trim());
    if (values?.every((value) => value !== '')) out.push({ label, today, values });
  }
  return out;
}

const uses = ({ pod, namespace }: PodInfo, claim: PersistentVolumeClaim): boolean =>
  pod.spec.volumes?.some(
    ({ persistentVolumeClaim: one }) => one !== undefined && `${namespace}/${one.claimName}` === keyOf(claim),
  ) ?? false;

export const volumeZone = definePluginFactory<readonly Place[]>({
  name: 'VolumeZone',

  build(context) {
    const claims = context.watch(PersistentVolumeClaim);
    const volumes = context.watch(PersistentVolume);
    const classes = context.watch(StorageClass);

    /** The name of the claim's volume; undefined = it waits for the pod. */
    function volumeOf(claim: PersistentVolumeClaim): string | undefined | PodRefusal {
      if (claim.spec.volumeName) return claim.spec.volumeName;
      const className = storageClassOf(claim);
      if (className === '')
        return new PodRefusal('PersistentVolumeClaim had no pv name and storageClass name');
      const storageClass = classes.get(className);
      if (storageClass === undefined)
        return new PodRefusal(`storageclass.storage.k8s.io ${JSON.stringify(className)} not found`);
      return waitsForConsumer(storageClass) ? undefined : new PodRefusal('PersistentVolume had no name');
    }

    return definePlugin<readonly Place[]>({
      name: 'VolumeZone',
      reasons: ['', unresolvable('node(s) had no available volume zone')],
      wakeOn: [
        wakeOn(StorageClass, 'add', (_, storageClass) => waitsForConsumer(storageClass)),
        wakeOn(Node, 'add'),
        wakeOn(Node, 'update', (_, now, old) => !semanticEqual(now.metadata.labels, old?.metadata.labels)),
        wakeOn(PersistentVolumeClaim, 'add', uses),
        wakeOn(PersistentVolumeClaim, 'update', uses),
        wakeOn(PersistentVolume, 'add'),
        wakeOn(
          PersistentVolume,
          'update',
          (_, now, old) => old === undefined || !semanticEqual(placesOf(now), placesOf(old)),
        ),
      ],

      preFilter({ pod, namespace, claims: used }) {
        if (used === null) return undefined;
        const places: Place[] = [];
        for (const { persistentVolumeClaim } of pod.spec.volumes ?? []) {
          if (persistentVolumeClaim === undefined) continue;
          const { claimName } = persistentVolumeClaim;
          const claim = claims.get(`${namespace}/${claimName}`);
          if (claim === undefined)
            return new PodRefusal(`persistentvolumeclaim ${JSON.stringify(claimName)} not found`);
          const volumeName = volumeOf(claim);
          if (volumeName instanceof PodRefusal) return volumeName;
          if (volumeName === undefined) continue;
          const volume = volumes.get(volumeName);
          if (volume === undefined)
            return new PodRefusal(`persistentvolume ${JSON.stringify(volumeName)} not found`);
          places.push(...placesOf(volume));
        }
        return places.length === 0 ? undefined : places;
      },
      filter(places, node) {
        let placed = false;
        for (const [label] of labels) placed ||= node.labels[label] !== undefined;
        // In a cluster of one zone nodes need not say so.
        if (!placed) return fits;
        for (const { label, today, values } of places) {
          const value = node.labels[label] ?? node.labels[today];
          if (value === undefined || !values.includes(value)) return elsewhere;
        }
        return fits;
      },
    });
  },
});
