// Ingress of `jotasu agent`, wired to this machine.
import { mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { Node, servesIngressAnnotation } from '../api/index.ts';
import { type Clock, type Log, Scope } from '../base/index.ts';
import type { Client, Informers } from '../client/index.ts';
import { startNodeIngress } from '../ingress/index.ts';
import { systemExec } from '../os/index.ts';

const httpPort = 80;
const httpsPort = 443;
/** As ingress-nginx'. */
const metricsPort = 10254;
const mostConnections = 16_384;
const mostThreads = 4;
/** Whom Debian's package makes for it. */
const ownUser = 'haproxy';

export interface IngressConfig {
  readonly nodeName: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly without: readonly ('dns' | 'ingress')[];
}

/** Nothing waits for it: a machine that lacks HAProxy is told so in the log, and everything else goes on. */
export function startIngress(
  config: IngressConfig,
  { client, informers, clock, log }: { client: Client; informers: Informers; clock: Clock; log: Log },
): { stop(): Promise<void> } {
  const { nodeName, stateDir, runDir, without } = config;
  if (without.includes('ingress')) return new Scope(log);
  const logFile = join(stateDir, 'log/haproxy.log');
  mkdirSync(dirname(logFile), { recursive: true });
  return startNodeIngress({
    client,
    informers,
    settings: {
      directory: join(runDir, 'ingress'),
      httpPort,
      httpsPort,
      metricsPort,
      maxConnections: connectionsFor(openFilesLimit(readIfThere('/proc/self/limits'))),
      threads: Math.min(mostThreads, availableParallelism()),
      ipv6: readIfThere('/proc/net/if_inet6') !== '',
      user: readIfThere('/etc/passwd').includes(`\n${ownUser}:`) ? ownUser : undefined,
    },
    logFile,
    exec: systemExec,
    clock,
    log,
    announce: async (serves) => {
      const annotations = { [servesIngressAnnotation]: serves ? 'true' : null };
      await client(Node).patch({ name: nodeName }, 'merge', { metadata: { annotations } });
    },
  });
}

/** The hard limit of /proc/PID/limits. */
const openFilesLimit = (limits: string): number =>
  Number(/^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1] ?? mostConnections * 3);

/** Each is two files, and some are the process' own. */
const connectionsFor = (files: number): number =>
  Math.max(100, Math.min(mostConnections, Math.floor((files - 200) / 2)));

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
