// PersistentVolumes of kind local: directories of this node. The choice: containers get the directory itself, not a second mount of it, so
// that nothing that cleans up after a pod can ever come to lie over somebody's data. Only mount options need a mount of the pod's own.
// `pods/UID/volumes/kubernetes.io~local-volume/NAME` says that the pod has the volume, also after the agent was restarted.
import type { Stats } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { PersistentVolume, Pod } from '../../api/index.ts';
import type { Exec } from '../../os/index.ts';
import type { PodEvent } from '../pod-events.ts';
import { isMountPoint } from './mount-table.ts';
import { ownByGroup } from './ownership.ts';
import type { VolumeDirectories } from './volume-directories.ts';
import { VolumeError } from './volume-error.ts';

export const localVolumeDir = 'kubernetes.io~local-volume';

export interface LocalVolumesOptions {
  /** Where every pod has its directory. */
  readonly podsDir: string;
  readonly exec: Exec;
  /** undefined = this node keeps no directories for volumes */
  readonly directories: VolumeDirectories | undefined;
  readonly event: PodEvent;
}

export class LocalVolumes {
  readonly #options: LocalVolumesOptions;
  /** Two pods that start at once are one after the other with a volume: the first decides whose its files are. */
  readonly #busy = new Map<string, Promise<unknown>>();

  constructor(options: LocalVolumesOptions) {
    this.#options = options;
  }

  markOf(uid: string, volumeName: string): string {
    return path.join(this.#options.podsDir, uid, 'volumes', localVolumeDir, volumeName);
  }

  /** The pod has it from now on, until its directory is removed. */
  async mark(uid: string, volumeName: string): Promise<void> {
    await fs.mkdir(this.markOf(uid, volumeName), { recursive: true, mode: 0o750 });
  }

  /** Resolves to the path to mount. Idempotent. */
  async ensure(pod: Pod, volume: PersistentVolume, options: { readOnly: boolean }): Promise<string> {
    const { name } = volume.metadata;
    const before = this.#busy.get(name) ?? Promise.resolve();
    const mine = before.catch(() => {}).then(() => this.#ensure(pod, volume, options));
    this.#busy.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#busy.get(name) === mine) this.#busy.delete(name);
    }
  }

  async #ensure(pod: Pod, volume: PersistentVolume, { readOnly }: { readOnly: boolean }): Promise<string> {
    const { directories } = this.#options;
    const { name } = volume.metadata;
    const target = volume.spec.local?.path ?? '';
    if (target.split('/').includes('..'))
      throw new VolumeError(`invalid path: ${target} must not contain '..'`);
    if (directories?.keeps(volume) === true) await directories.ensure(volume);
    checkDirectory(target, await fs.stat(target).catch(undefinedIfMissing));
    const mark = this.markOf(pod.metadata.uid, name);
    const options = volume.spec.mountOptions ?? [];
    const had = await exists(mark);
    if (!had) {
      await this.#share(pod, volume, { target, readOnly });
      await this.mark(pod.metadata.uid, name);
    }
    if (options.length === 0) return target;
    if (!(await isMountPoint(mark))) await this.#bind(target, mark, options);
    return mark;
  }

  /** The files become those of the pod's group, unless another pod has them: this one is told when its group is not theirs. */
  async #share(
    pod: Pod,
    { metadata: { name } }: PersistentVolume,
    { target, readOnly }: { target: string; readOnly: boolean },
  ): Promise<void> {
    const { fsGroup, fsGroupChangePolicy } = pod.spec.securityContext ?? {};
    if (fsGroup === undefined) return;
    if (await this.#isOthers(pod.metadata.uid, name)) {
      const { gid } = await fs.stat(target);
      if (gid === fsGroup) return;
      const message = `The requested fsGroup is ${fsGroup}, but the volume ${name} has GID ${gid}. The volume may not be shareable.`;
      this.#options.event(pod, 'Warning', { reason: 'AlreadyMountedVolume', message });
    } else if (!readOnly) {
      const onRootMismatch = fsGroupChangePolicy === 'OnRootMismatch';
      // The path may be a link; links within the volume are left alone.
      await ownByGroup(await fs.realpath(target), { gid: fsGroup, readOnly: false, onRootMismatch });
    }
  }

  async #bind(target: string, mark: string, options: readonly string[]): Promise<void> {
    const { exec } = this.#options;
    await exec.run(['mount', '--bind', target, mark], { timeoutMs: 20_000 });
    try {
      await exec.run(['mount', '-o', ['remount', 'bind', ...options].join(','), mark], { timeoutMs: 20_000 });
    } catch (error) {
      // Without its options it would pass for done.
      await exec.run(['umount', '-l', mark], { timeoutMs: 20_000 });
      throw error;
    }
  }

  /** Whose the files are is not changed under another pod. */
  async #isOthers(uid: string, volumeName: string): Promise<boolean> {
    for (const other of await fs.readdir(this.#options.podsDir).catch(() => []))
      if (other !== uid && (await exists(this.markOf(other, volumeName)))) return true;
    return false;
  }
}

function checkDirectory(target: string, stat: Stats | undefined): void {
  if (stat === undefined)
    throw new VolumeError(
      `path ${JSON.stringify(target)} does not exist`,
      'MountVolume.NewMounter initialization',
    );
  if (stat.isDirectory()) return;
  throw new VolumeError(
    stat.isBlockDevice()
      ? `${target} is a block device, and this node makes no file systems for local volumes`
      : 'only directory and block device are supported',
    'MountVolume.NewMounter initialization',
  );
}

const undefinedIfMissing = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== 'ENOENT') throw error;
};
const exists = (file: string): Promise<boolean> =>
  fs.access(file).then(
    () => true,
    () => false,
  );
