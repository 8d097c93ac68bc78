// `jotasu node …`: nodes of a cluster on this machine.
import type { Command } from 'commander';
import { nodeName, whole } from '../flags.ts';
import type { ClusterFlags, Handlers, NodeAddFlags, NodeFlags } from '../handlers.ts';
import { clusterOption, outputOption } from '../shared-options.ts';

const kubeconfigHelp = 'of a server that simulates nodes, instead of a cluster of this machine';

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
      .option('--kubeconfig <file>', kubeconfigHelp)
      .action((which: string, { name, kubeconfig }: ClusterFlags & { kubeconfig?: string }) =>
        run({ name, node: which, ...(kubeconfig !== undefined && { kubeconfig }) }),
      );
  one('kill', 'power it off: its link goes down and everything on it ends at once', handlers.nodeKill);
  one('stop', 'stop it in order; its data stays', handlers.nodeStop);
  one('start', 'start it again', handlers.nodeStart);
  one('remove', 'stop it and remove it from the cluster, its data included', handlers.nodeRemove);

  node
    .command('add')
    .description('add a node and start it')
    .argument('[node]', 'its name (default: the next number)', nodeName)
    .addOption(clusterOption())
    .option('--simulate <count>', 'nodes without containers, in the process of the server', whole(1, 16_000))
    .option('--kubeconfig <file>', kubeconfigHelp)
    .action((which: string | undefined, flags: NodeAddFlags) =>
      handlers.nodeAdd({ ...flags, ...(which !== undefined && { node: which }) }),
    );
}
