// The volumes of one node's pods on disk: made before the first container starts, kept up to date while the pod lives, removed
// after it ended. Directories are laid out as the kubelet does, so that a restarted agent finds them by the pod's uid.
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { coreV1, Pod, SelectableNode } from '../../api/index.ts';
import type { Clock } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import type { Exec } from '../../os/index.ts';
import type { DownwardContext } from '../container/downward.ts';
import type { ObjectLookup } from '../container/environment.ts';
import { type TimeVolume, untimed } from '../metrics/volume-metrics.ts';
import type { PodEvent } from '../pod-events.ts';
import { writeAtomically } from './atomic-writer.ts';
import { Claims } from './claims.ts';
import { ensureEmptyDir } from './empty-dir.ts';
import { ensureHostPath } from './host-path.ts';
import { LocalVolumes } from './local-volume.ts';
import { mountsBelow } from './mount-table.ts';
import { ensureDirectory } from './new-directory.ts';
import { directoryModeFor } from './ownership.ts';
import { volumePayload } from './payload.ts';
import { mountSubPath, type SubPath } from './sub-path.ts';
import type { VolumeDirectories } from './volume-directories.ts';
import { failedMount, VolumeError } from './volume-error.ts';
import {
  claimOfVolume,
  objectKinds,
  planVolume,
  pluginOf,
  type VolumeSource,
  volumeKind,
  volumesInUse,
} from './volume-source.ts';

export { volumeKind };

export interface PodVolumesOptions {
  /** `pods/UID/…` is made below it. */
  readonly stateDir: string;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly client: Client;
  /** A token for a pod's service account; rejects with a VolumeError when it cannot be had. */
  token(pod: Pod, source: coreV1.ServiceAccountTokenProjection): Promise<string>;
  /** This node, as the API shows it; undefined = not seen yet. */
  node(): SelectableNode | undefined;
  /** undefined = this node keeps no directories for volumes */
  readonly directories: VolumeDirectories | undefined;
  readonly event: PodEvent;
  /** Default: nobody counts. */
  readonly time?: TimeVolume | undefined;
}

/** Where a volume lies on the node. */
export interface VolumeAt {
  readonly path: string;
  /** Whatever its mounts say. */
  readonly readOnly: boolean;
}

/** By the name that the volume has in the pod. */
export type VolumePaths = ReadonlyMap<string, VolumeAt>;

export interface VolumeContext {
  readonly objects: ObjectLookup;
  readonly downward: DownwardContext;
}

const escaped = {
  emptyDir: 'kubernetes.io~empty-dir',
  configMap: 'kubernetes.io~configmap',
  secret: 'kubernetes.io~secret',
  downwardAPI: 'kubernetes.io~downward-api',
  projected: 'kubernetes.io~projected',
} as const;

