// Subtrees of control groups: made, joined, killed and removed under one path in every hierarchy of the machine. The choice:
// files are written directly and synchronously, since they are kernel memory and a node's power-off must not wait for a queue.
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Clock, sleep } from '../base/index.ts';
import { type CgroupLayout, planCgroupLayout } from './cgroup-layout.ts';

/** A place in the tree, the same in every hierarchy: `/jotasu/NAME/NODE`. Never `/`. */
export type CgroupPath = string;

export function readCgroupLayout(): CgroupLayout {
  return planCgroupLayout(readFileSync('/proc/self/mountinfo', 'utf8'));
}

const roots = (layout: CgroupLayout): string[] => [
  ...layout.legacy.map((hierarchy) => hierarchy.path),
  ...(layout.unified === undefined ? [] : [layout.unified]),
];

function checkPath(path: CgroupPath): void {
  if (!/^(\/[^/.][^/]*)+$/.test(path)) throw new Error(`not a cgroup path: ${path}`);
}

/**
 * Makes the group and those above it. In v2 every group above it hands its controllers down, and can then hold no processes of
 * its own; the group itself hands nothing down, so it can.
 */
export function ensureCgroup(layout: CgroupLayout, path: CgroupPath): void {
  checkPath(path);
  const names = path.slice(1).split('/');
  for (const { path: root, controllers } of layout.legacy) {
    let at = root;
    for (const name of names) {
      const parent = at;
      at = join(at, name);
      mkdirSync(at, { recursive: true });
      if (!controllers.includes('cpuset')) continue;
      // A new cpuset is empty and takes no process until both are set.
      for (const file of ['cpuset.cpus', 'cpuset.mems'])
        if (readFileSync(join(at, file), 'latin1').trim() === '')
          writeFileSync(join(at, file), readFileSync(join(parent, file), 'latin1').trim());
    }
  }
  if (layout.unified === undefined) return;
  let at = layout.unified;
  for (const name of names) {
    if (layout.mode === 'v2') handDown(at);
    at = join(at, name);
    mkdirSync(at, { recursive: true });
  }
}

/** Enables for the children of a v2 group every controller it has. */
function handDown(group: string): void {
  const enabled = new Set(readWords(join(group, 'cgroup.subtree_control')));
  const missing = readWords(join(group, 'cgroup.controllers')).filter((name) => !enabled.has(name));
  if (missing.length === 0) return;
  const enable = (names: readonly string[]) =>
    writeFileSync(join(group, 'cgroup.subtree_control'), names.map((name) => `+${name}`).join(' '));
  try {
    enable(missing);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') {
      // Inside a container the root of what we see is an ordinary group, which may not both hold processes and hand down.
      const aside = join(group, 'init');
      mkdirSync(aside, { recursive: true });
      for (const pid of readProcs(group)) moveProcess(pid, aside);
    }
    // One at a time, so that a controller that cannot be had (rt tasks and cpu) does not cost the others.
    for (const name of missing)
      try {
        enable([name]);
      } catch {}
  }
}

function moveProcess(pid: number, group: string): void {
  try {
    writeFileSync(join(group, 'cgroup.procs'), String(pid));
  } catch {
    // It has ended, or is a kernel thread that cannot be moved.
  }
}

/** Where a group's own processes go: below it, since a v2 group that hands down controllers holds none itself. */
export function leafOf(path: CgroupPath): CgroupPath {
  return `${path}/system`;
}

/** The files into which a process writes its number (or `0` for itself) to enter the group. */
export function joinFiles(layout: CgroupLayout, path: CgroupPath): string[] {
  checkPath(path);
  return roots(layout).map((root) => join(root, path, 'cgroup.procs'));
}

/** Every process in the group and below, in whichever hierarchy. */
export function listProcesses(layout: CgroupLayout, path: CgroupPath): number[] {
  checkPath(path);
  const found = new Set<number>();
  for (const root of roots(layout))
    for (const group of subtree(join(root, path))) for (const pid of readProcs(group)) found.add(pid);
  return [...found];
}

/**
 * kill -9 of everything in the group and below, at once: one write where the kernel can do that to a subtree, else round after
 * round until no process is left, so that what forks meanwhile is caught. Resolves when all are gone; says how many there were.
 */
export async function killCgroup(layout: CgroupLayout, path: CgroupPath, clock: Clock): Promise<number> {
  const killed = new Set<number>();
  const deadline = clock.monotonicMs() + killTimeoutMs;
  if (layout.unified !== undefined) {
    // Every process is in the v2 tree too, also on a hybrid machine.
    for (const group of subtree(join(layout.unified, path)))
      for (const pid of readProcs(group)) killed.add(pid);
    if (killed.has(process.pid)) throw new Error(`${path} holds this very process`);
    try {
      // The kernel kills all of a subtree in one step, children that are being born included.
      writeFileSync(join(layout.unified, path, 'cgroup.kill'), '1');
    } catch {
      // Before Linux 5.14, or no such group.
    }
  }
  for (;;) {
    const left = listProcesses(layout, path).filter((pid) => pid !== 0);
    if (left.length === 0) return killed.size;
    if (left.includes(process.pid)) throw new Error(`${path} holds this very process`);
    for (const pid of left) {
      killed.add(pid);
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended in the meantime.
      }
    }
    if (clock.monotonicMs() > deadline)
      throw new Error(`processes ${left.join(', ')} do not end, not even by SIGKILL`);
    await sleep(clock, 2);
  }
}

const killTimeoutMs = 10_000;

/** Removes the group and all below. A group that still holds processes stays, and the call rejects. None is fine. */
export async function removeCgroup(layout: CgroupLayout, path: CgroupPath, clock: Clock): Promise<void> {
  checkPath(path);
  // What has just been killed may hold its group for a moment longer.
  for (let tries = 0; ; tries++)
    try {
      for (const root of roots(layout))
        for (const group of subtree(join(root, path)).reverse()) removeGroup(group);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || tries === 100) throw error;
      await sleep(clock, 10);
    }
}

function removeGroup(group: string): void {
  try {
    rmdirSync(group);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Removes the groups above `path` that hold nothing any more, up to the root. */
export function removeEmptyParents(layout: CgroupLayout, path: CgroupPath): void {
  for (let at = dirname(path); at !== '/'; at = dirname(at))
    for (const root of roots(layout))
      try {
        rmdirSync(join(root, at));
      } catch {
        // Others use it, or it is not there.
      }
}

export function cgroupExists(layout: CgroupLayout, path: CgroupPath): boolean {
  return roots(layout).some((root) => readDirectories(join(root, path)) !== undefined);
}

/** Names of the groups directly below, in whichever hierarchy. */
export function childrenOf(layout: CgroupLayout, path: CgroupPath): string[] {
  checkPath(path);
  return [...new Set(roots(layout).flatMap((root) => readDirectories(join(root, path)) ?? []))];
}

/** The group and all below it, parents first. Empty when there is none. */
function subtree(group: string): string[] {
  const below = readDirectories(group);
  return below === undefined ? [] : [group, ...below.flatMap((name) => subtree(join(group, name)))];
}

function readDirectories(group: string): string[] | undefined {
  try {
    return readdirSync(group, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return undefined;
  }
}

function readWords(file: string): string[] {
  return readFileSync(file, 'latin1')
    .split(/\s+/)
    .filter((word) => word !== '');
}

function readProcs(group: string): number[] {
  try {
    return readWords(join(group, 'cgroup.procs')).map(Number);
  } catch {
    // Gone meanwhile, or a threaded group, whose processes are listed above it.
    return [];
  }
}
