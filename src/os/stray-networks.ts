// Network namespaces and addresses that a containerd, killed while it made or removed a sandbox, has forgotten. The choice: what is
// older than the daemon that runs now and belongs to no sandbox that it knows is nobody's; what is younger may be in the making.
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Exec } from './exec.ts';

export interface NetworkFile {
  /** Absolute. */
  readonly file: string;
  readonly changedMs: number;
}

export interface NamespaceFile extends NetworkFile {
  readonly mounted: boolean;
  /** A process lives in it, or may soon: another daemon's, where the directory is shared with the rest of the machine. */
  readonly used: boolean;
}

export interface SandboxFile extends NetworkFile {
  /** The sandbox that it was made for. */
  readonly sandbox: string;
}

export interface NetworkRemains {
  readonly namespaces: readonly NamespaceFile[];
  /** Leases of addresses and kept results of plugins. */
  readonly files: readonly SandboxFile[];
}

export interface StrayNetworks {
  readonly namespaces: readonly NamespaceFile[];
  readonly files: readonly string[];
}

/** What nobody needs: neither a process, nor one of the sandboxes, nor what the daemon began since `startedMs` (wall clock). Pure. */
export function strayNetworks(
  { namespaces, files }: NetworkRemains,
  { sandboxes, startedMs }: { readonly sandboxes: ReadonlySet<string>; readonly startedMs: number },
): StrayNetworks {
  const old = ({ changedMs }: NetworkFile) => changedMs < startedMs;
  return {
    namespaces: namespaces.filter((one) => old(one) && !one.used),
    files: files.filter((one) => old(one) && !sandboxes.has(one.sandbox)).map(({ file }) => file),
  };
}

const netnsDir = '/run/netns';

/** What is there now, in this mount namespace. `cniDataDir` is where the plugins keep leases and results of the network `name`. */
export function readNetworkRemains(cniDataDir: string, name: string): NetworkRemains {
  const mounts = new Set(
    fs
      .readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4]),
  );
  const used = usedNamespaces();
  // A node with a view of its own on the machine's directories has this one mounted, and a /run that nobody else sees.
  const shared = !mounts.has(cniDataDir);
  const namespaces = filesIn(netnsDir)
    .filter(({ file }) => path.basename(file).startsWith('cni-'))
    .map((one) => {
      const mounted = mounts.has(one.file);
      return { ...one, mounted, used: mounted && (shared || used.has(one.inode)) };
    });
  const leases = filesIn(path.join(cniDataDir, 'networks', name))
    .filter(({ file }) => /^[0-9a-f.:]+$/.test(path.basename(file)))
    .map((one) => ({ ...one, sandbox: (readIfThere(one.file).split(/\s/)[0] ?? '').trim() }));
  const results = filesIn(path.join(cniDataDir, 'results'))
    .filter(({ file }) => path.basename(file).startsWith(`${name}-`))
    .map((one) => ({
      ...one,
      sandbox:
        path
          .basename(one.file)
          .slice(name.length + 1)
          .split('-')[0] ?? '',
    }));
  return { namespaces, files: [...leases, ...results].filter(({ sandbox }) => sandbox !== '') };
}

/** Removes them. A namespace takes its cables with it. */
export async function removeStrayNetworks(exec: Exec, strays: StrayNetworks): Promise<void> {
  for (const { file, mounted } of strays.namespaces) {
    if (mounted) await exec.run(['umount', '--lazy', file], { timeoutMs: 10_000 });
    fs.rmSync(file, { force: true });
  }
  for (const file of strays.files) fs.rmSync(file, { force: true });
}

function usedNamespaces(): Set<number> {
  const used = new Set<number>();
  for (const entry of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      used.add(fs.statSync(`/proc/${entry}/ns/net`).ino);
    } catch {
      // It has ended.
    }
  }
  return used;
}

function filesIn(folder: string): (NetworkFile & { readonly inode: number })[] {
  let names: string[];
  try {
    names = fs.readdirSync(folder);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const file = path.join(folder, name);
    try {
      const { mtimeMs, ino } = fs.statSync(file);
      return [{ file, changedMs: mtimeMs, inode: ino }];
    } catch {
      return [];
    }
  });
}

function readIfThere(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
