// Removes images that nobody uses when the disk they lie on is nearly full, the one that was not used for longest first: the kubelet's
// policy. Deciding is pure; what was seen of an image is remembered from one look to the next, since no runtime tells when it was used.

import type { Clock, Log } from '../../base/index.ts';
import type { EventType } from '../../client/index.ts';
import type { ContainerInfo, ContainerRuntime, ImageInfo } from '../../os/index.ts';
import type { DiskUsage } from '../stats/machine-usage.ts';

export interface ImageGarbagePolicy {
  /** Of the disk, in percent: from here on images are removed. 100 = never. */
  readonly highPercent: number;
  /** Until so much is used. */
  readonly lowPercent: number;
  /** A younger image may have been pulled for a container that is about to start. */
  readonly minAgeMs: number;
}

export const defaultImageGarbage: ImageGarbagePolicy = { highPercent: 85, lowPercent: 80, minAgeMs: 120_000 };

export interface ImageRecord {
  readonly id: string;
  readonly sizeBytes: number;
  /** 0 = it was there before we were. */
  readonly firstSeenMs: number;
  /** 0 = not since we look. */
  readonly lastUsedMs: number;
  readonly inUse: boolean;
}

/** What is known after a look. Pure. */
export function observeImages(
  known: ReadonlyMap<string, ImageRecord>,
  seen: { readonly images: readonly ImageInfo[]; readonly used: (image: ImageInfo) => boolean },
  time: { readonly nowMs: number; readonly firstLook: boolean },
): Map<string, ImageRecord> {
  return new Map(
    seen.images.map((image) => {
      const before = known.get(image.id);
      const inUse = seen.used(image);
      return [
        image.id,
        {
          id: image.id,
          sizeBytes: image.sizeBytes,
          firstSeenMs: before?.firstSeenMs ?? (time.firstLook ? 0 : time.nowMs),
          lastUsedMs: inUse ? time.nowMs : (before?.lastUsedMs ?? 0),
          inUse,
        },
      ];
    }),
  );
}

/** Which images go, in this order, so that `bytes` become free; fewer when there are not enough. Pure. */
export function planImageRemoval(
  records: Iterable<ImageRecord>,
  wanted: { readonly bytes: number; readonly nowMs: number; readonly minAgeMs: number },
): ImageRecord[] {
  const candidates = [...records]
    .filter(({ inUse, firstSeenMs }) => !inUse && wanted.nowMs - firstSeenMs >= wanted.minAgeMs)
    .sort((a, b) => a.lastUsedMs - b.lastUsedMs || a.firstSeenMs - b.firstSeenMs);
  const chosen: ImageRecord[] = [];
  let freed = 0;
  for (const one of candidates) {
    if (freed >= wanted.bytes) break;
    chosen.push(one);
    freed += one.sizeBytes;
  }
  return chosen;
}

/** How many bytes should become free; undefined = the disk is not full. Pure. */
export function bytesToFree(disk: DiskUsage, policy: ImageGarbagePolicy): number | undefined {
  if (policy.highPercent >= 100) return undefined;
  const usedPercent = 100 - Math.trunc((disk.availableBytes * 100) / disk.capacityBytes);
  if (usedPercent < policy.highPercent) return undefined;
  return Math.trunc((disk.capacityBytes * (100 - policy.lowPercent)) / 100) - disk.availableBytes;
}

export interface ImageGarbageOptions {
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly log: Log;
  readonly policy: ImageGarbagePolicy;
  disk(): Promise<DiskUsage | undefined>;
  /** About the node. */
  event(type: EventType, reason: string, message: string): void;
  /** The image is no longer there. */
  removed(image: ImageRecord): void;
}

export class ImageGarbage {
  readonly #options: ImageGarbageOptions;
  #records: ReadonlyMap<string, ImageRecord> = new Map();
  #looked = false;

  constructor(options: ImageGarbageOptions) {
    this.#options = options;
  }

  /** Notes what is used. To be called now and then: an image is as old as it is known. */
  async look(): Promise<void> {
    const { runtime, clock } = this.#options;
    const [images, containers] = await Promise.all([runtime.listImages(), runtime.listContainers()]);
    const used = usedBy(containers);
    this.#records = observeImages(
      this.#records,
      { images, used: (image) => isSandboxImage(image) || used(image) },
      { nowMs: clock.nowMs(), firstLook: !this.#looked },
    );
    this.#looked = true;
  }

  /** Frees the disk when it is too full. Rejects, in the kubelet's words, when that was not possible. */
  async collect(): Promise<void> {
    const { policy, event } = this.#options;
    await this.look();
    if (policy.highPercent >= 100) return;
    const disk = await this.#options.disk();
    if (disk === undefined || disk.capacityBytes === 0) {
      const message = 'invalid capacity 0 on image filesystem';
      event('Warning', 'InvalidDiskCapacity', message);
      throw new Error(message);
    }
    const bytes = bytesToFree(disk, policy);
    if (bytes === undefined) return;
    const freed = await this.#free(bytes);
    if (freed >= bytes) return;
    const message = `Failed to garbage collect required amount of images. Attempted to free ${bytes} bytes, but only found ${freed} bytes eligible to free.`;
    event('Warning', 'FreeDiskSpaceFailed', message);
    throw new Error(message);
  }

  /** All that are not used, whatever the disk says. */
  async collectAll(): Promise<void> {
    await this.look();
    await this.#free(Number.POSITIVE_INFINITY);
  }

  async #free(bytes: number): Promise<number> {
    const { runtime, clock, log, policy, removed } = this.#options;
    const nowMs = clock.nowMs();
    let freed = 0;
    const failures: string[] = [];
    for (const image of planImageRemoval(this.#records.values(), { bytes, nowMs, minAgeMs: policy.minAgeMs }))
      try {
        log.info('removing an image to free space', { image: image.id, bytes: image.sizeBytes });
        await runtime.removeImage(image.id);
        removed(image);
        freed += image.sizeBytes;
      } catch (error) {
        failures.push((error as Error).message);
      }
    if (failures.length > 0)
      throw new Error(
        `wanted to free ${bytes} bytes, but freed ${freed} bytes space with errors in image deletion: ${failures.join(', ')}`,
      );
    return freed;
  }
}

/** What every sandbox is made of: pinned by new runtimes, and elsewhere known by its name, which ends in `pause` everywhere. */
const isSandboxImage = (image: ImageInfo): boolean =>
  image.pinned === true || image.repoTags.some((name) => /[/-]pause(:[^/]*)?$/.test(name));

const namesOf = (image: ImageInfo): string[] => [image.id, ...image.repoTags, ...image.repoDigests];

/** Containers name their image by its id, a tag or a digest, as their runtime likes. */
function usedBy(containers: readonly ContainerInfo[]): (image: ImageInfo) => boolean {
  const names = new Set(containers.flatMap(({ image, imageRef }) => [image, imageRef]));
  return (image) => namesOf(image).some((name) => names.has(name));
}
