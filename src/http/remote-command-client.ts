// Runs a remote command on a streaming server over SPDY with v4.channel.k8s.io: what container runtimes offer at the URL that
// they answer to Exec and Attach.
import type { Readable } from 'node:stream';
import type { Clock } from '../base/index.ts';
import {
  encodeTerminalSize,
  parseStatus,
  type RemoteProcess,
  type RemoteStatus,
  type RemoteStreamOptions,
} from './remote-command.ts';
import type { SpdyStream } from './spdy-session.ts';
import { connectSpdy } from './spdy-upgrade.ts';

const connectTimeoutMs = 30_000;
const pingPeriodMs = 30_000;
const maxStatusBytes = 1024 * 1024;

/**
 * Resolves when every stream stands. Rejects with an Error that says why not: the server does not answer, refuses, or takes
 * too long. The command may run already when it rejects.
 */
export async function openRemoteProcess(
  url: string,
  options: RemoteStreamOptions,
  clock: Clock,
): Promise<RemoteProcess> {
  const { session } = await connectSpdy({
    url,
    protocols: ['v4.channel.k8s.io'],
    timeoutMs: connectTimeoutMs,
    clock,
  });
  const open = (wanted: boolean, type: string): Promise<SpdyStream> | undefined =>
    wanted ? session.openStream(new Map([['streamtype', type]])) : undefined;
  const timer = clock.after(connectTimeoutMs, () => session.destroy(new Error('the streams were not taken')));
  try {
    // The order in which Kubernetes' own clients open them.
    const [error, stdin, stdout, stderr, resize] = await Promise.all([
      open(true, 'error')!,
      open(options.stdin, 'stdin'),
      open(options.stdout, 'stdout'),
      open(options.stderr && !options.tty, 'stderr'),
      open(options.tty, 'resize'),
    ]);
    // Nothing comes back on these; their end must be read all the same.
    stdin?.resume();
    resize?.resume();
    const ping = () => {
      session.ping();
      pinger = clock.after(pingPeriodMs, ping);
    };
    let pinger = clock.after(pingPeriodMs, ping);
    void session.closed.then(() => pinger.cancel());
    return {
      stdin,
      stdout,
      stderr,
      resize: (size) => void resize?.write(encodeTerminalSize(size)),
      status: readStatus(error),
      destroy: () => session.destroy(),
    };
  } catch (cause) {
    session.destroy();
    throw new Error(`no session with the runtime: ${(session.error ?? (cause as Error)).message}`, { cause });
  } finally {
    timer.cancel();
  }
}

function readStatus(stream: Readable): Promise<RemoteStatus | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxStatusBytes) chunks.push(chunk);
  });
  return new Promise((resolve) =>
    stream.once('end', () =>
      resolve(size === 0 ? undefined : parseStatus(Buffer.concat(chunks).toString('utf8'))),
    ),
  );
}
