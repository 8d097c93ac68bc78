// What is around the parts of a program: clock, randomness and log; the real ones of a process that runs in the foreground, and how it
// ends.
import {
  type Clock,
  createLog,
  type Log,
  type LogLevel,
  type Random,
  systemClock,
  systemRandom,
} from '../base/index.ts';

export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export function realSurroundings(level: LogLevel = 'info'): Surroundings {
  const write = (line: string): void => void process.stderr.write(line);
  return {
    clock: systemClock,
    random: systemRandom(),
    log: createLog({ level, write, nowMs: () => Date.now() }),
  };
}

/** Resolves with the first SIGTERM or SIGINT. A second one ends the process at once, as usual. */
export function endSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const names = ['SIGTERM', 'SIGINT'] as const;
    const end = (name: NodeJS.Signals) => {
      for (const each of names) process.removeListener(each, end);
      resolve(name);
    };
    for (const name of names) process.on(name, end);
  });
}
