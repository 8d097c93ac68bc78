// The processes of a cluster on this machine, found by its control groups: to be ended as crashes end them.
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { listProcesses, readCgroupLayout } from '../../src/os/index.ts';

/** Of a cluster, or of a part such as `NAME/control-plane`; those of containers too. */
export const processesOf = (part: string): number[] =>
  listProcesses(readCgroupLayout(), `/jotasu/${part}`).filter((pid) => pid !== 0);

/** Those whose command line, word by word, is such a one. */
const matching = (part: string, matches: (words: readonly string[]) => boolean): number[] =>
  processesOf(part).filter((pid) => {
    try {
      return matches(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0'));
    } catch {
      // It has just ended.
      return false;
    }
  });

export const containerdsOf = (part: string): number[] =>
  matching(part, ([program]) => program!.endsWith('/containerd'));

/** Servers and agents, with those who start them again. */
export const programsOf = (part: string): number[] =>
  matching(part, (words) => words.some((word) => word.endsWith('jotasu.js')));

/** kill -9. Who has ended meanwhile is gone as well. */
export function kill(pids: readonly number[]): void {
  for (const pid of pids)
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
}

/** The same, again until nobody is found: whom a supervisor started a moment before its own end is not in the first look. */
export const killAll = (find: () => number[]): Promise<void> =>
  expect
    .poll(() => {
      const left = find();
      kill(left);
      return left;
    })
    .toEqual([]);
