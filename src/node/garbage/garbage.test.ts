import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock, silentLog } from '../../base/index.ts';
import {
  type ContainerState,
  type ContainerStatus,
  FakeRuntime,
  type SandboxStatus,
} from '../../os/index.ts';
import type { DiskUsage } from '../stats/machine-usage.ts';
import { planPodGarbage } from './container-garbage.ts';
import {
  bytesToFree,
  defaultImageGarbage,
  ImageGarbage,
  type ImageRecord,
  observeImages,
  planImageRemoval,
} from './image-garbage.ts';

const disk = (capacityBytes: number, availableBytes: number): DiskUsage => ({
  device: 1,
  capacityBytes,
  availableBytes,
  usedBytes: capacityBytes - availableBytes,
  inodes: 0,
  inodesFree: 0,
});

describe('images', () => {
  it.each([
    [1000, 200, undefined],
    [1000, 160, undefined],
    [1000, 151, 49],
    [1000, 150, 50],
    [1000, 0, 200],
  ])('of %d bytes %d free: frees %j', (capacity, available, bytes) => {
    expect(bytesToFree(disk(capacity, available), defaultImageGarbage)).toBe(bytes);
    expect(
      bytesToFree(disk(capacity, available), { ...defaultImageGarbage, highPercent: 100 }),
    ).toBeUndefined();
  });

  it('removes what is old and unused, least recently used first, and no more than is needed', () => {
    const record = fc.record({
      sizeBytes: fc.integer({ min: 0, max: 9 }),
      firstSeenMs: fc.integer({ min: 0, max: 20 }),
      lastUsedMs: fc.integer({ min: 0, max: 20 }),
      inUse: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(record), fc.integer({ min: 1, max: 40 }), (list, bytes) => {
        const records: ImageRecord[] = list.map((one, i) => ({ id: String(i), ...one }));
        const chosen = planImageRemoval(records, { bytes, nowMs: 20, minAgeMs: 5 });
        expect(chosen.every((one) => !one.inUse && one.firstSeenMs <= 15)).toBe(true);
        const sum = (all: readonly ImageRecord[]) => all.reduce((total, one) => total + one.sizeBytes, 0);
        if (chosen.length > 0) expect(sum(chosen.slice(0, -1))).toBeLessThan(bytes);
        const left = records.filter((one) => !chosen.includes(one) && !one.inUse && one.firstSeenMs <= 15);
        if (sum(chosen) < bytes) expect(left).toEqual([]);
        for (const gone of chosen)
          for (const kept of left) expect(gone.lastUsedMs).toBeLessThanOrEqual(kept.lastUsedMs);
      }),
    );
  });

  it('an image that was there at the first look has no age limit; use is remembered', () => {
    const image = { id: 'a', repoTags: [], repoDigests: [], sizeBytes: 1, uid: undefined, username: '' };
    const look = (known: ReadonlyMap<string, ImageRecord>, nowMs: number, used: boolean) =>
      observeImages(known, { images: [image], used: () => used }, { nowMs, firstLook: nowMs === 1 });
    const first = look(new Map(), 1, false);
    const used = look(first, 2, true);
    expect(first.get('a')).toMatchObject({ firstSeenMs: 0, lastUsedMs: 0 });
    expect(look(used, 3, false).get('a')).toMatchObject({ lastUsedMs: 2, inUse: false });
    expect(look(new Map(), 5, false).get('a')).toMatchObject({ firstSeenMs: 5 });
  });

  it('on a disk that is too full: what nobody uses goes, the sandbox image stays, too little is said', async () => {
    const clock = new FakeClock();
    const runtime = new FakeRuntime({ clock, images: ['registry.k8s.io/pause:3.10', 'old:1', 'older:1'] });
    const events: string[] = [];
    const gone: string[] = [];
    let now = disk(10_000_000, 500_000);
    const garbage = new ImageGarbage({
      runtime,
      clock,
      log: silentLog,
      policy: defaultImageGarbage,
      disk: async () => now,
      event: (type, reason, message) => events.push(`${type} ${reason}: ${message}`),
      removed: ({ id }) => gone.push(id),
    });
    await garbage.collect().catch((error: Error) => gone.push(error.message));
    expect(events).toEqual([]);
    expect(gone).toHaveLength(2);
    expect((await runtime.listImages()).map(({ repoTags }) => repoTags[0])).toEqual([
      'registry.k8s.io/pause:3.10',
    ]);

    // What has come only now may be about to be used.
    runtime.addImage('fresh:1');
    const message =
      'Failed to garbage collect required amount of images. Attempted to free 1900000 bytes, but only found 0 bytes eligible to free.';
    now = disk(10_000_000, 100_000);
    await expect(garbage.collect()).rejects.toThrow(message);
    expect(events).toEqual([`Warning FreeDiskSpaceFailed: ${message}`]);
    await clock.advance(120_000);
    await garbage.collect().catch(() => {});
    expect(gone).toHaveLength(3);
  });
});

describe('dead containers', () => {
  const container = (
    name: string,
    attempt: number,
    state: ContainerState,
    sandboxId = 's0',
  ): ContainerStatus => ({ id: `${name}${attempt}`, name, attempt, state, sandboxId }) as ContainerStatus;
  const sandbox = (id: string, ready: boolean): SandboxStatus => ({ id, ready }) as SandboxStatus;
  const ids = (list: readonly { readonly id: string }[]) => list.map(({ id }) => id).join(' ');

  it.each<[string, Parameters<typeof planPodGarbage>[0], string, string]>([
    [
      'of each container the newest dead one is kept',
      {
        runtime: {
          sandboxes: [sandbox('s0', true)],
          containers: [
            container('a', 3, 'running'),
            container('a', 2, 'exited'),
            container('a', 1, 'exited'),
          ],
        },
        finished: false,
        pressing: false,
      },
      'a1',
      '',
    ],
    [
      'a finished pod keeps its last word, in its last sandbox',
      {
        runtime: {
          sandboxes: [sandbox('s1', false), sandbox('s0', false)],
          containers: [container('a', 1, 'exited', 's1'), container('a', 0, 'exited', 's0')],
        },
        finished: true,
        pressing: false,
      },
      'a0',
      's0',
    ],
    [
      'unless room is needed',
      {
        runtime: { sandboxes: [sandbox('s1', false)], containers: [container('a', 1, 'exited', 's1')] },
        finished: true,
        pressing: true,
      },
      'a1',
      's1',
    ],
    [
      'a sandbox that runs, or holds what is kept, stays',
      {
        runtime: {
          sandboxes: [sandbox('s1', true), sandbox('s0', false)],
          containers: [container('a', 0, 'exited', 's0')],
        },
        finished: false,
        pressing: true,
      },
      '',
      '',
    ],
  ])('%s', (_, input, containers, sandboxes) => {
    const plan = planPodGarbage(input);
    expect([ids(plan.containers), ids(plan.sandboxes)]).toEqual([containers, sandboxes]);
  });
});
