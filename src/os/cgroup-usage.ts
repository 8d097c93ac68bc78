// What the processes of one control group use, in one shape for version 1 and 2. Parsing is pure; reading is direct and synchronous,
// as for everything of cgroups: it is kernel memory.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BlockIo, parseBlkio, parseIoStat } from './block-io.ts';
import type { CgroupPath } from './cgroup.ts';
import type { CgroupLayout } from './cgroup-layout.ts';

/** undefined = this machine, or this group, does not tell. */
export interface CgroupUsage {
  readonly cpuNanoseconds: number | undefined;
  readonly cpuUserNanoseconds: number | undefined;
  readonly cpuSystemNanoseconds: number | undefined;
  readonly cpuPeriods: number | undefined;
  readonly cpuThrottledPeriods: number | undefined;
  readonly cpuThrottledNanoseconds: number | undefined;
  readonly memoryUsageBytes: number | undefined;
  /** Without what the kernel could drop at once. */
  readonly memoryWorkingSetBytes: number | undefined;
  readonly memoryRssBytes: number | undefined;
  readonly memoryCacheBytes: number | undefined;
  readonly memorySwapBytes: number | undefined;
  readonly memoryMappedFileBytes: number | undefined;
  readonly memoryMaxUsageBytes: number | undefined;
  readonly memoryLimitBytes: number | undefined;
  readonly memoryFailures: number | undefined;
  readonly pageFaults: number | undefined;
  readonly majorPageFaults: number | undefined;
  readonly oomKills: number | undefined;
  readonly processes: number | undefined;
  /** By disk; none = nothing was done with any. */
  readonly io: readonly BlockIo[] | undefined;
}

/** The text of a file of the group, by its v2 or v1 name; undefined = there is none. */
export type CgroupFiles = (controller: string, file: string) => string | undefined;

const fields = (text: string | undefined): ReadonlyMap<string, number> =>
  new Map(
    (text ?? '').split('\n').flatMap((line) => {
      const [name, value] = line.split(' ');
      return name === undefined || value === undefined ? [] : [[name, Number(value)] as const];
    }),
  );

function whole(text: string | undefined): number | undefined {
  const value = text === undefined ? Number.NaN : Number(text.trim() || Number.NaN);
  return Number.isFinite(value) ? value : undefined;
}

const scaled = (value: number | undefined, by: number): number | undefined =>
  value === undefined ? undefined : Math.round(value * by);

/** Version 1 writes "no limit" as the largest page-aligned number. */
const unlimited = 2 ** 62;

const limit = (text: string | undefined): number | undefined => {
  const value = whole(text);
  return value === undefined || value >= unlimited ? undefined : value;
};

const workingSet = (usage: number | undefined, inactive: number | undefined): number | undefined =>
  usage === undefined ? undefined : Math.max(0, usage - (inactive ?? 0));

export function parseCgroupV2(read: CgroupFiles): CgroupUsage {
  const cpu = fields(read('cpu', 'cpu.stat'));
  const memory = fields(read('memory', 'memory.stat'));
  const events = fields(read('memory', 'memory.events'));
  const usage = whole(read('memory', 'memory.current'));
  return {
    cpuNanoseconds: scaled(cpu.get('usage_usec'), 1000),
    cpuUserNanoseconds: scaled(cpu.get('user_usec'), 1000),
    cpuSystemNanoseconds: scaled(cpu.get('system_usec'), 1000),
    cpuPeriods: cpu.get('nr_periods'),
    cpuThrottledPeriods: cpu.get('nr_throttled'),
    cpuThrottledNanoseconds: scaled(cpu.get('throttled_usec'), 1000),
    memoryUsageBytes: usage,
    memoryWorkingSetBytes: workingSet(usage, memory.get('inactive_file')),
    memoryRssBytes: memory.get('anon'),
    memoryCacheBytes: memory.get('file'),
    memorySwapBytes: whole(read('memory', 'memory.swap.current')),
    memoryMappedFileBytes: memory.get('file_mapped'),
    memoryMaxUsageBytes: whole(read('memory', 'memory.peak')),
    memoryLimitBytes: limit(read('memory', 'memory.max')),
    memoryFailures: events.get('max'),
    pageFaults: memory.get('pgfault'),
    majorPageFaults: memory.get('pgmajfault'),
    oomKills: events.get('oom_kill'),
    processes: whole(read('pids', 'pids.current')),
    io: parseIoStat(read('io', 'io.stat')),
  };
}

