// `jotasu image …`: images on the nodes of a cluster on this machine.
import type { Command } from 'commander';
import { list } from '../flags.ts';
import type { ClusterFlags, Handlers } from '../handlers.ts';
import { clusterOption } from '../shared-options.ts';

export function imageCommand(program: Command, handlers: Handlers): void {
  const image = program
    .command('image')
    .description('load images into the nodes')
    .helpGroup('A cluster on this machine:');
  image
    .command('load')
    .description('load image archives (OCI or docker, as tar, perhaps with gzip)')
    .argument('<files...>', 'the archives')
    .addOption(clusterOption())
    .option('--nodes <names>', 'only into these nodes', list)
    .option('--as <image>', 'the name of the image, when the archive holds none')
    .action((files: string[], { name, nodes, as }: ClusterFlags & { nodes?: string[]; as?: string }) =>
      handlers.imageLoad({
        name,
        files,
        ...(nodes !== undefined && { nodes }),
        ...(as !== undefined && { as }),
      }),
    );
}
