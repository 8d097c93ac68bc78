// A server in the process of another program. What differs from `jotasu server` is in `libraryDefaults` and nowhere else.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog, type LogLevel, silentLog, systemClock, systemRandom } from '../base/index.ts';
import { type Client, createClient, printKubeconfig } from '../client/index.ts';
import { copyingTransport } from './copying-transport.ts';
import { startServer as start } from './server.ts';
import { type ServerOptions, serverDefaults } from './server-options.ts';

/** Those of `jotasu server`, each with a default. */
export interface StartServerOptions extends Partial<ServerOptions> {
  /** Gets each line of the log, with its line feed; undefined = nothing is logged. */
  readonly log?: ((line: string) => void) | undefined;
  /** `info` when nothing is said */
  readonly logLevel?: LogLevel | undefined;
}

export interface StartedServer {
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  /** Talks to the server of this process without a network, as an administrator: `client(Pod).list({ namespace })`. */
  readonly client: Client;
  /** An administrator's, as the text of a kubeconfig file: for kubectl and other clients. Holds a private key. */
  readonly kubeconfig: string;
  /** Ends watches, finishes requests, frees the port. A second call shares the first one's end. */
  stop(): Promise<void>;
}

/** What differs from `jotasu server`: nothing is left on the machine, and nobody outside it is served. */
const libraryDefaults: Partial<ServerOptions> = {
  datastoreEndpoint: 'memory',
  bindAddress: '127.0.0.1',
  httpsListenPort: 0,
};

/**
 * Starts storage, API server, controllers and scheduler in this process; resolves when /readyz says ok. Objects are kept in memory
 * and the port is a free one, unless the options say otherwise. Certificates are in `dataDir`, which is a temporary folder that
 * `stop` removes when none is given. Rejects with an Error for a person when an option cannot be used: a port that is taken, a data
 * directory that another server uses. Signals are the caller's.
 */
export async function startServer(options: StartServerOptions = {}): Promise<StartedServer> {
  const { log: write, logLevel = 'info', dataDir, ...rest } = options;
  const log =
    write === undefined ? silentLog : createLog({ level: logLevel, write, nowMs: () => Date.now() });
  const directory = dataDir ?? mkdtempSync(join(tmpdir(), 'jotasu-server-'));
  const tidy = () => {
    if (dataDir === undefined) rmSync(directory, { recursive: true, force: true });
  };
  try {
    const server = await start(
      { ...serverDefaults, ...libraryDefaults, ...rest, dataDir: directory },
      { clock: systemClock, random: systemRandom(), log },
    );
    const { ca, admin } = server.pki;
    const entry = { name: 'jotasu', server: server.url, ca: ca.cert, cert: admin.cert, key: admin.key };
    let stopped: Promise<void> | undefined;
    return {
      url: server.url,
      client: createClient(copyingTransport(server.client.transport)),
      kubeconfig: await printKubeconfig(entry),
      stop: () => (stopped ??= server.stop().finally(tidy)),
    };
  } catch (error) {
    tidy();
    throw error;
  }
}
