// What the options of a server mean. All of it is read and checked before anything is opened or started, so that whoever wrote them
// hears of a mistake at once.
import { readFileSync } from 'node:fs';
import { parseTokenFile } from '../apiserver/index.ts';
import { checkElectionTiming, type ElectionTiming } from '../client/index.ts';
import type { SchedulerConfiguration } from '../scheduler/index.ts';
import type { ControlLoopsOptions } from './control-loops.ts';
import { DatastoreError, parseDatastore } from './datastore.ts';
import { schedulerConfiguration } from './scheduler-configuration.ts';
import type { ServerOptions } from './server-options.ts';
import { versionInfo } from './version.ts';

export interface ServerSettings {
  /** Of the token file; undefined = there is none. */
  readonly users: ReturnType<typeof parseTokenFile> | undefined;
  /** null when no other server can share the store. */
  readonly election: ElectionTiming | null;
  /** undefined = no simulated nodes are run. */
  readonly simulation: ControlLoopsOptions['simulation'];
  /** undefined = kube-scheduler's defaults. */
  readonly scheduling: SchedulerConfiguration | undefined;
}

/**
 * Rejects with TokenFileError, DatastoreError, ElectionTimingError, ScriptError, SchedulerConfigurationError, and with what reading a
 * file throws.
 */
export async function readServerSettings(options: ServerOptions): Promise<ServerSettings> {
  const { tokenAuthFile } = options;
  const users =
    tokenAuthFile === undefined
      ? undefined
      : parseTokenFile(tokenAuthFile, readFileSync(tokenAuthFile, 'utf8'));
  const isShared = parseDatastore(options.datastoreEndpoint).kind === 'etcd';
  if (!isShared && (options.token ?? options.tokenFile) !== undefined)
    throw new DatastoreError(
      '--token and --token-file are of use with etcd only: other stores have one server',
    );
  const election = isShared ? electionOf(options) : null;
  const simulation = await simulationOf(options);
  const scheduling = await schedulerConfiguration(options.schedulerConfig);
  return { users, election, simulation, scheduling };
}

const electionOf = (options: ServerOptions): ElectionTiming =>
  checkElectionTiming({
    leaseDurationMs: options.leaderElectLeaseDurationMs,
    renewDeadlineMs: options.leaderElectRenewDeadlineMs,
    retryPeriodMs: options.leaderElectRetryPeriodMs,
  });

async function simulationOf(options: ServerOptions): Promise<ServerSettings['simulation']> {
  const { simulateNodeGroups: groups, simulation: file } = options;
  const nodes = options.simulateNodes ?? (groups.length > 0 ? 0 : undefined);
  if (nodes === undefined) return undefined;
  // Loaded when it is asked for: a server without simulated nodes starts sooner.
  const { defaultScript, parseScript } = await import('../simulation/index.ts');
  const script = file === undefined ? defaultScript : await parseScript(readFileSync(file, 'utf8'));
  const scaleDown = {
    unneededMs: options.scaleDownUnneededTimeMs,
    delayAfterAddMs: options.scaleDownDelayAfterAddMs,
  };
  return { nodes, groups, scaleDown, script, version: versionInfo.gitVersion };
}
