// The control plane of a cluster of this machine: `jotasu server` as a process of its own.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { sleep } from '../../base/index.ts';
import { CommandFailure } from '../../cli/index.ts';
import { ConnectionError } from '../../http/index.ts';
import {
  ensureCgroup,
  identifyProcess,
  isAlive,
  joinFiles,
  killCgroup,
  limitCgroup,
  type ProcessIdentity,
  planCommandInGroups,
  removeCgroup,
  stopProcess,
} from '../../os/index.ts';
import { connectControlApi } from './control-api.ts';
import type { Machine } from './machine.ts';
import { clusterCgroup, firstOf, logDir, serverCgroup, serverDir, serverLog, serverRuns } from './places.ts';
import { type ClusterState, readFreeBytes, type StateHolder } from './state.ts';
import { planSupervised, readRuns } from './supervisor.ts';

/** Beside its database: an open file of lmdb is not to be cut off in the middle of a commit without need. */
const stopGraceMs = 10_000;
const readyTimeoutMs = 60_000;

/** Whether it is kept running: its supervisor lives. */
export const isServerAlive = (state: ClusterState): boolean => state.server !== null && isAlive(state.server);

/**
 * What the groups weigh against others. A group weighs as much as one process unless told otherwise: a whole cluster would have
 * the CPU time of one compiler, and nodes that wait so long for theirs look dead. Within the cluster the server, which hears
 * them, comes before the pods of a node. Pure.
 */
export function planShares(state: ClusterState): readonly (readonly [group: string, cpuShares: number])[] {
  const cluster = clusterCgroup(state);
  return [
    [dirname(cluster), 8192],
    [cluster, 8192],
    [serverCgroup(state), 4096],
  ];
}

/** The command line of the server. Pure. */
export function planServerCommand(state: ClusterState, program: readonly string[]): string[] {
  return [
    ...program,
    'server',
    `--data-dir=${serverDir(state)}`,
    // `::` takes IPv4 too.
    `--bind-address=${firstOf(state.gateway).includes(':') ? '::' : '0.0.0.0'}`,
    `--https-listen-port=${state.apiPort}`,
    `--advertise-address=${firstOf(state.gateway)}`,
    `--cluster-cidr=${state.podCidr}`,
    `--service-cidr=${state.serviceCidr}`,
    `--write-kubeconfig=${join(state.dataDir, 'admin.kubeconfig')}`,
    // None of its own; "node add --simulate" makes them.
    '--simulate-nodes=0',
    ...((state.without ?? []).length > 0 ? [`--without=${state.without!.join()}`] : []),
    ...(state.servicelbPool === undefined ? [] : [`--servicelb-pool=${state.servicelbPool.join()}`]),
  ];
}

/** Starts it and its supervisor unless they run, and waits until /readyz says ok. A CommandFailure carries the end of its log. */
export async function ensureServer(
  machine: Machine,
  holder: StateHolder,
  signal: AbortSignal,
): Promise<'made' | 'there'> {
  const state = holder.now;
  const there = isServerAlive(state);
  const failuresBefore = there ? readRuns(serverRuns(state)).failures : 0;
  if (!there) {
    const group = serverCgroup(state);
    const cgroups = machine.cgroups();
    // A server whose start was recorded by nobody.
    await killCgroup(cgroups, group, machine.clock);
    await checkPortFree(state.apiPort);
    ensureCgroup(cgroups, group);
    // A machine whose kernel does not weigh groups runs the cluster too; only when it is busy the cluster has to wait.
    for (const [path, cpuShares] of planShares(state)) limitCgroup(cgroups, path, { cpuShares });
    for (const path of [serverDir(state), logDir(state)]) mkdirSync(path, { recursive: true, mode: 0o700 });
    rmSync(serverRuns(state), { force: true });
    const supervised = planSupervised(planServerCommand(state, machine.program), serverRuns(state));
    const command = planCommandInGroups(joinFiles(cgroups, group), supervised);
    const { pid } = await machine.exec.spawnDetached(command, { logFile: serverLog(state) });
    holder.change({ server: identify(pid, 'the server', serverLog(state)) });
  }
  await waitUntilReady(machine, holder.now, { failuresBefore, signal });
  return there ? 'there' : 'made';
}

/** What was just started; a CommandFailure with its log when it has ended already. */
export function identify(pid: number, what: string, log: string): ProcessIdentity {
  const identity = identifyProcess(pid);
  if (identity === undefined) throw new CommandFailure(`${what} ended at once${endOfLog(log)}`);
  return identity;
}

async function waitUntilReady(
  machine: Machine,
  state: ClusterState,
  { failuresBefore, signal }: { failuresBefore: number; signal: AbortSignal },
): Promise<void> {
  const { clock } = machine;
  const deadline = clock.monotonicMs() + readyTimeoutMs;
  let last = 'nothing was heard of it';
  for (;;) {
    // Its supervisor would try again; whoever waits here rather learns why.
    if (!isServerAlive(state) || readRuns(serverRuns(state)).failures > failuresBefore)
      throw new CommandFailure(`the server ended${endOfLog(serverLog(state))}`);
    try {
      const api = connectControlApi(state, clock);
      try {
        if (await api.isReady()) return;
        last = '/readyz does not say ok';
      } finally {
        api.close();
      }
    } catch (error) {
      // Its certificates are not there yet, or it does not listen yet.
      const code = (error as NodeJS.ErrnoException).code;
      if (!(error instanceof ConnectionError) && code !== 'ENOENT') throw error;
      last = (error as Error).message;
    }
    if (clock.monotonicMs() > deadline)
      throw new CommandFailure(
        `the server is not ready after ${readyTimeoutMs / 1000} s (${last})${endOfLog(serverLog(state))}`,
      );
    await sleep(clock, 20, signal);
  }
}

export async function stopServer(machine: Machine, holder: StateHolder): Promise<void> {
  const { server } = holder.now;
  if (server !== null) await stopProcess(server, stopGraceMs, machine.clock);
  await killCgroup(machine.cgroups(), serverCgroup(holder.now), machine.clock);
  await removeCgroup(machine.cgroups(), serverCgroup(holder.now), machine.clock);
}

export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    );
    probe.listen({ port, host: '0.0.0.0', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

async function checkPortFree(port: number): Promise<void> {
  if (!(await isPortFree(port)))
    throw new CommandFailure(
      `port ${port} is in use by another program, and this cluster's kubeconfigs name it; stop that program and try again`,
    );
}

const shownLines = 15;
const fullDiskBytes = 256 << 10;

/** For an error message: that its disk is full, a line feed and the last lines of a log, or nothing. */
export function endOfLog(file: string): string {
  // Then the log may lack the very line that says so.
  const full = readFreeBytes(file) < fullDiskBytes ? `; the disk that holds ${dirname(file)} is full` : '';
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trimEnd();
  } catch {
    return full;
  }
  if (text === '') return full;
  const lines = text.split('\n').slice(-shownLines);
  return `${full}; the end of ${file}:\n${lines.map((line) => `    ${line}`).join('\n')}`;
}
