// NodeResourcesFit: a node must have what the pod requests; emptier nodes score higher (least allocated).
import { definePlugin, fits, type PodInfo } from '../plugin.ts';
import type { Resources } from '../resources.ts';

const noSlot = 1;
const noCpu = 2;
const noMemory = 3;
const noEphemeralStorage = 4;
const noOther = 5;

/** What a pod without requests counts as when nodes are scored, so that such pods spread too. */
const defaultCpuMilli = 100;
const defaultMemoryBytes = 200 * 1024 * 1024;

interface State {
  readonly wanted: Resources;
  readonly scoreCpuMilli: number;
  readonly scoreMemoryBytes: number;
}

export const nodeResourcesFit = definePlugin<State>({
  name: 'NodeResourcesFit',
  reasons: [
    '',
    'Too many pods',
    'Insufficient cpu',
    'Insufficient memory',
    'Insufficient ephemeral-storage',
    'Insufficient resources',
  ],
  wakeOn: [
    { kind: 'Pod', on: 'delete' },
    { kind: 'Node', on: 'add' },
    { kind: 'Node', on: 'update' },
  ],
  preFilter: ({ requests }: PodInfo) => ({
    wanted: requests,
    scoreCpuMilli: requests.cpuMilli === 0 ? defaultCpuMilli : requests.cpuMilli,
    scoreMemoryBytes: requests.memoryBytes === 0 ? defaultMemoryBytes : requests.memoryBytes,
  }),
  filter({ wanted }, { free }) {
    if (free.podSlots < 1) return noSlot;
    if (wanted.cpuMilli > 0 && free.cpuMilli < wanted.cpuMilli) return noCpu;
    if (wanted.memoryBytes > 0 && free.memoryBytes < wanted.memoryBytes) return noMemory;
    if (wanted.ephemeralStorageBytes > 0 && free.ephemeralStorageBytes < wanted.ephemeralStorageBytes)
      return noEphemeralStorage;
    if (wanted.others !== null) {
      for (const [name, amount] of wanted.others) if (amount > 0 && free.other(name) < amount) return noOther;
    }
    return fits;
  },
  explain({ wanted }, { free }) {
    for (const [name, amount] of wanted.others ?? [])
      if (amount > 0 && free.other(name) < amount) return `Insufficient ${name}`;
    return 'Insufficient resources';
  },
  score({ scoreCpuMilli, scoreMemoryBytes }, { free, total }) {
    const cpu = total.cpuMilli === 0 ? 0 : Math.max(0, free.cpuMilli - scoreCpuMilli) / total.cpuMilli;
    const memory =
      total.memoryBytes === 0 ? 0 : Math.max(0, free.memoryBytes - scoreMemoryBytes) / total.memoryBytes;
    return (cpu + memory) * 50;
  },
});
