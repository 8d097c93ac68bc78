// Options that several commands have, so that they read the same everywhere.
import { type Command, Option } from 'commander';
import { clusterName, verbosity } from './flags.ts';
import type { LogFlags, LogLevelFlag, RequestLogFlags } from './handlers.ts';

export const clusterOption = (): Option =>
  new Option('--name <name>', 'which cluster').default('jotasu').argParser(clusterName);

export const outputOption = (): Option =>
  new Option('-o, --output <format>', 'for programs').choices(['json']);

/** How much is logged: `--log-level`, or `-v` with the levels that Kubernetes' programs know. */
export const withLogOptions = (command: Command, levels = '0 to 3 for info, 4 and more for debug'): Command =>
  command
    .addOption(
      new Option('--log-level <level>', 'how much is logged (default: info)').choices([
        'debug',
        'info',
        'warn',
        'error',
      ]),
    )
    .addOption(
      new Option('-v, --v <level>', `the same as Kubernetes counts it: ${levels}`)
        .argParser(verbosity)
        .conflicts('logLevel'),
    );

export interface ParsedLogOptions {
  readonly logLevel?: LogLevelFlag;
  readonly v?: number;
}

export function logFlags({ logLevel, v }: ParsedLogOptions): LogFlags {
  if (v !== undefined) return { logLevel: v >= 4 ? 'debug' : 'info' };
  return logLevel === undefined ? {} : { logLevel };
}

/** Whether each API request gets a line. kube-apiserver writes it at level 3 too. */
export function requestLogFlags({ logLevel, v }: ParsedLogOptions): RequestLogFlags {
  if (v !== undefined) return { logRequests: v >= 3 };
  return logLevel === undefined ? {} : { logRequests: logLevel === 'debug' };
}
