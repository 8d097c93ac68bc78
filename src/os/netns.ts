// Network namespaces with a name: a file that a namespace is mounted on, which keeps it alive without a process. The choice: the
// files lie in a folder of ours and not in /run/netns, so that making and removing them touches nothing that others look at.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { unescapeMount } from './cgroup-layout.ts';
import type { Exec } from './exec.ts';

/** Makes an empty network namespace and pins it to `file`; what is pinned there stays. */
export async function ensureNetns(exec: Exec, file: string): Promise<void> {
  if (isPinned(file)) return;
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  writeFileSync(file, '');
  await exec.run(['unshare', `--net=${file}`, 'true'], { timeoutMs: 20_000 });
}

/** Lets go of it; with its last process and pin the namespace is gone, and with it every link inside. None is fine. */
export async function removeNetns(exec: Exec, file: string): Promise<void> {
  // Pinned twice when two starts raced: undo each.
  while (isPinned(file)) await exec.run(['umount', file], { timeoutMs: 20_000 });
  rmSync(file, { force: true });
}

export function isPinned(file: string): boolean {
  return existsSync(file) && mountPoints(readFileSync('/proc/self/mountinfo', 'utf8')).includes(file);
}

/** The mount points of a mountinfo text, in its order. */
export function mountPoints(mountinfo: string): string[] {
  return mountinfo
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => unescapeMount(line.split(' ')[4] ?? ''));
}

/** The command line that runs `argv` in a network namespace. */
export function inNetns(file: string, argv: readonly string[]): string[] {
  return ['nsenter', `--net=${file}`, '--', ...argv];
}
