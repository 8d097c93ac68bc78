// A machine as agents in tests find theirs.
import type { MachineInfo } from '../registration/machine.ts';

export const fourCpuMachine: MachineInfo = {
  cpus: 4,
  memoryBytes: 8 * 2 ** 30,
  storageBytes: 100_000_000_000,
  nodeInfo: {
    architecture: 'amd64',
    bootID: 'b',
    kernelVersion: '6',
    machineID: 'm',
    operatingSystem: 'linux',
    osImage: 'Debian',
    systemUUID: 's',
  },
};
