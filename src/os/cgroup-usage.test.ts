import { expect, it } from 'vitest';
import { type CgroupFiles, parseCgroupV1, parseCgroupV2 } from './cgroup-usage.ts';

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
    }),
  );
  expect(usage).toMatchObject({
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
