// What this machine is: processors, memory, disk, names and versions, as a Node's status tells them. Read once at start.
import * as fs from 'node:fs';
import * as os from 'node:os';
import type { coreV1 } from '../../api/index.ts';
import { goArch } from '../../os/index.ts';

export interface MachineInfo {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly storageBytes: number;
  readonly nodeInfo: Omit<
    coreV1.NodeSystemInfo,
    'containerRuntimeVersion' | 'kubeletVersion' | 'kubeProxyVersion'
  >;
}

const read = (file: string): string => {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
};

export function readMachine(stateDir: string): MachineInfo {
  const release = read('/etc/os-release');
  const osImage = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(release)?.[1] ?? 'Linux';
  const disk = fs.statfsSync(stateDir);
  const machineID = read('/etc/machine-id') || read('/var/lib/dbus/machine-id');
  return {
    cpus: os.cpus().length,
    memoryBytes: os.totalmem(),
    storageBytes: disk.blocks * disk.bsize,
    nodeInfo: {
      machineID,
      systemUUID: read('/sys/class/dmi/id/product_uuid') || machineID,
      bootID: read('/proc/sys/kernel/random/boot_id'),
      kernelVersion: os.release(),
      osImage,
      operatingSystem: 'linux',
      architecture: goArch,
    },
  };
}
