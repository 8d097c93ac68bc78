// What an agent finds out once, as it starts: from its options and from files of the machine.
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { AgentOptions } from './agent-options.ts';
import { parseResolvConf } from './container/dns.ts';
import type { MachineInfo } from './registration/machine.ts';
import type { NodeFacts } from './worker/node-context.ts';

export type NodeFactsOptions = Pick<
  AgentOptions,
  | 'nodeName'
  | 'nodeIps'
  | 'clusterDns'
  | 'clusterDomain'
  | 'stateDir'
  | 'logDir'
  | 'cgroupParent'
  | 'version'
  | 'admission'
  | 'isolate'
>;

/** Files that the machine does not have count as empty. */
export function readNodeFacts(
  options: NodeFactsOptions,
  machine: Pick<MachineInfo, 'memoryBytes'>,
): NodeFacts {
  return {
    nodeName: options.nodeName,
    nodeIps: options.nodeIps,
    dns: {
      clusterDns: options.clusterDns ?? [],
      clusterDomain: options.clusterDomain ?? 'cluster.local',
      node: parseResolvConf(readOr('/etc/resolv.conf', '')),
    },
    logDir: options.logDir,
    cgroupParent: options.cgroupParent,
    seccompDir: path.join(options.stateDir, 'seccomp'),
    memoryCapacityBytes: machine.memoryBytes,
    nodeHostsFile: readOr('/etc/hosts', '127.0.0.1\tlocalhost\n'),
    userAgent: `kube-probe/${options.version.replace(/^v/, '').split('.').slice(0, 2).join('.')}`,
    admission: { allowedSysctls: [], appArmor: enforcesAppArmor(), ...options.admission },
    isolate: options.isolate,
  };
}

const enforcesAppArmor = (): boolean =>
  readOr('/sys/module/apparmor/parameters/enabled', 'N').startsWith('Y');

function readOr(file: string, other: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return other;
  }
}
