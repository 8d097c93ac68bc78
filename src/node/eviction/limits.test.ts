import { describe, expect, it } from 'vitest';
import type { Pod } from '../../api/index.ts';
import { buildPod } from '../../testkit/index.ts';
import { evictionMessage } from './eviction-message.ts';
import { exceededStorage, hasStorageLimits } from './local-storage.ts';
import type { PodUse } from './pod-usage.ts';
import { refuseUnderPressure } from './pressure-admission.ts';
import type { Signal } from './signals.ts';

const Mi = 1 << 20;

interface Sizes {
  readonly root?: number;
  readonly logs?: number;
  readonly volumes?: Readonly<Record<string, number>>;
}

const use = ({ root = 0, logs = 0, volumes = {} }: Sizes): PodUse => ({
  memoryBytes: 0,
  processes: 0,
  containers: [
    { name: 'c', memoryBytes: 30 * Mi, root: { bytes: root, inodes: 0 }, logs: { bytes: logs, inodes: 0 } },
  ],
  volumes: new Map(Object.entries(volumes).map(([name, bytes]) => [name, { bytes, inodes: 0 }])),
});

const limited = (limit: string | undefined, spec: Partial<Pod['spec']> = {}): Pod =>
  buildPod('p', {
    spec: {
      containers: [
        {
          name: 'c',
          image: 'i',
          ...(limit !== undefined && { resources: { limits: { 'ephemeral-storage': limit } } }),
        },
      ],
      ...spec,
    },
  });

describe('exceededStorage', () => {
  const scratch = { volumes: [{ name: 'v', emptyDir: { sizeLimit: '5Mi' } }] };
  const memory = { volumes: [{ name: 'v', emptyDir: { medium: 'Memory' } }] };
  const larger = { name: 'i', image: 'i', resources: { limits: { 'ephemeral-storage': '90Mi' } } };
  it.each<[string, Pod, Sizes, string | undefined]>([
    ['no limits', limited(undefined), { root: 999 * Mi }, undefined],
    ['a volume within its limit', limited(undefined, scratch), { volumes: { v: 5 * Mi } }, undefined],
    [
      'a volume beyond it',
      limited(undefined, scratch),
      { volumes: { v: 5 * Mi + 1 } },
      'Usage of EmptyDir volume "v" exceeds the limit "5Mi". ',
    ],
    [
      'everything of the pod together',
      limited('10Mi', { volumes: [{ name: 'v', emptyDir: {} }] }),
      { root: 5 * Mi, logs: 3 * Mi, volumes: { v: 3 * Mi } },
      'Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ',
    ],
    ['what is in memory does not count', limited('10Mi', memory), { volumes: { v: 99 * Mi } }, undefined],
    [
      'a container alone, where another has no limit of its own',
      limited('10Mi', {
        initContainers: [larger],
      }),
      { root: 11 * Mi },
      'Container c exceeded its local ephemeral storage limit "10Mi". ',
    ],
  ])('%s', (_, pod, sizes, message) =>
    expect(exceededStorage(pod, use(sizes), 'one disk')?.message).toBe(message),
  );

  it.each([
    ['emptydirfs.limit', limited(undefined, scratch), { volumes: { v: 6 * Mi } }],
    ['ephemeralpodfs.limit', limited('10Mi'), { root: 11 * Mi }],
    ['ephemeralcontainerfs.limit', limited('10Mi', { initContainers: [larger] }), { root: 11 * Mi }],
  ] as const)('is counted as %s', (signal, pod, sizes) =>
    expect(exceededStorage(pod, use(sizes), 'one disk')?.signal).toBe(signal),
  );

  it('layers on a disk of their own are not the node disk’s', () => {
    expect(exceededStorage(limited('10Mi'), use({ root: 20 * Mi }), 'own image disk')).toBeUndefined();
  });

  it('only pods with a limit need to be measured', () => {
    expect([limited(undefined), limited('1Mi'), limited(undefined, scratch)].map(hasStorageLimits)).toEqual([
      false,
      true,
      true,
    ]);
  });
});

describe('evictionMessage', () => {
  const why = (signal: Signal, pod: Pod, sizes: Sizes = {}) =>
    evictionMessage(pod, use(sizes), {
      threshold: { signal, amount: { share: 0.1 }, graceMs: 0, minReclaim: undefined },
      seen: { available: 5 * Mi, capacity: 1000 * Mi },
    });

  it('names the resource, the threshold, and the containers that use more than they asked for', () => {
    expect(why('memory.available', buildPod('p', { requests: { memory: '20Mi' } }))).toEqual({
      message:
        'The node was low on resource: memory. Threshold quantity: 100Mi, available: 5Mi. Container c was using 30Mi, request is 20Mi, has larger consumption of memory. ',
      annotations: {
        offending_containers: 'c',
        offending_containers_usage: '30Mi',
        starved_resource: 'memory',
      },
    });
    expect(why('nodefs.available', buildPod('p'), { root: Mi, logs: Mi }).message).toBe(
      'The node was low on resource: ephemeral-storage. Threshold quantity: 100Mi, available: 5Mi. Container c was using 2Mi, request is 0, has larger consumption of ephemeral-storage. ',
    );
    expect(why('pid.available', buildPod('p')).message).toMatch(
      /^The node was low on resource: pids\. [^.]*\. $/,
    );
  });
});

describe('refuseUnderPressure', () => {
  const bestEffort = buildPod('p');
  const burstable = buildPod('p', { requests: { memory: '1Mi' } });
  const tolerant = buildPod('p', {
    spec: { tolerations: [{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists' }] },
  });
  const critical = buildPod('p', { spec: { priority: 2_000_001_000 } });
  it.each<[string, Pod, Parameters<typeof refuseUnderPressure>[1], string | undefined]>([
    ['nothing is short', bestEffort, [], undefined],
    ['memory, best effort', bestEffort, ['MemoryPressure'], 'The node had condition: [MemoryPressure]. '],
    ['memory, somebody who asked for some', burstable, ['MemoryPressure'], undefined],
    ['memory, somebody who bears it', tolerant, ['MemoryPressure'], undefined],
    ['disk, somebody who asked', burstable, ['DiskPressure'], 'The node had condition: [DiskPressure]. '],
    [
      'both',
      tolerant,
      ['MemoryPressure', 'DiskPressure'],
      'The node had condition: [MemoryPressure DiskPressure]. ',
    ],
    ['what the node needs', critical, ['DiskPressure'], undefined],
  ])('%s', (_, pod, conditions, message) =>
    expect(refuseUnderPressure(pod, conditions)?.message).toBe(message),
  );
});