export function parseCgroupV1(read: CgroupFiles): CgroupUsage {
  const cpu = fields(read('cpu', 'cpu.stat'));
  const times = fields(read('cpuacct', 'cpuacct.stat'));
  const memory = fields(read('memory', 'memory.stat'));
  const usage = whole(read('memory', 'memory.usage_in_bytes'));
  const total = (name: string) => memory.get(`total_${name}`) ?? memory.get(name);
  // Each with what the groups below it did. Only one of them counts, by the scheduler of the disk; the other is empty.
  const blkio = (by: 'bfq' | 'throttle'): BlockIo[] | undefined => {
    const of = (what: string) => read('blkio', `blkio.${by}.${what}_recursive`);
    const found = parseBlkio(of('io_service_bytes'), of('io_serviced'));
    return found?.length === 0 && by === 'bfq' ? undefined : found;
  };
  // USER_HZ, which is 100 on every machine that Linux runs on.
  const tickNs = 1e7;
  return {
    cpuNanoseconds: whole(read('cpuacct', 'cpuacct.usage')),
    cpuUserNanoseconds: scaled(times.get('user'), tickNs),
    cpuSystemNanoseconds: scaled(times.get('system'), tickNs),
    cpuPeriods: cpu.get('nr_periods'),
    cpuThrottledPeriods: cpu.get('nr_throttled'),
    cpuThrottledNanoseconds: cpu.get('throttled_time'),
    memoryUsageBytes: usage,
    memoryWorkingSetBytes: workingSet(usage, total('inactive_file')),
    memoryRssBytes: total('rss'),
    memoryCacheBytes: total('cache'),
    memorySwapBytes: total('swap'),
    memoryMappedFileBytes: total('mapped_file'),
    memoryMaxUsageBytes: whole(read('memory', 'memory.max_usage_in_bytes')),
    memoryLimitBytes: limit(read('memory', 'memory.limit_in_bytes')),
    memoryFailures: whole(read('memory', 'memory.failcnt')),
    pageFaults: total('pgfault'),
    majorPageFaults: total('pgmajfault'),
    oomKills: fields(read('memory', 'memory.oom_control')).get('oom_kill'),
    processes: whole(read('pids', 'pids.current')),
    io: blkio('bfq') ?? blkio('throttle'),
  };
}

/** undefined = there is no such group. */
export function readCgroupUsage(layout: CgroupLayout, path: CgroupPath): CgroupUsage | undefined {
  let found = false;
  const read: CgroupFiles = (controller, file) => {
    const folder = folderOf(layout, path, controller);
    if (folder === undefined) return undefined;
    try {
      const text = readFileSync(join(folder, file), 'latin1');
      found = true;
      return text;
    } catch {
      return undefined;
    }
  };
  const usage = layout.mode === 'v2' ? parseCgroupV2(read) : parseCgroupV1(read);
  return found ? usage : undefined;
}

/** Where a controller keeps the group; undefined = this machine does not have the controller. */
function folderOf(layout: CgroupLayout, path: CgroupPath, controller: string): string | undefined {
  const root =
    layout.mode === 'v2'
      ? layout.unified
      : layout.legacy.find(({ controllers }) => controllers.includes(controller))?.path;
  return root === undefined ? undefined : join(root, path);
}

/** 2…262144 shares of version 1 onto the weights 1…10000 of version 2, as container runtimes do. */
export const weightOf = (shares: number): number => 1 + Math.floor(((shares - 2) * 9999) / 262_142);

/** Any of them may be left out. */
export interface CgroupLimits {
  /** What it gets of a CPU that others want too: 1024 is as much as one process outside all groups. */
  readonly cpuShares?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly processes?: number | undefined;
}

/** Limits what a group that is there may use as a whole. Says what could not be set, and why; empty = all was. */
export function limitCgroup(layout: CgroupLayout, path: CgroupPath, limits: CgroupLimits): string[] {
  const problems: string[] = [];
  const write = (controller: string, file: string, value: number | undefined) => {
    if (value === undefined) return;
    const folder = folderOf(layout, path, controller);
    try {
      if (folder === undefined) throw new Error(`this machine has no ${controller} cgroup`);
      writeFileSync(join(folder, file), String(Math.trunc(value)));
    } catch (error) {
      problems.push((error as Error).message);
    }
  };
  const v2 = layout.mode === 'v2';
  const shares = limits.cpuShares;
  write('cpu', v2 ? 'cpu.weight' : 'cpu.shares', v2 && shares !== undefined ? weightOf(shares) : shares);
  write('memory', v2 ? 'memory.max' : 'memory.limit_in_bytes', limits.memoryBytes);
  write('pids', 'pids.max', limits.processes);
  return problems;
}
