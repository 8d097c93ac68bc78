// `jotasu server` in the foreground: starts, says where it is, and ends cleanly when told to.

import { TokenFileError } from '../apiserver/index.ts';
import { CommandFailure, type ServerFlags } from '../cli/index.ts';
import { ElectionTimingError } from '../client/index.ts';
import { ListenError, PkiError } from '../http/index.ts';
import { BackendUnavailable, DirectoryInUse } from '../storage/index.ts';
import { DatastoreError } from './datastore.ts';
import { SchedulerConfigurationError } from './scheduler-configuration.ts';
import { type RunningServer, startServer } from './server.ts';
import { type ServerOptions, serverDefaults } from './server-options.ts';
import { endSignal, realSurroundings, type Surroundings } from './surroundings.ts';

export async function runServer(flags: ServerFlags, say: (line: string) => void): Promise<void> {
  const { logLevel, ...given } = flags;
  if (given.simulation !== undefined && given.simulateNodes === undefined)
    throw new CommandFailure('--simulation needs --simulate-nodes', { exitCode: 2 });
  const options: ServerOptions = { ...serverDefaults, ...roomForNodes(given.simulateNodes), ...given };
  const seats = options.maxRequestsInflight + options.maxMutatingRequestsInflight;
  if (options.enablePriorityAndFairness && seats === 0)
    throw new CommandFailure(
      'with priority and fairness --max-requests-inflight and --max-mutating-requests-inflight must add up to something positive',
      { exitCode: 2 },
    );
  const surroundings = realSurroundings(logLevel);
  const ended = endSignal();
  const server = await start(options, surroundings);
  const kubeconfig = options.writeKubeconfig === undefined ? '' : `, kubeconfig ${options.writeKubeconfig}`;
  say(`jotasu server is ready: ${server.url}${kubeconfig}`);
  const signal = await ended;
  surroundings.log.info('stopping', { signal });
  await server.stop();
}

/** The usual range of pods is enough for 256 nodes. 100.64.0.0/10 (RFC 6598) has a /24 for each of 16,384. */
const roomForNodes = (nodes = 0): Partial<ServerOptions> =>
  nodes > 256 ? { clusterCidr: '100.64.0.0/10' } : {};

/** What a person can mend is told in one line; anything else keeps its stack. */
async function start(options: ServerOptions, surroundings: Surroundings): Promise<RunningServer> {
  try {
    return await startServer(options, surroundings);
  } catch (error) {
    // Its class is not imported: the simulation is loaded when it is asked for.
    if (error instanceof Error && error.name === 'ScriptError')
      throw new CommandFailure(`${options.simulation}: ${error.message}`, { cause: error });
    const expected = [
      ListenError,
      PkiError,
      TokenFileError,
      DirectoryInUse,
      DatastoreError,
      BackendUnavailable,
      ElectionTimingError,
      SchedulerConfigurationError,
    ].some((kind) => error instanceof kind);
    const system = error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
    if (expected || system) throw new CommandFailure((error as Error).message, { cause: error });
    throw error;
  }
}
