// One command at a time on a cluster. The choice: the kernel's lock on the cluster's own directory, held by a child whose input we
// keep open; so nothing is left when a command is killed, and no file is needed that outlives the cluster.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statSync } from 'node:fs';

export type Release = () => Promise<void>;

/** Makes the directory if need be. `onWait` is called once when another command holds it. */
export async function lockDirectory(directory: string, onWait: () => void): Promise<Release> {
  for (let told = false; ; ) {
    mkdirSync(directory, { recursive: true });
    const inode = statSync(directory).ino;
    let release = await tryLock(directory, ['-n']);
    if (release === undefined) {
      if (!told) onWait();
      told = true;
      release = await tryLock(directory, []);
      if (release === undefined) throw new Error(`cannot lock ${directory}`);
    }
    // Whoever held it may have removed the directory: then this lock is one on nothing.
    if (statSync(directory, { throwIfNoEntry: false })?.ino === inode) return release;
    await release();
  }
}

async function tryLock(directory: string, flags: readonly string[]): Promise<Release | undefined> {
  // Detached: Ctrl-C is for us to act upon, and the lock must hold until we have.
  const holder = spawn('flock', [...flags, directory, 'sh', '-c', 'echo held; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  const ended = once(holder, 'exit');
  ended.catch(() => {});
  holder.stdin.on('error', () => {});
  const held = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!held) return undefined;
  return async () => {
    holder.stdin.end();
    await ended;
  };
}
