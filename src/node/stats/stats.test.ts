import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../base/index.ts';
import { type CgroupUsage, FakeRuntime } from '../../os/index.ts';
import { buildPod } from '../../testkit/index.ts';
import { noRuntime, type PodRuntime } from '../plan/pod-runtime.ts';
import { cadvisorMetrics } from './cadvisor.ts';
import { DirectoryUsages, walk } from './directory-usage.ts';
import { KernelLog } from './kernel-log.ts';
import { type MachineUsage, parseCpu, parseMemory, parseNetwork, parseProcesses } from './machine-usage.ts';
import { OomKilledContainers, parseOom, SystemOomWatcher } from './oom-watcher.ts';
import { StatsCollector } from './stats-collector.ts';
import { summary } from './summary.ts';

const directories: string[] = [];
afterEach(() => {
  for (const one of directories.splice(0)) fs.rmSync(one, { recursive: true });
});
const temporary = () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-stats-'));
  directories.push(directory);
  return directory;
};

describe('the machine', () => {
  it('memory: what is not free, less what was not used lately', () => {
    const text = 'MemTotal: 1000 kB\nMemFree: 300 kB\nInactive(file): 200 kB\nAnonPages: 50 kB\n';
    expect(parseMemory(text)).toEqual({
      totalBytes: 1_024_000,
      usageBytes: 716_800,
      workingSetBytes: 512_000,
      availableBytes: 512_000,
      rssBytes: 51_200,
    });
    expect(parseMemory('')).toBeUndefined();
  });

  it('processor time, processes, network', () => {
    expect(parseCpu('cpu  1 2 3 100 50 4 5 6 7 8\ncpu0 1\n')).toBe(15e7);
    const limits = { pidMax: '32768\n', threadsMax: '20000\n' };
    expect(parseProcesses('0.1 0.2 0.3 2/345 999\n', limits)).toEqual({ running: 345, max: 20_000 });
    expect(parseProcesses('', limits)).toBeUndefined();
    const dev =
      'Inter-| Receive\n face |bytes\n lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\neth0:10 2 3 4 0 0 0 0 20 5 6 7 0 0 0 0\n';
    expect(parseNetwork(dev)).toEqual([
      {
        name: 'eth0',
        rxBytes: 10,
        rxPackets: 2,
        rxErrors: 3,
        rxDropped: 4,
        txBytes: 20,
        txPackets: 5,
        txErrors: 6,
        txDropped: 7,
      },
    ]);
  });
});

describe('directories', () => {
  it('count what lies below, a file with two names once, and no links elsewhere', async () => {
    const at = temporary();
    fs.mkdirSync(path.join(at, 'a/b'), { recursive: true });
    fs.writeFileSync(path.join(at, 'a/b/file'), Buffer.alloc(100_000));
    fs.linkSync(path.join(at, 'a/b/file'), path.join(at, 'again'));
    fs.symlinkSync('/usr', path.join(at, 'link'));
    const { usedBytes, inodes } = await walk(at);
    expect(inodes).toBe(5);
    expect(usedBytes).toBeGreaterThanOrEqual(100_000);
    expect(usedBytes).toBeLessThan(200_000);
    expect(await walk(path.join(at, 'nothing'))).toEqual({ usedBytes: 0, inodes: 0 });
  });

  it('are walked again only when they are due', async () => {
    const clock = new FakeClock();
    const at = temporary();
    const usages = new DirectoryUsages(clock, 60_000);
    usages.retain([at]);
    expect(usages.get(at)).toBeUndefined();
    await usages.refresh();
    fs.writeFileSync(path.join(at, 'file'), 'x');
    await clock.advance(59_000);
    await usages.refresh();
    expect(usages.get(at)?.inodes).toBe(1);
    await clock.advance(1_000);
    await usages.refresh();
    expect(usages.get(at)?.inodes).toBe(2);
    usages.retain([]);
    expect(usages.get(at)).toBeUndefined();
  });
});

const disk = {
  device: 1,
  capacityBytes: 1000,
  availableBytes: 400,
  usedBytes: 600,
  inodes: 100,
  inodesFree: 60,
};

const machine: MachineUsage = {
  memory: () => ({
    totalBytes: 900,
    usageBytes: 700,
    workingSetBytes: 500,
    availableBytes: 400,
    rssBytes: 300,
  }),
  cpuNanoseconds: () => 5e9,
  processes: () => ({ running: 30, max: 1000 }),
  disk: () => disk,
  network: () => parseNetwork('eth0: 1 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0'),
  bootedAtMs: () => 1000,
};

