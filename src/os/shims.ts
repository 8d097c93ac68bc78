// Shims that no containerd knows: one that is killed while it starts a shim forgets it when it starts again, removes its bundle, and
// the process stays for ever. The choice: a shim without a bundle, seen twice, is nobody's, since a bundle is made before its shim
// and removed after it.
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { identifyProcess, type ProcessIdentity } from './processes.ts';

export interface Shim {
  readonly id: string;
  readonly namespace: string;
  /** The socket of the containerd that started it. */
  readonly address: string;
}

/** What the command line of a shim tells; undefined when it is not one's that serves (`start` and `delete` are over soon). Pure. */
export function parseShim(args: readonly string[]): Shim | undefined {
  if (!/(^|\/)containerd-shim[^/]*$/.test(args[0] ?? '')) return undefined;
  if (args.includes('start') || args.includes('delete')) return undefined;
  const after = (flag: string) => args[args.indexOf(flag) + 1];
  if (!['-id', '-namespace', '-address'].every((flag) => args.includes(flag))) return undefined;
  return { id: after('-id')!, namespace: after('-namespace')!, address: after('-address')! };
}

/** Those of the containerd at this socket, in this mount namespace, whose bundle is gone. `stateDir` is the `state` of its configuration. */
export function listStrayShims(socketPath: string, stateDir: string): ProcessIdentity[] {
  const bundles = join(stateDir, 'io.containerd.runtime.v2.task');
  const here = readlinkSync('/proc/self/ns/mnt');
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const shim = parseShim(readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0'));
      if (shim === undefined || shim.address !== socketPath) return [];
      if (readlinkSync(`/proc/${entry}/ns/mnt`) !== here) return [];
      if (existsSync(join(bundles, shim.namespace, shim.id))) return [];
      return identifyProcess(Number(entry)) ?? [];
    } catch {
      // It has ended.
      return [];
    }
  });
}
