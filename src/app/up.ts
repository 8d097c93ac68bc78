// The commands on clusters of this machine, wired to the real machine. Each is imported when it is called.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../base/index.ts';
import { CommandFailure, type Handlers } from '../cli/index.ts';
import { type CgroupLayout, findProgram, readCgroupLayout, systemExec } from '../os/index.ts';
import type { Machine } from './cluster/machine.ts';
import { programVersion } from './version.ts';

export type ClusterHandlers = Omit<
  Handlers,
  'server' | 'agent' | 'version' | 'tokenCreate' | 'tokenList' | 'tokenDelete' | 'datastoreCopy'
>;

/**
 * `program`: the file that starts this program again, e.g. the bundle. `say` prints one line.
 */
export function createClusterHandlers(options: {
  program: string;
  say: (line: string) => void;
}): ClusterHandlers {
  const machine = systemMachine(options);
  return readable({
    up: async (flags) => {
      const { up } = await import('./cluster/up.ts');
      await interruptible((signal) => up(machine, flags, signal));
    },
    down: async (flags) => (await import('./cluster/down.ts')).down(machine, flags),
    status: async (flags) => (await import('./cluster/status.ts')).status(machine, flags),
    nodeList: async (flags) => (await import('./cluster/status.ts')).nodeList(machine, flags),
    nodeKill: async (flags) => (await import('./cluster/nodes.ts')).nodeKill(machine, flags),
    nodeStop: async (flags) => (await import('./cluster/nodes.ts')).nodeStop(machine, flags),
    nodeStart: async (flags) => {
      const { nodeStart } = await import('./cluster/nodes.ts');
      await interruptible((signal) => nodeStart(machine, flags, signal));
    },
    nodeAdd: async (flags) => {
      const { nodeAdd } = await import('./cluster/nodes.ts');
      await interruptible((signal) => nodeAdd(machine, flags, signal));
    },
    nodeRemove: async (flags) => (await import('./cluster/nodes.ts')).nodeRemove(machine, flags),
    imageLoad: async (flags) => (await import('./cluster/images.ts')).imageLoad(machine, flags),
  });
}

/** What a person can do something about is told without a stack: a server that does not answer, a kubeconfig that is none. */
function readable(handlers: ClusterHandlers): ClusterHandlers {
  const entries = Object.entries(handlers).map(([name, handle]) => [
    name,
    async (flags: never) => {
      try {
        await handle(flags);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        if (error.name === 'ConnectionError')
          throw new CommandFailure(`the server does not answer: ${error.message}`, { cause: error });
        if (error.name === 'KubeconfigError') throw new CommandFailure(error.message, { cause: error });
        throw error;
      }
    },
  ]);
  return Object.fromEntries(entries) as ClusterHandlers;
}

const systemPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export function systemMachine({ program, say }: { program: string; say: (line: string) => void }): Machine {
  const { env, execPath, execArgv } = process;
  // An ordinary user's PATH, kept by su, lacks the administrators' programs: nft, ip, containerd's helpers.
  const searchPath = [
    ...new Set([...(env['PATH'] ?? '').split(':').filter((f) => f !== ''), ...systemPath]),
  ].join(':');
  env['PATH'] = searchPath;
  let cgroups: CgroupLayout | undefined;
  return {
    exec: systemExec,
    clock: systemClock,
    cgroups: () => (cgroups ??= readCgroupLayout()),
    program: [execPath, ...execArgv, program.startsWith('file:') ? fileURLToPath(program) : program],
    command: findProgram('jotasu', searchPath) === undefined ? './jotasu' : 'jotasu',
    programVersion,
    searchPath,
    // As kubectl: of several files in the variable the first is written.
    defaultKubeconfig:
      env['KUBECONFIG']?.split(':').find((file) => file !== '') ?? join(homedir(), '.kube/config'),
    clustersDir: '/var/lib/jotasu',
    runDir: '/run/jotasu',
    isRoot: process.geteuid?.() === 0,
    say,
  };
}

/** Ctrl-C aborts, so that what was made is undone; a second one ends the process as usual. */
async function interruptible(run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const abort = new AbortController();
  const stop = () => {
    // Only the first is ours.
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop);
    abort.abort(new CommandFailure('interrupted', { exitCode: 130 }));
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, stop);
  try {
    await run(abort.signal);
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop);
  }
}
