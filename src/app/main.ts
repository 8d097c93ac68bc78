// The program: hands the command line to `cli` and imports each command's parts only when it is called.
import { runProgram } from '../cli/index.ts';
import { createClusterHandlers } from './up.ts';
import { programVersion, versionInfo } from './version.ts';

// `jotasu up | head`: whoever reads has seen enough, and the work goes on.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);

process.exitCode = await runProgram(
  process.argv.slice(2),
  {
    ...createClusterHandlers({ program: import.meta.url, say }),
    server: async (flags) => (await import('./server-command.ts')).runServer(flags, say),
    agent: async (flags) => (await import('./agent-command.ts')).runAgent(flags, say),
    version: async () => say(`jotasu ${programVersion}, Kubernetes ${versionInfo.gitVersion}`),
  },
  { out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text) },
);
