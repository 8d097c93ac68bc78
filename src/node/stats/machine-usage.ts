// What the machine as a whole uses: memory, processor time, processes, file systems, network. Text of /proc in, numbers out; a node that
// shares its machine with others sees what all of them use together (docs/design/0013-node-pressure.md).
import * as fs from 'node:fs';

export interface MemoryUsage {
  readonly totalBytes: number;
  readonly usageBytes: number;
  /** Without what the kernel could drop at once. */
  readonly workingSetBytes: number;
  readonly availableBytes: number;
  readonly rssBytes: number;
}

export interface DiskUsage {
  /** The same for two places on one file system. */
  readonly device: number;
  readonly capacityBytes: number;
  readonly availableBytes: number;
  readonly usedBytes: number;
  /** 0 where the file system has no fixed number of them. */
  readonly inodes: number;
  readonly inodesFree: number;
}

export interface ProcessUsage {
  readonly running: number;
  readonly max: number;
}

export interface InterfaceUsage {
  readonly name: string;
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDropped: number;
}

/** Everything is read when it is asked for. undefined = cannot be told. */
export interface MachineUsage {
  memory(): MemoryUsage | undefined;
  cpuNanoseconds(): number | undefined;
  processes(): ProcessUsage | undefined;
  disk(path: string): DiskUsage | undefined;
  /** As the process `pid` sees it; without one, as we do. */
  network(pid?: number): readonly InterfaceUsage[] | undefined;
  /** When the machine started, since the epoch. */
  bootedAtMs(): number | undefined;
}

/** The working set is what cAdvisor computes for the root: all that is used but for file pages that were not used lately. */
export function parseMemory(meminfo: string): MemoryUsage | undefined {
  const field = (name: string): number | undefined => {
    const found = new RegExp(`^${name.replace(/[()]/g, '\\$&')}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1];
    return found === undefined ? undefined : Number(found) * 1024;
  };
  const total = field('MemTotal');
  const free = field('MemFree');
  if (total === undefined || free === undefined) return undefined;
  const usageBytes = total - free;
  const workingSetBytes = Math.max(0, usageBytes - (field('Inactive(file)') ?? 0));
  return {
    totalBytes: total,
    usageBytes,
    workingSetBytes,
    availableBytes: total - workingSetBytes,
    rssBytes: field('AnonPages') ?? 0,
  };
}

/** Of /proc/stat, in nanoseconds: everything that was not idle. */
export function parseCpu(stat: string): number | undefined {
  const line = /^cpu\s+(.+)$/m.exec(stat)?.[1];
  if (line === undefined) return undefined;
  // user nice system idle iowait irq softirq steal; guest time is in user time already.
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line.trim().split(/\s+/).map(Number);
  return (user + nice + system + irq + softirq) * 1e7;
}

/** The loopback interface is left out, as kubelets do. */
export function parseNetwork(dev: string): InterfaceUsage[] {
  return dev.split('\n').flatMap((line) => {
    const [, name, rest] = /^\s*([^\s:]+):\s*(.+)$/.exec(line) ?? [];
    if (name === undefined || rest === undefined || name === 'lo') return [];
    const n = rest.trim().split(/\s+/).map(Number);
    return [
      {
        name,
        rxBytes: n[0] ?? 0,
        rxPackets: n[1] ?? 0,
        rxErrors: n[2] ?? 0,
        rxDropped: n[3] ?? 0,
        txBytes: n[8] ?? 0,
        txPackets: n[9] ?? 0,
        txErrors: n[10] ?? 0,
        txDropped: n[11] ?? 0,
      },
    ];
  });
}

/** Of /proc/loadavg: tasks that exist, and of those there may be as many as there are numbers or threads. */
export function parseProcesses(
  loadavg: string,
  limits: { pidMax: string; threadsMax: string },
): ProcessUsage | undefined {
  const running = /\d+\/(\d+)/.exec(loadavg)?.[1];
  const bounds = [limits.pidMax, limits.threadsMax].map((text) => Number(text.trim() || Number.NaN));
  const max = Math.min(...bounds.filter(Number.isFinite));
  return running === undefined || !Number.isFinite(max) ? undefined : { running: Number(running), max };
}

export const thisMachine: MachineUsage = {
  memory: () => parseMemory(read('/proc/meminfo')),
  cpuNanoseconds: () => parseCpu(read('/proc/stat')),
  processes: () =>
    parseProcesses(read('/proc/loadavg'), {
      pidMax: read('/proc/sys/kernel/pid_max'),
      threadsMax: read('/proc/sys/kernel/threads-max'),
    }),
  disk(path) {
    try {
      const { blocks, bsize, bavail, bfree, files, ffree } = fs.statfsSync(path);
      return {
        device: fs.statSync(path).dev,
        capacityBytes: blocks * bsize,
        availableBytes: bavail * bsize,
        usedBytes: (blocks - bfree) * bsize,
        inodes: files,
        inodesFree: ffree,
      };
    } catch {
      return undefined;
    }
  },
  network(pid) {
    const text = read(`/proc/${pid ?? 'self'}/net/dev`);
    return text === '' ? undefined : parseNetwork(text);
  },
  bootedAtMs() {
    const seconds = /^btime (\d+)$/m.exec(read('/proc/stat'))?.[1];
    return seconds === undefined ? undefined : Number(seconds) * 1000;
  },
};

function read(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
