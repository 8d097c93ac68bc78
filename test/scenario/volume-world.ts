// What scenarios of volumes share: a cluster with a provisioner of its own, and short words for what users do.
import {
  type coreV1,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
} from '../../src/api/index.ts';
import { VolumeInUse, type VolumeProvisioner } from '../../src/controllers/index.ts';
import type { Draft, KubeObject } from '../../src/machinery/index.ts';
import {
  buildClaim,
  buildClass,
  buildVolume,
  type ClaimParts,
  type ClassParts,
  ControlPlane,
  type VolumeParts,
} from '../../src/testkit/index.ts';

/** Makes volumes that only their node reaches; deletes them once nobody has them mounted. */
export class LocalProvisioner implements VolumeProvisioner {
  readonly name = 'example.com/local';
  readonly supportsMountOptions = false;
  readonly made = new Map<string, string | undefined>();
  readonly mounted = new Set<string>();
  /** Nodes without room. */
  readonly full = new Set<string>();

  async provision({ volumeName, claim, node }: Parameters<VolumeProvisioner['provision']>[0]) {
    const host = node?.metadata.name;
    if (host !== undefined && this.full.has(host)) throw new Error(`no space left on ${host}`);
    this.made.set(volumeName, host);
    const storage = claim.spec.resources?.requests?.['storage'] ?? '';
    return {
      spec: {
        capacity: { storage },
        accessModes: [...(claim.spec.accessModes ?? [])],
        hostPath: { path: `/made/${volumeName}` },
        ...(host !== undefined && { nodeAffinity: reachedFrom(host) }),
      },
    };
  }

  async delete({ metadata: { name } }: PersistentVolume): Promise<void> {
    if (this.mounted.has(name)) throw new VolumeInUse(`${name} is mounted`);
    this.made.delete(name);
  }
}

const reachedFrom = (host: string): coreV1.VolumeNodeAffinity => ({
  required: {
    nodeSelectorTerms: [
      { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [host] }] },
    ],
  },
});

export function draft<T extends KubeObject>({ metadata, ...rest }: T): Draft<T> {
  const { uid: _, resourceVersion: __, creationTimestamp: ___, ...kept } = metadata;
  return { ...rest, metadata: kept } as unknown as Draft<T>;
}

export const uses = (claimName: string): coreV1.Volume => ({
  name: 'data',
  persistentVolumeClaim: { claimName },
});

/** A cluster without nodes. */
export async function startVolumeWorld() {
  const provisioner = new LocalProvisioner();
  const plane = await ControlPlane.start({ volumeProvisioners: [provisioner] });
  const claim = (name: string) => plane.client(PersistentVolumeClaim).get(name, 'default');
  const volumes = async () => (await plane.client(PersistentVolume).list()).items;
  const addClass = (name: string, parts: ClassParts = {}) =>
    plane.client(StorageClass).create(draft(buildClass(name, parts)));
  return {
    plane,
    provisioner,
    addVolume: (name: string, parts: VolumeParts = {}) =>
      plane.client(PersistentVolume).create(draft(buildVolume(name, parts))),
    addClaim: (name: string, parts: ClaimParts = {}) =>
      plane.client(PersistentVolumeClaim).create(draft(buildClaim(name, parts))),
    addClass,
    /** The class `late`, whose volumes are made where their pod goes. */
    addLate: () => addClass('late', { waits: true, provisioner: provisioner.name }),
    addPod: (name: string, of: coreV1.Volume[]) =>
      plane.client(Pod).create({
        metadata: { name, namespace: 'default' },
        spec: { containers: [{ name: 'c', image: 'i' }], volumes: of },
      }),
    claim,
    volume: (name: string) => plane.client(PersistentVolume).get(name),
    volumes,
    removeClaim: (name: string) => plane.client(PersistentVolumeClaim).delete(name, 'default'),
    isBound: async (name: string) => (await claim(name)).status?.phase === 'Bound',
    nodeOf: async (name: string) => (await plane.client(Pod).get(name, 'default')).spec.nodeName,
    isRunning: async (name: string) =>
      (await plane.client(Pod).get(name, 'default')).status?.phase === 'Running',
    claimIsGone: (name: string) => async () =>
      !(await plane.list(PersistentVolumeClaim)).some(({ metadata }) => metadata.name === name),
    volumeIsGone: (name: string) => async () =>
      !(await volumes()).some(({ metadata }) => metadata.name === name),
    /** The objects of 20 seconds later are those of now. */
    isQuiet: async () => {
      const revisions = async () =>
        [...(await volumes()), ...(await plane.list(PersistentVolumeClaim))]
          .map(({ metadata }) => metadata.resourceVersion)
          .join();
      const before = await revisions();
      await plane.advance(20_000);
      return (await revisions()) === before;
    },
  };
}

export type VolumeWorld = Awaited<ReturnType<typeof startVolumeWorld>>;
