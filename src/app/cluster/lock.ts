// One command at a time on the clusters of a machine. The choice: the kernel's own lock (flock) on their directory, held by a file
// descriptor of this process; so nothing is left when a command is killed, and no file is needed that outlives the clusters. Node
// cannot lock, so flock(1) does it on the descriptor it is handed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, fstatSync, mkdirSync, openSync, statSync } from 'node:fs';

export type Release = () => void;

/** Makes the directory if need be. `onWait` is called once when another command holds it. */
export async function lockDirectory(directory: string, onWait: () => void): Promise<Release> {
  for (let told = false; ; ) {
    mkdirSync(directory, { recursive: true });
    const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      if (!(await lock(fd, ['--nonblock']))) {
        if (!told) onWait();
        told = true;
        if (!(await lock(fd, []))) throw new Error(`cannot lock ${directory}`);
      }
      // Whoever held it may have removed the directory: then this lock is one on nothing.
      if (statSync(directory, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino)
        return () => closeSync(fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
  }
}

/** False when the lock is another's, or the wait for it was ended by a signal. */
async function lock(fd: number, flags: readonly string[]): Promise<boolean> {
  const child = spawn('flock', [...flags, '3'], { stdio: ['ignore', 'ignore', 'inherit', fd] });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0;
}