/** The one user a pod's containers all run as, if there is one. */
function commonUser(pod: Pod): number | undefined {
  const users = new Set(
    [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(
      (c) => c.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser,
    ),
  );
  return users.size === 1 ? [...users][0] : undefined;
}

export class PodVolumes {
  readonly #options: PodVolumesOptions;
  readonly #claims: Claims;
  readonly #local: LocalVolumes;
  readonly #time: TimeVolume;
  /** The uids of pods that have all their volumes. */
  readonly #made = new Set<string>();

  constructor(options: PodVolumesOptions) {
    this.#options = options;
    this.#claims = new Claims(options);
    this.#time = options.time ?? untimed;
    this.#local = new LocalVolumes({ ...options, podsDir: path.join(options.stateDir, 'pods') });
  }

  podDir(uid: string): string {
    return path.join(this.#options.stateDir, 'pods', uid);
  }

  /**
   * Sets up every volume the pod's containers use. Idempotent. Rejects with a VolumeError that names the volume; those before it
   * stay as they are.
   */
  async ensure(pod: Pod, context: VolumeContext): Promise<VolumePaths> {
    const paths = new Map<string, VolumeAt>();
    const { mounts, devices } = volumesInUse(pod);
    for (const volume of pod.spec.volumes ?? [])
      if (mounts.has(volume.name) || devices.has(volume.name))
        paths.set(volume.name, await this.#ensureOne(pod, volume, context));
    this.#made.add(pod.metadata.uid);
    return paths;
  }

  /** Whether `ensure` has succeeded for it, and it has kept what was made. */
  isMade(uid: string): boolean {
    return this.#made.has(uid);
  }

  /** By what each volume that the pod's containers use is made; those of which that is not known, or that nobody makes, are left out. */
  plugins(pod: Pod): string[] {
    const { mounts, devices } = volumesInUse(pod);
    return (pod.spec.volumes ?? []).flatMap((volume) => {
      if (!mounts.has(volume.name) && !devices.has(volume.name)) return [];
      try {
        const isClaim = claimOfVolume(pod, volume) !== undefined;
        const source = isClaim ? this.#claims.known(pod.metadata.uid, volume.name) : planVolume(volume);
        return source === undefined ? [] : [pluginOf(source)];
      } catch (error) {
        if (error instanceof VolumeError) return [];
        throw error;
      }
    });
  }

  /** The directory of this node that a pod has through a claim; undefined = it has none, or the kind of volume has no numbers. */
  claimDirectory(pod: Pod, volume: coreV1.Volume): string | undefined {
    const source = this.#claims.known(pod.metadata.uid, volume.name);
    if (source?.how !== 'local' || source.volume.spec.volumeMode === 'Block') return undefined;
    return source.volume.spec.local?.path;
  }

  /** Brings the files of objects up to date. A volume that cannot be made now keeps what it had. */
  async refresh(pod: Pod, context: VolumeContext): Promise<void> {
    const { mounts } = volumesInUse(pod);
    for (const volume of pod.spec.volumes ?? []) {
      // After a restart of the agent nobody else asks for the claims of pods that run.
      if (mounts.has(volume.name)) await this.#findClaim(pod, volume).catch(() => undefined);
      const kind = objectKinds.find((one) => one === volumeKind(volume));
      if (kind === undefined || !mounts.has(volume.name)) continue;
      await this.#ensureFiles(pod, volume, context).catch((error: unknown) => {
        if (!(error instanceof VolumeError)) throw error;
      });
    }
  }

  /** Removes everything of a pod, but nothing of PersistentVolumes. Idempotent. */
  async remove(uid: string): Promise<void> {
    await this.release(uid);
    await fs.rm(this.podDir(uid), { recursive: true, force: true });
  }

  /**
   * Gives back the volumes of a pod of which nothing will run again: disk and memory of its own, and its hold on PersistentVolumes. What
   * its containers said last stays. Idempotent.
   */
  async release(uid: string): Promise<void> {
    this.#claims.forget(uid);
    this.#made.delete(uid);
    const dir = this.podDir(uid);
    const own = ['volumes', 'volume-subpaths'].map((name) => path.join(dir, name));
    if (!(await Promise.all(own.map(isThere))).includes(true)) return;
    let mounts = await mountsBelow(dir);
    const unmount = async (isMine: (at: string) => boolean) => {
      const mine = mounts.filter(isMine);
      mounts = mounts.filter((at) => !mine.includes(at));
      for (const at of mine) await this.#options.exec.run(['umount', '-l', at], { timeoutMs: 20_000 });
    };
    const volumes = path.join(dir, 'volumes');
    // Parts of volumes before the volumes.
    await unmount((at) => !at.startsWith(`${volumes}/`));
    for (const plugin of await namesIn(volumes))
      for (const name of await namesIn(path.join(volumes, plugin)))
        await this.#time({ plugin: plugin.replace('~', '/'), operation: 'volume_unmount' }, async () => {
          const at = path.join(volumes, plugin, name);
          await unmount((mount) => mount === at || mount.startsWith(`${at}/`));
          await fs.rm(at, { recursive: true, force: true });
        });
    await unmount(() => true);
    for (const at of own) await fs.rm(at, { recursive: true, force: true });
  }

  /** Mounts a part of a volume, below the pod's directory. Rejects with a ContainerConfigError. */
  readonly bindSubPath = (request: SubPath): Promise<void> => mountSubPath(request, this.#options.exec);

  /** The uids that have something on disk. */
  async list(): Promise<readonly string[]> {
    return fs.readdir(path.join(this.#options.stateDir, 'pods')).catch(() => []);
  }

  async #ensureOne(pod: Pod, volume: coreV1.Volume, context: VolumeContext): Promise<VolumeAt> {
    let name = volume.name;
    try {
      const claimed = await this.#findClaim(pod, volume, (volumeName) => {
        name = volumeName;
      });
      const source = claimed ?? planVolume(volume);
      return await this.#time({ plugin: pluginOf(source), operation: 'volume_mount' }, () =>
        this.#setUp(pod, { volume, source }, context),
      );
    } catch (error) {
      throw new VolumeError(failedMount(error, { volume: volume.name, source: name }));
    }
  }

  #findClaim(
    pod: Pod,
    volume: coreV1.Volume,
    onName: (volumeName: string) => void = () => {},
  ): Promise<VolumeSource | undefined> {
    const isInUse = (volumeName: string) => isThere(this.#local.markOf(pod.metadata.uid, volumeName));
    return this.#claims.find(pod, volume, { isInUse, onName });
  }

  async #setUp(
    pod: Pod,
    { volume, source }: { volume: coreV1.Volume; source: VolumeSource },
    context: VolumeContext,
  ): Promise<VolumeAt> {
    switch (source.how) {
      case 'objects':
        return { path: await this.#ensureFiles(pod, volume, context), readOnly: true };
      case 'emptyDir': {
        const dir = this.#dirOf(pod, volume, 'emptyDir');
        const { allocatable } = context.downward;
        const { exec } = this.#options;
        await ensureEmptyDir({ pod, emptyDir: source.emptyDir, dir, allocatable, exec });
        return { path: dir, readOnly: false };
      }
      case 'hostPath':
        return { path: await this.#ensureHostPath(pod, source), readOnly: source.readOnly };
      case 'local': {
        const { readOnly } = source;
        return { path: await this.#local.ensure(pod, source.volume, { readOnly }), readOnly };
      }
    }
  }

  async #ensureHostPath(
    pod: Pod,
    { hostPath, volume }: Extract<VolumeSource, { how: 'hostPath' }>,
  ): Promise<string> {
    const found = await ensureHostPath(hostPath);
    if (volume !== undefined) await this.#local.mark(pod.metadata.uid, volume.metadata.name);
    return found;
  }

  #dirOf(pod: Pod, volume: coreV1.Volume, kind: keyof typeof escaped): string {
    return path.join(this.podDir(pod.metadata.uid), 'volumes', escaped[kind], volume.name);
  }

  async #ensureFiles(pod: Pod, volume: coreV1.Volume, context: VolumeContext): Promise<string> {
    const dir = this.#dirOf(pod, volume, volumeKind(volume) as keyof typeof escaped);
    const tokens = new Map<coreV1.ServiceAccountTokenProjection, string>();
    for (const { serviceAccountToken: source } of volume.projected?.sources ?? [])
      if (source !== undefined) tokens.set(source, await this.#options.token(pod, source));
    const fsGroup = pod.spec.securityContext?.fsGroup;
    const payload = volumePayload(volume, {
      ...context,
      token: (source) => tokens.get(source)!,
      tokenUid: commonUser(pod),
      hasGroup: fsGroup !== undefined,
    });
    const mode = fsGroup === undefined ? 0o777 : directoryModeFor(0o777, true);
    await ensureDirectory(dir, { mode, gid: fsGroup });
    await writeAtomically(dir, payload!, { nowMs: this.#options.clock.nowMs(), fsGroup });
    return dir;
  }
}

const namesIn = (directory: string): Promise<readonly string[]> => fs.readdir(directory).catch(() => []);

const isThere = (file: string): Promise<boolean> =>
  fs.access(file).then(
    () => true,
    () => false,
  );
