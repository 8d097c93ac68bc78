// The program: hands the command line to `cli` and imports each command's parts only when it is called.

import { systemClock } from '../base/index.ts';
import { runProgram } from '../cli/index.ts';
import type { TokenSurroundings } from './join/token-command.ts';
import { createClusterHandlers, systemMachine } from './up.ts';
import { programVersion, versionInfo } from './version.ts';

// `jotasu up | head`: whoever reads has seen enough, and the work goes on.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const around = (): TokenSurroundings => {
  const { defaultKubeconfig, command } = systemMachine({ program: import.meta.url, say });
  return { clock: systemClock, say, defaultKubeconfig, command };
};
const tokens = () => import('./join/token-command.ts');

process.exitCode = await runProgram(
  process.argv.slice(2),
  {
    ...createClusterHandlers({ program: import.meta.url, say }),
    server: async (flags) => (await import('./server-command.ts')).runServer(flags, say),
    agent: async (flags) => (await import('./agent-command.ts')).runAgent(flags, say),
    tokenCreate: async (flags) => (await tokens()).tokenCreate(flags, around()),
    tokenList: async (flags) => (await tokens()).tokenList(flags, around()),
    tokenDelete: async (flags) => (await tokens()).tokenDelete(flags, around()),
    datastoreCopy: async (flags) => {
      const { realSurroundings } = await import('./surroundings.ts');
      await (await import('./datastore-copy.ts')).copyDatastore(flags, realSurroundings(), say);
    },
    version: async () => say(`jotasu ${programVersion}, Kubernetes ${versionInfo.gitVersion}`),
  },
  { out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text) },
);
