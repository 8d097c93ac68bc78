import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CgroupLayout } from './cgroup-layout.ts';
import { type CgroupFiles, limitCgroup, parseCgroupV1, parseCgroupV2, weightOf } from './cgroup-usage.ts';

const from =
  (files: Readonly<Record<string, string>>): CgroupFiles =>
  (_, file) =>
    files[file];

it('reads version 2', () => {
  const usage = parseCgroupV2(
    from({
      'cpu.stat':
        'usage_usec 12\nuser_usec 10\nsystem_usec 2\nnr_periods 5\nnr_throttled 1\nthrottled_usec 3\n',
      'memory.current': '1000\n',
      'memory.stat': 'anon 300\nfile 500\nfile_mapped 50\ninactive_file 400\npgfault 7\npgmajfault 1\n',
      'memory.max': 'max\n',
      'memory.events': 'low 0\nmax 4\noom 2\noom_kill 1\n',
      'pids.current': '3\n',
      'io.stat': '254:0 rbytes=1 wbytes=2 rios=3 wios=4\n',
    }),
  );
  expect(usage).toMatchObject({
    io: [{ device: '254:0', reads: 3, writes: 4, readBytes: 1, writtenBytes: 2 }],
    cpuNanoseconds: 12_000,
    cpuThrottledNanoseconds: 3000,
    memoryUsageBytes: 1000,
    memoryWorkingSetBytes: 600,
    memoryRssBytes: 300,
    memoryCacheBytes: 500,
    memoryLimitBytes: undefined,
    memoryFailures: 4,
    memorySwapBytes: undefined,
    oomKills: 1,
    processes: 3,
  });
});

it('reads version 1: sums over the children where there are, no limit as none', () => {
  const usage = parseCgroupV1(
    from({
      'cpuacct.usage': '99\n',
      'cpuacct.stat': 'user 2\nsystem 1\n',
      'memory.usage_in_bytes': '1000\n',
      'memory.stat': 'rss 1\ninactive_file 9\ntotal_rss 300\ntotal_inactive_file 1400\n',
      'memory.limit_in_bytes': '9223372036854771712\n',
      'pids.current': '3\n',
    }),
  );
  expect(usage).toMatchObject({
    cpuNanoseconds: 99,
    cpuUserNanoseconds: 20_000_000,
    memoryWorkingSetBytes: 0,
    memoryRssBytes: 300,
    memoryLimitBytes: undefined,
    processes: 3,
    oomKills: undefined,
  });
});

it.each([
  ['bfq', 'blkio.bfq', 'blkio.throttle'],
  ['another', 'blkio.throttle', 'blkio.bfq'],
])('version 1: disks with the scheduler %s', (_, counting, empty) => {
  const files = {
    [`${counting}.io_service_bytes_recursive`]: '254:0 Read 4096\n254:0 Write 0\nTotal 4096\n',
    [`${counting}.io_serviced_recursive`]: '254:0 Read 1\n254:0 Write 0\nTotal 1\n',
    [`${empty}.io_service_bytes_recursive`]: 'Total 0\n',
    [`${empty}.io_serviced_recursive`]: 'Total 0\n',
  };
  expect(parseCgroupV1(from(files)).io).toEqual([
    { device: '254:0', reads: 1, writes: 0, readBytes: 4096, writtenBytes: 0 },
  ]);
});

describe('limits of a group', () => {
  const root = '/mounted';
  const v1: CgroupLayout = { mode: 'v1', legacy: [{ path: root, controllers: ['cpu'] }], unified: undefined };
  const v2: CgroupLayout = { mode: 'v2', legacy: [], unified: root };
  /** What a group is told, with a folder in the place of the kernel's. */
  const told = (layout: CgroupLayout, file: string, limits: Parameters<typeof limitCgroup>[2]) => {
    const folder = mkdtempSync(join(tmpdir(), 'cgroup-'));
    try {
      mkdirSync(join(folder, 'a/b'), { recursive: true });
      const legacy = layout.legacy.map((hierarchy) => ({ ...hierarchy, path: folder }));
      const unified = layout.unified && folder;
      expect(limitCgroup({ ...layout, legacy, unified }, '/a/b', limits)).toEqual([]);
      return readFileSync(join(folder, 'a/b', file), 'utf8');
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  it.each([
    ['shares of version 1', v1, 'cpu.shares', { cpuShares: 8192 }, '8192'],
    ['as a weight of version 2', v2, 'cpu.weight', { cpuShares: 8192 }, '313'],
    ['memory', v2, 'memory.max', { memoryBytes: 1.5e9 }, '1500000000'],
    ['processes', v2, 'pids.max', { processes: 100 }, '100'],
  ])('%s', (_, layout, file, limits, expected) => expect(told(layout, file, limits)).toBe(expected));

  it('a controller that the machine lacks is told', () =>
    expect(limitCgroup(v1, '/a', { memoryBytes: 1 })).toEqual(['this machine has no memory cgroup']));

  it('more shares never weigh less', () => {
    const shares = fc.integer({ min: 2, max: 262_144 });
    fc.assert(
      fc.property(shares, shares, (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        expect(weightOf(low)).toBeLessThanOrEqual(weightOf(high));
        expect(weightOf(low)).toBeGreaterThanOrEqual(1);
        expect(weightOf(high)).toBeLessThanOrEqual(10_000);
      }),
    );
  });
});