async function world() {
  const clock = new FakeClock();
  const runtime = new FakeRuntime({ clock });
  const state = temporary();
  const pod = buildPod('p', {
    node: 'n',
    spec: {
      volumes: [
        { name: 'v', emptyDir: {} },
        { name: 'd', persistentVolumeClaim: { claimName: 'data' } },
      ],
    },
  });
  const volume = path.join(state, 'pods/uid-p/volumes/kubernetes.io~empty-dir/v');
  fs.mkdirSync(volume, { recursive: true });
  const podRuntime = {
    sandboxes: [{ id: 's', ready: true, createdAtMs: 2000 }],
    containers: [
      {
        id: 'k',
        name: 'c',
        state: 'running',
        image: '',
        startedAtMs: 3000,
        logPath: path.join(state, 'log/c/0.log'),
      },
      { id: 'old', name: 'c', state: 'exited', startedAtMs: 1000, logPath: '' },
    ],
  } as unknown as PodRuntime;
  let cpu = 1e9;
  let asked = 0;
  runtime.containerStats = async () => {
    asked++;
    return [
      {
        containerId: 'k',
        cpuNanoseconds: cpu,
        memoryWorkingSetBytes: 70,
        writableLayerBytes: 11,
        writableLayerInodes: 2,
        atMs: clock.nowMs(),
      },
    ];
  };
  runtime.sandboxPid = async () => 42;
  const directoryUsages = new DirectoryUsages(clock, 60_000);
  const collector = new StatsCollector({
    nodeName: 'n',
    runtime,
    clock,
    machine,
    directories: directoryUsages,
    stateDir: state,
    cgroupParent: '/x',
    pods: () => [pod, buildPod('waiting')],
    runtimeOf: (uid) => (uid === 'uid-p' ? podRuntime : noRuntime),
    podDir: (uid) => path.join(state, 'pods', uid),
    claimDirectory: (_, { name }) => (name === 'd' ? '/data' : undefined),
    groupOf: ({ metadata }) => `/x/pod${metadata.uid}`,
    group: (at) =>
      ({
        memoryWorkingSetBytes: 80,
        memoryLimitBytes: 200,
        processes: 3,
        cpuNanoseconds: at === '/x' ? 9e9 : cpu,
        io: [
          { device: '254:0', reads: 1, writes: 2, readBytes: 4096, writtenBytes: 8192 },
          { device: '0:1', reads: 0, writes: 1, readBytes: 0, writtenBytes: 1 },
          { device: '0:2', reads: 0, writes: 2, readBytes: 0, writtenBytes: 2 },
        ],
      }) as Partial<CgroupUsage> as CgroupUsage,
  });
  return {
    clock,
    collector,
    directoryUsages,
    work: (ns: number) => {
      cpu += ns;
    },
    asked: () => asked,
  };
}

describe('snapshots', () => {
  it('are gathered once for all who ask within their age, and tell speeds from the second on', async () => {
    const { clock, collector, work, asked } = await world();
    const [one, two] = await Promise.all([collector.get(10_000), collector.get(10_000)]);
    expect(one).toBe(two);
    await clock.advance(5_000);
    expect(await collector.get(10_000)).toBe(one);
    expect([asked(), one.pods[0]!.nanoCores]).toEqual([1, undefined]);
    await clock.advance(5_000);
    work(5e9);
    const later = await collector.get(10_000);
    expect([asked(), later.pods[0]!.nanoCores, later.pods[0]!.containers[0]!.nanoCores]).toEqual([
      2, 5e8, 5e8,
    ]);
  });

  it('/stats/summary', async () => {
    const { collector, directoryUsages } = await world();
    collector.watchDirectories();
    await directoryUsages.refresh();
    const told = JSON.parse(JSON.stringify(summary(await collector.get(0))));
    const time = '2026-01-01T00:00:00Z';
    const fsOf = (usedBytes: number, inodesUsed: number) => ({
      time,
      availableBytes: 400,
      capacityBytes: 1000,
      usedBytes,
      inodes: 100,
      inodesFree: 60,
      inodesUsed,
    });
    expect(told.node).toMatchObject({
      nodeName: 'n',
      cpu: { time, usageCoreNanoSeconds: 5e9 },
      memory: { time, availableBytes: 400, usageBytes: 700, workingSetBytes: 500, rssBytes: 300 },
      network: { time, name: 'eth0', rxBytes: 1, txBytes: 2, interfaces: [{ name: 'eth0' }] },
      fs: fsOf(600, 40),
      runtime: { imageFs: fsOf(0, 0), containerFs: fsOf(11, 2) },
      rlimit: { time, maxpid: 1000, curproc: 30 },
      systemContainers: [{ name: 'pods', memory: { workingSetBytes: 80, availableBytes: 120 } }],
    });
    expect(told.pods).toHaveLength(1);
    const [pod] = told.pods;
    expect(pod).toMatchObject({
      podRef: { name: 'p', namespace: 'default', uid: 'uid-p' },
      memory: { workingSetBytes: 80 },
      network: { name: 'eth0', rxBytes: 1 },
      process_stats: { process_count: 3 },
    });
    expect(pod.containers).toHaveLength(1);
    expect(pod.containers[0]).toMatchObject({
      name: 'c',
      startTime: '1970-01-01T00:00:03Z',
      memory: { workingSetBytes: 70, availableBytes: 130 },
      rootfs: fsOf(11, 2),
    });
    const { namespace } = pod.podRef;
    expect(pod.volume).toMatchObject([
      { name: 'v', inodesUsed: 1, capacityBytes: 1000 },
      { name: 'd', pvcRef: { name: 'data', namespace }, capacityBytes: 1000 },
    ]);
    expect(pod['ephemeral-storage'].usedBytes).toBe(11 + pod.volume[0].usedBytes);
  });

  it('/metrics/cadvisor', async () => {
    const { collector } = await world();
    const text = cadvisorMetrics(await collector.get(0), {
      cpus: 2,
      memoryBytes: 900,
      machineId: 'm',
      bootId: 'b',
      systemUuid: 's',
      kernelVersion: '6',
      osVersion: 'Debian "12"',
      groupOf: ({ metadata }) => `/x/pod${metadata.uid}`,
      deviceName: (device) => (device === '254:0' ? '/dev/vda' : ''),
    });
    const lines = text.split('\n');
    const at = Date.UTC(2026, 0, 1);
    const of = (container: string, id: string, name: string) =>
      `container="${container}",id="${id}",image="",name="${name}",namespace="default",pod="p"`;
    expect(lines).toContain(
      `container_memory_working_set_bytes{container="",id="/",image="",name="",namespace="",pod=""} 500 ${at}`,
    );
    expect(lines).toContain(`container_memory_working_set_bytes{${of('', '/x/poduid-p', '')}} 80 ${at}`);
    expect(
      lines.find((line) => line.startsWith('container_cpu_usage_seconds_total{container="c"')),
    ).toContain('name="k",namespace="default",pod="p",cpu="total"} 1 ');
    expect(lines).toContain(
      `container_network_transmit_bytes_total{${of('', '/x/poduid-p', '')},interface="eth0"} 2 ${at}`,
    );
    const disk = (name: string, device: string) =>
      lines.find((line) =>
        line.startsWith(`container_fs_${name}{${of('', '/x/poduid-p', '')},device="${device}"`),
      );
    expect(disk('reads_bytes_total', '/dev/vda')).toContain('} 4096 ');
    expect(disk('writes_total', '/dev/vda')).toContain('} 2 ');
    expect(disk('writes_bytes_total', '')).toContain('} 3 ');
    expect(lines).toContain('machine_cpu_cores{boot_id="b",machine_id="m",system_uuid="s"} 2');
    expect(text).toContain('osVersion="Debian \\"12\\""');
    const helps = lines.filter((line) => line.startsWith('# TYPE'));
    expect(new Set(helps).size).toBe(helps.length);
  });
});

