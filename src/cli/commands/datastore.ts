// `jotasu datastore copy`: from one server's own store to one that several share, or back.
import type { Command } from 'commander';
import type { DatastoreCopyFlags, Handlers } from '../handlers.ts';

export function datastoreCommand(program: Command, handlers: Handlers): void {
  const datastore = program
    .command('datastore')
    .description('move what a cluster is made of to another store')
    .helpGroup('A cluster of several machines:');
  datastore
    .command('copy')
    .description('copy every object into a store that is empty; no server may use either of them meanwhile')
    .requiredOption('--from <store>', 'lmdb=DIR, the data directory of a server, or etcd=URL,URL')
    .requiredOption('--to <store>', 'the same')
    .option('--etcd-prefix <path>', 'under which everything is kept in etcd (default: /jotasu)')
    .option('--etcd-cafile <file>', 'certificate authority of https etcd endpoints')
    .option('--etcd-certfile <file>', 'client certificate for etcd')
    .option('--etcd-keyfile <file>', 'its key')
    .action((flags: DatastoreCopyFlags) => handlers.datastoreCopy(flags));
}
