// kubectl exec at the node: joins a client that asked for a command (WebSocket or SPDY) with the runtime's streaming server.
// The runtime is asked first, so that what it refuses is a plain HTTP answer; once the client is accepted everything is told in
// the session's status. The process is the runtime's: when the client goes it sees the end of its input, and may run on.
import type { Clock, Log } from '../base/index.ts';
import {
  acceptRemoteCommand,
  failureStatus,
  openRemoteProcess,
  type RemoteProcess,
  type RemoteStreamOptions,
  type RemoteStreams,
  refuseUpgrade,
  remoteCommandRefusal,
  type Upgrade,
} from '../http/index.ts';
import { type ContainerRuntime, RuntimeError } from '../os/index.ts';

export interface RemoteCommand {
  readonly containerId: string;
  readonly command: readonly string[];
  readonly streams: RemoteStreamOptions;
}

export interface RemoteCommandTarget extends RemoteCommand {
  readonly runtime: Pick<ContainerRuntime, 'exec'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Cuts the session, so that whoever waits for its end can stop. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads `?command=ls&command=-l&input=1&output=1&error=1&tty=1`, the query of the node's exec URL. A string says what is wrong
 * with it, for a 400. (Attach has the same query without a command; it needs only the streams.)
 */
export function parseExecQuery(query: URLSearchParams): Pick<RemoteCommand, 'command' | 'streams'> | string {
  const command = query.getAll('command');
  if (command.length === 0) return 'you must specify at least 1 command for exec';
  const streams = parseStreamQuery(query);
  return typeof streams === 'string' ? streams : { command, streams };
}

export function parseStreamQuery(query: URLSearchParams): RemoteStreamOptions | string {
  const has = (name: string) => query.get(name) === '1' || query.get(name) === 'true';
  const tty = has('tty');
  const streams = {
    stdin: has('input'),
    stdout: has('output'),
    // A terminal has one output.
    stderr: has('error') && !tty,
    tty,
  };
  if (!streams.stdin && !streams.stdout && !streams.stderr)
    return 'you must specify at least 1 of stdin, stdout, stderr';
  return streams;
}

/** Takes over the connection. Resolves when the session has ended and nothing of it is left; never rejects. */
export function handleExec(upgrade: Upgrade, target: RemoteCommandTarget): Promise<void> {
  const { runtime, containerId, command, streams } = target;
  return serveRemoteCommand(upgrade, {
    ...target,
    open: () => runtime.exec({ containerId, command, ...streams }),
  });
}

export interface RemoteSession
  extends Pick<RemoteCommandTarget, 'containerId' | 'streams' | 'clock' | 'log' | 'signal'> {
  /** Resolves to the URL at which the runtime streams the session. */
  open(): Promise<string>;
}

const httpStatus = (error: unknown): number =>
  !(error instanceof RuntimeError)
    ? 500
    : error.code === 'notFound'
      ? 404
      : error.code === 'unavailable'
        ? 503
        : 500;

/** Joins a client with any session that the runtime streams with these protocols: exec, attach. As `handleExec` otherwise. */
export async function serveRemoteCommand(upgrade: Upgrade, session: RemoteSession): Promise<void> {
  const refusal = remoteCommandRefusal(upgrade);
  if (refusal !== undefined) {
    refuseUpgrade(upgrade.socket, refusal);
    return;
  }
  const { signal } = session;
  if (signal === undefined) return serve(upgrade, session);
  let cut = () => {};
  const aborted = new Promise<void>((resolve) => {
    cut = () => {
      // Everything else follows from its end.
      upgrade.socket.destroy();
      resolve();
    };
  });
  if (signal.aborted) cut();
  signal.addEventListener('abort', cut, { once: true });
  await Promise.race([serve(upgrade, session), aborted]);
  signal.removeEventListener('abort', cut);
}

async function serve(upgrade: Upgrade, { streams, clock, log, ...session }: RemoteSession): Promise<void> {
  let process: RemoteProcess;
  try {
    process = await openRemoteProcess(await session.open(), streams, clock);
  } catch (error) {
    log.info('remote command refused', { container: session.containerId, error });
    refuseUpgrade(upgrade.socket, { status: httpStatus(error), message: (error as Error).message });
    return;
  }
  const client = upgrade.socket.destroyed ? undefined : await acceptRemoteCommand(upgrade, streams, clock);
  if (client === undefined) process.destroy();
  else await join(client, process);
}

async function join(client: RemoteStreams, process: RemoteProcess): Promise<void> {
  void client.closed.then(() => process.destroy());
  client.onResize((size) => process.resize(size));
  if (client.stdin !== undefined && process.stdin !== undefined) {
    const { stdin } = client;
    stdin.pipe(process.stdin);
    // Input for a process that takes none any more is read and dropped: it would hold up the client's other messages.
    process.stdin.once('close', () => stdin.resume());
  }
  await Promise.all([copy(process.stdout, client.stdout), copy(process.stderr, client.stderr)]);
  const status = await process.status;
  client.stdin?.unpipe();
  await client.finish(status ?? failureStatus('the connection to the container runtime was lost'));
  process.destroy();
}

/** Resolves when everything has been read, or nobody is left to write it to. */
function copy(from: RemoteProcess['stdout'], to: RemoteStreams['stdout']): Promise<void> {
  if (from === undefined || to === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    from.once('end', resolve);
    from.once('close', resolve);
    to.once('close', () => {
      from.resume();
      resolve();
    });
    from.pipe(to);
  });
}
