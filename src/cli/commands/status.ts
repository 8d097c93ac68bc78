// `jotasu status` and `jotasu version`.
import type { Command } from 'commander';
import type { ClusterFlags, Handlers } from '../handlers.ts';
import { clusterOption, outputOption } from '../shared-options.ts';

export function statusCommand(program: Command, handlers: Handlers): void {
  program
    .command('status')
    .description('show the server and the nodes of the cluster')
    .helpGroup('A cluster on this machine:')
    .addOption(clusterOption())
    .addOption(outputOption())
    .action(({ name, output }: ClusterFlags & { output?: 'json' }) =>
      handlers.status({ name, output: output ?? 'text' }),
    );
}

export function versionCommand(program: Command, handlers: Handlers): void {
  program
    .command('version')
    .description('show which program this is')
    .helpGroup('Other:')
    .action(() => handlers.version());
}
