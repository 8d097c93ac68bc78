// `jotasu token …`: what other machines join with. The credentials are those of a kubeconfig, as kubectl takes them.
import type { Command } from 'commander';
import { durationMs } from '../flags.ts';
import type { Handlers, TokenCreateFlags, TokenFlags } from '../handlers.ts';

interface Parsed extends TokenFlags {
  readonly ttl?: number;
  readonly description?: string;
}

export function tokenCommand(program: Command, handlers: Handlers): void {
  const token = program
    .command('token')
    .description('make, list or delete the tokens by which other machines join')
    .helpGroup('A cluster of several machines:');

  const withKubeconfig = (command: Command): Command =>
    command
      .option('--kubeconfig <file>', "an administrator's (default: $KUBECONFIG, then ~/.kube/config)")
      .option('--context <name>', 'of the kubeconfig (default: its current one)');

  withKubeconfig(token.command('create'))
    .description('make a token, and show what to type on the machine that joins')
    .option('--ttl <time>', 'for how long machines can join by it, 0 for ever (default: 24h)', durationMs)
    .option('--description <text>', 'for whoever reads the list')
    .action(({ ttl, ...flags }: Parsed) => {
      const given: TokenCreateFlags = { ...flags, ...(ttl !== undefined && { ttlMs: ttl }) };
      return handlers.tokenCreate(given);
    });
  withKubeconfig(token.command('list'))
    .description('show the tokens, without their secret part')
    .action((flags: Parsed) => handlers.tokenList(flags));
  withKubeconfig(token.command('delete'))
    .description('delete a token; nodes that joined by it stay')
    .argument('<token>', 'its ID, or the whole token')
    .action((which: string, flags: Parsed) => handlers.tokenDelete({ ...flags, token: which }));
}
