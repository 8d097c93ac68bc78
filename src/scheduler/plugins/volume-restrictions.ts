// VolumeRestrictions: some disks can be written by one pod of a node only, and a ReadWriteOncePod claim by one pod of the cluster.
import { type coreV1, Node, PersistentVolumeClaim, Pod } from '../../api/index.ts';
import { keyOf } from '../../machinery/index.ts';
import type { NodeInfo } from '../node-info.ts';
import { definePlugin, definePluginFactory, fits, PodRefusal, wakeOn } from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';

const diskTaken = 1;
const claimTaken = 2;

type Volume = coreV1.Volume;

interface State {
  /** Volumes of kinds that know such limits. */
  readonly disks: readonly Volume[];
  /** The pod's claims (`namespace/name`) that only one pod may use. */
  readonly exclusive: ReadonlySet<string>;
  /** How many uses of them by placed pods there are. */
  users: number;
}

const isDisk = (v: Volume): boolean =>
  v.gcePersistentDisk !== undefined ||
  v.awsElasticBlockStore !== undefined ||
  v.iscsi !== undefined ||
  v.rbd !== undefined;

const bothRead = (a: { readOnly?: boolean | undefined }, b: { readOnly?: boolean | undefined }): boolean =>
  a.readOnly === true && b.readOnly === true;

/** Whether both are the same disk, used in ways that exclude each other. */
function clash(a: Volume, b: Volume): boolean {
  if (a.gcePersistentDisk !== undefined && b.gcePersistentDisk !== undefined)
    return (
      a.gcePersistentDisk.pdName === b.gcePersistentDisk.pdName &&
      !bothRead(a.gcePersistentDisk, b.gcePersistentDisk)
    );
  if (a.awsElasticBlockStore !== undefined && b.awsElasticBlockStore !== undefined)
    return a.awsElasticBlockStore.volumeID === b.awsElasticBlockStore.volumeID;
  if (a.iscsi !== undefined && b.iscsi !== undefined)
    return a.iscsi.iqn === b.iscsi.iqn && !bothRead(a.iscsi, b.iscsi);
  if (a.rbd !== undefined && b.rbd !== undefined) {
    const { monitors, pool, image } = b.rbd;
    return (
      a.rbd.pool === pool &&
      a.rbd.image === image &&
      a.rbd.monitors.some((monitor) => monitors.includes(monitor)) &&
      !bothRead(a.rbd, b.rbd)
    );
  }
  return false;
}

function clashes(disks: readonly Volume[], { pod }: PodInfo): boolean {
  for (const other of pod.spec.volumes ?? [])
    if (isDisk(other)) for (const disk of disks) if (clash(disk, other)) return true;
  return false;
}

function hasClash(disks: readonly Volume[], node: NodeInfo): boolean {
  for (const pod of node.pods.values()) if (clashes(disks, pod)) return true;
  return false;
}

function usesOf({ exclusive }: State, { claims }: PodInfo): number {
  let uses = 0;
  for (const claim of claims ?? []) if (exclusive.has(claim)) uses++;
  return uses;
}

/** The end of that pod frees a disk, or a claim that may be for one pod only. */
function frees(waiting: PodInfo, pod: Pod): boolean {
  if (pod.metadata.namespace !== waiting.namespace) return false;
  const ended = pod.spec.volumes ?? [];
  const disks = (waiting.pod.spec.volumes ?? []).filter(isDisk);
  return ended.some(
    (volume) =>
      disks.some((disk) => clash(disk, volume)) ||
      (volume.persistentVolumeClaim !== undefined &&
        waiting.claims?.includes(`${waiting.namespace}/${volume.persistentVolumeClaim.claimName}`) === true),
  );
}

export const volumeRestrictions = definePluginFactory<State>({
  name: 'VolumeRestrictions',

  build(context) {
    const claims = context.watch(PersistentVolumeClaim);
    return definePlugin<State>({
      name: 'VolumeRestrictions',
      reasons: [
        '',
        'node(s) had no available disk',
        'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode',
      ],
      wakeOn: [
        wakeOn(Pod, 'delete', frees),
        wakeOn(Node, 'add'),
        wakeOn(
          PersistentVolumeClaim,
          'add',
          (waiting, claim) => waiting.claims?.includes(keyOf(claim)) ?? false,
        ),
      ],

      preFilter({ pod, namespace, claims: used }) {
        const { volumes } = pod.spec;
        if (volumes === undefined || (used === null && !volumes.some(isDisk))) return undefined;
        const exclusive = new Set<string>();
        for (const { persistentVolumeClaim } of volumes) {
          if (persistentVolumeClaim === undefined) continue;
          const { claimName } = persistentVolumeClaim;
          const key = `${namespace}/${claimName}`;
          const claim = claims.get(key);
          if (claim === undefined)
            return new PodRefusal(`persistentvolumeclaim ${JSON.stringify(claimName)} not found`);
          if (claim.spec.accessModes?.includes('ReadWriteOncePod')) exclusive.add(key);
        }
        const disks = volumes.filter(isDisk);
        let users = 0;
        for (const key of exclusive) users += context.cluster.claims.get(key) ?? 0;
        return disks.length === 0 && users === 0 ? undefined : { disks, exclusive, users };
      },
      filter({ disks, users }, node) {
        if (disks.length > 0 && hasClash(disks, node)) return diskTaken;
        return users > 0 ? claimTaken : fits;
      },
      addPod(state, pod) {
        state.users += usesOf(state, pod);
      },
      removePod(state, pod) {
        state.users -= usesOf(state, pod);
      },
    });
  },
});
