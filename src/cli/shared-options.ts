// Options that several commands have, so that they read the same everywhere.
import { Option } from 'commander';
import { clusterName } from './flags.ts';

export const clusterOption = (): Option =>
  new Option('--name <name>', 'which cluster').default('jotasu').argParser(clusterName);

export const outputOption = (): Option =>
  new Option('-o, --output <format>', 'for programs').choices(['json']);

export const logLevel = (): Option =>
  new Option('--log-level <level>', 'how much is logged (default: info)').choices([
    'debug',
    'info',
    'warn',
    'error',
  ]);
