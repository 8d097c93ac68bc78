// `jotasu node …`: nodes of a cluster on this machine.
import type { Command } from 'commander';
import { nodeName } from '../flags.ts';
import type { ClusterFlags, Handlers, NodeFlags } from '../handlers.ts';
import { clusterOption, outputOption } from '../shared-options.ts';

export function nodeCommand(program: Command, handlers: Handlers): void {
  const node = program
    .command('node')
    .description('list, kill, stop, start, add or remove nodes')
    .helpGroup('A cluster on this machine:');

  node
    .command('list')
    .description('show the nodes')
    .addOption(clusterOption())
    .addOption(outputOption())
    .action(({ name, output }: ClusterFlags & { output?: 'json' }) =>
      handlers.nodeList({ name, output: output ?? 'text' }),
    );

  const one = (verb: string, description: string, run: (flags: NodeFlags) => Promise<void>) =>
    node
      .command(verb)
      .description(description)
      .argument('<node>', 'the name of the node', nodeName)
      .addOption(clusterOption())
      .action((which: string, { name }: ClusterFlags) => run({ name, node: which }));
  one('kill', 'power it off: its link goes down and everything on it ends at once', handlers.nodeKill);
  one('stop', 'stop it in order; its data stays', handlers.nodeStop);
  one('start', 'start it again', handlers.nodeStart);
  one('remove', 'stop it and remove it from the cluster, its data included', handlers.nodeRemove);

  node
    .command('add')
    .description('add a node and start it')
    .argument('[node]', 'its name (default: the next number)', nodeName)
    .addOption(clusterOption())
    .action((which: string | undefined, { name }: ClusterFlags) =>
      handlers.nodeAdd({ name, ...(which !== undefined && { node: which }) }),
    );
}
