// NodeResourcesFit: a node must have what the pod requests; emptier nodes score higher (least allocated).
import { Node, Pod } from '../../api/index.ts';
import type { NodeInfo } from '../node-info.ts';
import { definePlugin, fits, wakeOn } from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';

const lacking = 1;

/** `free` may be below zero: more can run on a node than the scheduler put there. */
function fitsIn({ requests: wanted }: PodInfo, { free }: NodeInfo): boolean {
  if (free.podSlots < 1) return false;
  if (wanted.cpuMilli > 0 && free.cpuMilli < wanted.cpuMilli) return false;
  if (wanted.memoryBytes > 0 && free.memoryBytes < wanted.memoryBytes) return false;
  if (wanted.ephemeralStorageBytes > 0 && free.ephemeralStorageBytes < wanted.ephemeralStorageBytes)
    return false;
  if (wanted.others !== null)
    for (const [name, amount] of wanted.others) if (amount > 0 && free.other(name) < amount) return false;
  return true;
}

/** What is left of a resource in hundredths of it. */
const share = (left: number, total: number): number => (total === 0 || left <= 0 ? 0 : (left * 100) / total);

export const nodeResourcesFit = definePlugin<PodInfo>({
  name: 'NodeResourcesFit',
  reasons: ['', 'Insufficient resources'],
  wakeOn: [wakeOn(Pod, 'delete'), wakeOn(Node, 'add'), wakeOn(Node, 'update')],
  preFilter: (pod) => pod,
  filter: (pod, node) => (fitsIn(pod, node) ? fits : lacking),
  explain({ requests: wanted }, { free }) {
    const out: string[] = [];
    const check = (name: string, amount: number, left: number) => {
      if (amount > 0 && left < amount) out.push(`Insufficient ${name}`);
    };
    if (free.podSlots < 1) out.push('Too many pods');
    check('cpu', wanted.cpuMilli, free.cpuMilli);
    check('memory', wanted.memoryBytes, free.memoryBytes);
    check('ephemeral-storage', wanted.ephemeralStorageBytes, free.ephemeralStorageBytes);
    for (const [name, amount] of wanted.others ?? []) check(name, amount, free.other(name));
    return out;
  },
  score(pod, { total, scoredCpuMilli, scoredMemoryBytes }) {
    const cpu = share(total.cpuMilli - scoredCpuMilli - pod.scoredCpuMilli, total.cpuMilli);
    const memory = share(total.memoryBytes - scoredMemoryBytes - pod.scoredMemoryBytes, total.memoryBytes);
    return (cpu + memory) / 2;
  },
});
