import { expect, test } from 'vitest';
import type { CgroupUsage } from '../../os/index.ts';
import type { MachineUsage } from './machine-usage.ts';
import { nodeUse } from './node-use.ts';

const machine = {
  cpuNanoseconds: () => 5e9,
  memory: () => ({ workingSetBytes: 4096 }),
} as unknown as MachineUsage;
const silent = { cpuNanoseconds: () => undefined, memory: () => undefined } as unknown as MachineUsage;
const group = (cpuNanoseconds?: number, memoryWorkingSetBytes?: number) =>
  ({ cpuNanoseconds, memoryWorkingSetBytes }) as CgroupUsage;

test.each([
  ['the machine', machine, undefined, { cpuNanoseconds: 5e9, memoryWorkingSetBytes: 4096 }],
  ['the node’s group', machine, group(1e9, 1024), { cpuNanoseconds: 1e9, memoryWorkingSetBytes: 1024 }],
  [
    'a group without a memory controller',
    machine,
    group(1e9),
    { cpuNanoseconds: 1e9, memoryWorkingSetBytes: 4096 },
  ],
  ['nothing', silent, undefined, { cpuNanoseconds: undefined, memoryWorkingSetBytes: undefined }],
])('%s tells', (_, of, own, expected) => expect(nodeUse(of, own)).toEqual(expected));
