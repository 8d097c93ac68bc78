// The volumes of one node's pods on disk: made before the first container starts, kept up to date while the pod lives, removed
// after it ended. Directories are laid out as the kubelet does, so that a restarted agent finds them by the pod's uid.
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { coreV1, Pod } from '../../api/index.ts';
import type { Clock } from '../../base/index.ts';
import { mustParseQuantity, toValue } from '../../machinery/index.ts';
import type { Exec } from '../../os/index.ts';
import type { DownwardContext } from '../container/downward.ts';
import type { ObjectLookup } from '../container/environment.ts';
import { ownByGroup, writeAtomically } from './atomic-writer.ts';
import { ensureHostPath } from './host-path.ts';
import { VolumeError, volumePayload } from './payload.ts';

export interface PodVolumesOptions {
  /** `pods/UID/…` is made below it. */
  readonly stateDir: string;
  readonly exec: Exec;
  readonly clock: Clock;
  /** A token for a pod's service account; rejects with a VolumeError when it cannot be had. */
  token(pod: Pod, source: coreV1.ServiceAccountTokenProjection): Promise<string>;
}

/** Where each volume lies, by its name. */
export type VolumePaths = ReadonlyMap<string, string>;

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

type Kept = keyof typeof escaped;

/** The kind of a volume: the one member besides its name. No source at all is an emptyDir. */
export function volumeKind(volume: coreV1.Volume): string {
  for (const [key, value] of Object.entries(volume)) if (key !== 'name' && value !== undefined) return key;
  return 'emptyDir';
}

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

  constructor(options: PodVolumesOptions) {
    this.#options = options;
  }

  podDir(uid: string): string {
    return path.join(this.#options.stateDir, 'pods', uid);
  }

  /**
   * Sets up every volume the pod's containers use. Idempotent. Rejects with a VolumeError that names the volume; those before it
   * stay as they are.
   */
  async ensure(pod: Pod, context: VolumeContext): Promise<VolumePaths> {
    const paths = new Map<string, string>();
    for (const volume of pod.spec.volumes ?? []) {
      try {
        paths.set(volume.name, await this.#ensureOne(pod, volume, context));
      } catch (error) {
        throw new VolumeError(
          `MountVolume.SetUp failed for volume "${volume.name}" : ${(error as Error).message}`,
        );
      }
    }
    return paths;
  }

  /** Brings the files of objects up to date. A volume that cannot be made now keeps what it had. */
  async refresh(pod: Pod, context: VolumeContext): Promise<void> {
    for (const volume of pod.spec.volumes ?? []) {
      const kind = volumeKind(volume);
      if (kind === 'emptyDir' || kind === 'hostPath') continue;
      await this.#ensureOne(pod, volume, context).catch((error: unknown) => {
        if (!(error instanceof VolumeError)) throw error;
      });
    }
  }

  /** Removes everything of a pod. Idempotent. */
  async remove(uid: string): Promise<void> {
    const dir = this.podDir(uid);
    await this.#unmountBelow(dir);
    await fs.rm(dir, { recursive: true, force: true });
  }

  /** The uids that have something on disk. */
  async list(): Promise<readonly string[]> {
    return fs.readdir(path.join(this.#options.stateDir, 'pods')).catch(() => []);
  }

  async #ensureOne(pod: Pod, volume: coreV1.Volume, context: VolumeContext): Promise<string> {
    const kind = volumeKind(volume);
    if (kind === 'hostPath') return ensureHostPath(volume.hostPath!);
    if (!(kind in escaped)) throw new VolumeError(`volume kind ${kind} is not supported by this node`);
    const dir = path.join(this.podDir(pod.metadata.uid), 'volumes', escaped[kind as Kept], volume.name);
    if (kind === 'emptyDir') {
      await this.#ensureEmptyDir(pod, volume.emptyDir ?? {}, dir);
      return dir;
    }
    const tokens = new Map<coreV1.ServiceAccountTokenProjection, string>();
    for (const source of volume.projected?.sources ?? [])
      if (source.serviceAccountToken !== undefined)
        tokens.set(source.serviceAccountToken, await this.#options.token(pod, source.serviceAccountToken));
    const payload = volumePayload(volume, {
      ...context,
      token: (source) => tokens.get(source)!,
      tokenUid: commonUser(pod),
    });
    const fsGroup = pod.spec.securityContext?.fsGroup;
    const made = await fs.mkdir(dir, { recursive: true, mode: 0o755 });
    if (made !== undefined) {
      await fs.chmod(dir, 0o777);
      if (fsGroup !== undefined) await ownByGroup(dir, fsGroup);
    }
    await writeAtomically(dir, payload!, { nowMs: this.#options.clock.nowMs(), fsGroup });
    return dir;
  }

  async #ensureEmptyDir(pod: Pod, source: coreV1.EmptyDirVolumeSource, dir: string): Promise<void> {
    const medium = source.medium ?? '';
    if (medium !== '' && medium !== 'Memory')
      throw new VolumeError(`emptyDir medium ${medium} is not supported by this node`);
    const made = await fs.mkdir(dir, { recursive: true, mode: 0o777 });
    if (medium === 'Memory' && !(await isMountPoint(dir))) {
      const limit = source.sizeLimit === undefined ? 0 : toValue(mustParseQuantity(source.sizeLimit));
      const size = limit > 0 ? ['-o', `size=${limit}`] : [];
      await this.#options.exec.run(['mount', '-t', 'tmpfs', ...size, 'tmpfs', dir], { timeoutMs: 20_000 });
    } else if (made === undefined) return;
    await fs.chmod(dir, 0o777);
    const fsGroup = pod.spec.securityContext?.fsGroup;
    if (fsGroup !== undefined) {
      await fs.chown(dir, 0, fsGroup);
      await fs.chmod(dir, 0o2777);
    }
  }

  async #unmountBelow(dir: string): Promise<void> {
    const mounts = await mountPoints();
    // Deepest first.
    for (const at of mounts.filter((m) => m.startsWith(`${dir}/`)).sort((a, b) => b.length - a.length))
      await this.#options.exec.run(['umount', '-l', at], { timeoutMs: 20_000 });
  }
}

async function mountPoints(): Promise<string[]> {
  const text = await fs.readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return text
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .map((at) =>
      at.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
}

const isMountPoint = async (dir: string): Promise<boolean> => (await mountPoints()).includes(dir);