describe('the kernel’s log', () => {
  const container = 'ab'.repeat(32);
  const killed = (constraint: string, cgroup = '/x') =>
    `6,1234,99,-;oom-kill:constraint=${constraint},nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/pod,task_memcg=${cgroup},task=my prog,pid=42,uid=0\n`;
  const logOf = (...records: string[]) => ({ records: () => records.splice(0).values(), close: () => {} });

  it('tells whom the kernel killed for want of memory, and by whose limit', () => {
    expect(parseOom(killed('CONSTRAINT_NONE'))).toEqual({ pid: 42, process: 'my prog', limited: undefined });
    expect(parseOom(killed('CONSTRAINT_MEMCG', '/pod/a'))).toEqual({
      pid: 42,
      process: 'my prog',
      limited: '/pod/a',
    });
    expect(parseOom('6,1,1,-;eth0: link is up')).toBeUndefined();
  });

  it('of the whole machine: from now on, and not what a limit did', () => {
    const records = [killed('CONSTRAINT_NONE')];
    const log = { records: () => records.splice(0).values(), close: () => {} };
    const watcher = new SystemOomWatcher(log);
    expect(watcher.read()).toEqual([]);
    records.push(killed('CONSTRAINT_MEMCG'), killed('CONSTRAINT_NONE'));
    expect(watcher.read()).toHaveLength(1);
  });

  it('of containers: whose limit was met, also before the first question', () => {
    const limit = killed('CONSTRAINT_MEMCG', `/node/burstable/podx/${container}/inner`);
    expect(new OomKilledContainers(logOf(limit)).has(container)).toBe(true);
    expect(new OomKilledContainers(logOf(limit)).has('cd'.repeat(32))).toBe(false);
    const whole = killed('CONSTRAINT_NONE', `/node/burstable/podx/${container}`);
    expect(new OomKilledContainers(logOf(whole)).has(container)).toBe(false);
  });

  it('keeps the last thousand containers', () => {
    const id = (n: number) => n.toString(16).padStart(64, '0');
    const records = Array.from({ length: 1001 }, (_, n) => killed('CONSTRAINT_MEMCG', `/p/${id(n)}`));
    const killedOnes = new OomKilledContainers(logOf(...records));
    expect([killedOnes.has(id(0)), killedOnes.has(id(1)), killedOnes.has(id(1000))]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('that may not be read tells nothing', () => {
    const watcher = new SystemOomWatcher(new KernelLog('/nothing/here'));
    expect(watcher.read()).toEqual([]);
    watcher.close();
  });
});
