import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Pod } from '../../api/index.ts';
import { buildPod } from '../../testkit/index.ts';
import type { PodUse } from './pod-usage.ts';
import { compareRanks, isCritical, type Rank, rankPods } from './ranking.ts';
import type { Signal } from './signals.ts';

interface Parts {
  readonly memory?: number;
  readonly root?: number;
  readonly logs?: number;
  readonly volume?: number;
  readonly processes?: number;
}

const use = (parts: Parts): PodUse => ({
  memoryBytes: parts.memory ?? 0,
  processes: parts.processes ?? 0,
  containers: [
    {
      name: 'c',
      memoryBytes: parts.memory ?? 0,
      root: { bytes: parts.root ?? 0, inodes: 0 },
      logs: { bytes: parts.logs ?? 0, inodes: 0 },
    },
  ],
  volumes: new Map([['v', { bytes: parts.volume ?? 0, inodes: parts.volume ?? 0 }]]),
});

const pod = (name: string, requests: Record<string, string> = {}, priority = 0): Pod =>
  buildPod(name, { requests, spec: { priority, volumes: [{ name: 'v', emptyDir: {} }] } });

const order = (
  signal: Signal,
  list: readonly (readonly [Pod, Parts | undefined])[],
  disks: 'one disk' | 'own image disk' = 'one disk',
): string => {
  const uses = new Map(list.map(([{ metadata }, parts]) => [metadata.uid, parts]));
  const of = (uid: string) => {
    const parts = uses.get(uid);
    return parts === undefined ? undefined : use(parts);
  };
  return rankPods({ pods: list.map(([one]) => one), use: of, signal, disks })
    .map(({ pod: { metadata } }) => metadata.name)
    .join(' ');
};

describe('rankPods', () => {
  it('memory: unknown, then beyond the request, then by priority, then by how much', () => {
    expect(
      order('memory.available', [
        [pod('within', { memory: '100' }), { memory: 100 }],
        [pod('important', {}, 10), { memory: 900 }],
        [pod('little'), { memory: 1 }],
        [pod('much', { memory: '100' }), { memory: 400 }],
        [pod('unknown', {}, 10), undefined],
      ]),
    ).toBe('unknown much little important within');
  });

  it('processes: by priority, then by their number', () => {
    expect(
      order('pid.available', [
        [pod('few'), { processes: 2 }],
        [pod('important', {}, 1), { processes: 99 }],
        [pod('many'), { processes: 9 }],
      ]),
    ).toBe('many few important');
  });

  it('disk: everything together, or what lies on the disk that is short', () => {
    const list = [
      [pod('layers'), { root: 50 }],
      [pod('logs'), { logs: 60 }],
      [pod('files'), { volume: 70 }],
    ] as const;
    expect(order('nodefs.available', list)).toBe('files logs layers');
    expect(order('imagefs.available', list)).toBe('files logs layers');
    expect(order('imagefs.available', list, 'own image disk')).toBe('layers logs files');
    expect(order('nodefs.available', [list[0], list[1]], 'own image disk')).toBe('logs layers');
    expect(order('nodefs.inodesFree', list)).toBe('files layers logs');
  });

  it('is a total order, whatever the pods: sorting any arrangement of them gives the same ranks', () => {
    const rank: fc.Arbitrary<Rank> = fc.record({
      unknown: fc.boolean(),
      exceeds: fc.boolean(),
      priority: fc.integer({ min: -2, max: 2 }),
      excess: fc.integer({ min: -3, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(rank), (ranks) => {
        const sorted = [...ranks].sort(compareRanks);
        expect([...ranks].reverse().sort(compareRanks)).toEqual(sorted);
        for (const [i, a] of sorted.entries())
          for (const b of sorted.slice(i + 1)) {
            // Whoever keeps to its request never goes before one of whom it is known that it does not.
            if (!a.unknown && !a.exceeds) expect(b.exceeds && !b.unknown).toBe(false);
            expect(Math.sign(compareRanks(a, b)) + Math.sign(compareRanks(b, a))).toBe(0);
          }
      }),
    );
  });
});

describe('isCritical', () => {
  const annotated = (annotations: Record<string, string>) => buildPod('p', { meta: { annotations } });
  it.each<[string, Pod, boolean]>([
    ['an ordinary pod', buildPod('p'), false],
    ['from the API', annotated({ 'kubernetes.io/config.source': 'api' }), false],
    ['from a file', annotated({ 'kubernetes.io/config.source': 'file' }), true],
    ['the mirror of one', annotated({ 'kubernetes.io/config.mirror': 'x' }), true],
    ['of the system', buildPod('p', { spec: { priority: 2_000_000_000 } }), true],
    ['very important', buildPod('p', { spec: { priority: 1_999_999_999 } }), false],
  ])('%s', (_, one, critical) => expect(isCritical(one)).toBe(critical));
});
