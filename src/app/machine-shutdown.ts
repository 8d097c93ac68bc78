// Shutdowns of the machine that a node is, as far as somebody tells of them: the login manager, where systemd runs, or a SIGPWR, which is
// what init systems are sent when the power goes. Either way the node ends its pods first.
import { existsSync } from 'node:fs';
import type { Clock, Log } from '../base/index.ts';
import { delayShutdowns, systemExec } from '../os/index.ts';
import type { RunningNode } from './agent.ts';

export interface MachineShutdownOptions {
  readonly node: Pick<RunningNode, 'shutdown' | 'callOffShutdown'>;
  /** How long pods get in all; 0 = they are left as they are. */
  readonly graceSeconds: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** As sd_booted(3) finds out. */
const systemdRuns = (): boolean => existsSync('/run/systemd/system');

/** Returns at once. */
export function followLoginManager(
  { node, graceSeconds, clock, log }: MachineShutdownOptions,
  signal: AbortSignal,
): void {
  if (graceSeconds === 0) return;
  if (!systemdRuns()) {
    log.info('systemd does not run here: SIGPWR begins the shutdown of the node');
    return;
  }
  delayShutdowns(
    {
      seconds: graceSeconds,
      begun: () => node.shutdown(),
      calledOff: () => node.callOffShutdown(),
      exec: systemExec,
      clock,
      log,
    },
    signal,
  ).catch((error: unknown) =>
    log.warn('shutdowns of this machine are not announced; SIGPWR begins that of the node', { error }),
  );
}

/** Resolves with the first SIGPWR. */
export function powerSignal(): Promise<'SIGPWR'> {
  return new Promise((resolve) => process.once('SIGPWR', resolve));
}
