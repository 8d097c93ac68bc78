// `jotasu server` in the foreground: starts, says where it is, and ends cleanly when told to.

import { TokenFileError } from '../apiserver/index.ts';
import { CommandFailure, type ServerFlags } from '../cli/index.ts';
import { ElectionTimingError } from '../client/index.ts';
import { ListenError, PkiError } from '../http/index.ts';
import { BackendUnavailable, DirectoryInUse } from '../storage/index.ts';
import { DatastoreError } from './datastore.ts';
import { type RunningServer, type ServerOptions, serverDefaults, startServer } from './server.ts';
import { endSignal, realSurroundings } from './surroundings.ts';

export async function runServer(flags: ServerFlags, say: (line: string) => void): Promise<void> {
  const { logLevel, ...given } = flags;
  const options: ServerOptions = { ...serverDefaults, ...given };
  const surroundings = realSurroundings(logLevel);
  const ended = endSignal();
  const server = await start(options, surroundings);
  const kubeconfig = options.writeKubeconfig === undefined ? '' : `, kubeconfig ${options.writeKubeconfig}`;
  say(`jotasu server is ready: ${server.url}${kubeconfig}`);
  const signal = await ended;
  surroundings.log.info('stopping', { signal });
  await server.stop();
}

/** What a person can mend is told in one line; anything else keeps its stack. */
async function start(
  options: ServerOptions,
  surroundings: Parameters<typeof startServer>[1],
): Promise<RunningServer> {
  try {
    return await startServer(options, surroundings);
  } catch (error) {
    const expected = [
      ListenError,
      PkiError,
      TokenFileError,
      DirectoryInUse,
      DatastoreError,
      BackendUnavailable,
      ElectionTimingError,
    ].some((kind) => error instanceof kind);
    const system = error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
    if (expected || system) throw new CommandFailure((error as Error).message, { cause: error });
    throw error;
  }
}
