// `jotasu up` and `jotasu down`: a whole cluster on this machine, and nothing of it.
import type { Command } from 'commander';
import { addressRanges, clusterAddressPool, list, listOf, whole } from '../flags.ts';
import type { ClusterFlags, Handlers, UpFlags } from '../handlers.ts';
import { clusterOption } from '../shared-options.ts';

interface Parsed extends Omit<UpFlags, 'images'> {
  image?: readonly string[];
}

export function upCommand(program: Command, handlers: Handlers): void {
  program
    .command('up')
    .description('start a cluster on this machine, or what is not running of it')
    .helpGroup('A cluster on this machine:')
    .addOption(clusterOption())
    .option('--nodes <count>', 'how many nodes (default: 3, or as many as there are)', whole(1, 250))
    .option('--data-dir <dir>', 'where the cluster keeps its data (default: /var/lib/jotasu/NAME)')
    .option('--kubeconfig <file>', 'where to add the context (default: $KUBECONFIG or ~/.kube/config)')
    .option(
      '--cluster-cidr <ranges>',
      'addresses of pods; two ranges for two families: 10.244.0.0/16,fd00:10:244::/56 (default: a free IPv4 range)',
      addressRanges,
    )
    .option(
      '--service-cidr <ranges>',
      'addresses of services, of the same families: 10.96.0.0/16,fd00:10:96::/112 (default: free ranges)',
      addressRanges,
    )
    .option('--image <files>', 'image archives to load into every node', list)
    .option(
      '--without <parts>',
      'leave out local-storage (the default storage class), servicelb (addresses of load balancers), ingress (HAProxy on each node)',
      listOf(['local-storage', 'servicelb', 'ingress']),
    )
    .option(
      '--servicelb-pool <ranges>',
      'addresses for services of type LoadBalancer: FIRST-LAST or ADDRESS/LENGTH, auto for some on the link of the nodes (default: those of the nodes themselves)',
      clusterAddressPool,
    )
    .option('--no-install', 'say which packages are missing instead of installing them')
    .action(({ image, ...rest }: Parsed) => handlers.up({ ...rest, images: image ?? [] }));
}

export function downCommand(program: Command, handlers: Handlers): void {
  program
    .command('down')
    .description('stop the cluster and remove it, its data included')
    .helpGroup('A cluster on this machine:')
    .addOption(clusterOption())
    .action((flags: ClusterFlags) => handlers.down(flags));
}
