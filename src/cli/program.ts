// The command line as a whole: the ordered list of commands, and how they end. The choice: nothing here exits the process or reads
// its arguments; `runProgram` takes both and returns the exit code, so that tests run it as it is.
import { Command, CommanderError } from 'commander';
import { agentCommand } from './commands/agent.ts';
import { datastoreCommand } from './commands/datastore.ts';
import { imageCommand } from './commands/image.ts';
import { nodeCommand } from './commands/node.ts';
import { serverCommand } from './commands/server.ts';
import { statusCommand, versionCommand } from './commands/status.ts';
import { tokenCommand } from './commands/token.ts';
import { downCommand, upCommand } from './commands/up.ts';
import { CommandFailure } from './failure.ts';
import type { Handlers } from './handlers.ts';

/** In the order of the help text. A further command is one file and one line here. */
const commands: readonly ((program: Command, handlers: Handlers) => void)[] = [
  upCommand,
  downCommand,
  statusCommand,
  nodeCommand,
  imageCommand,
  serverCommand,
  agentCommand,
  tokenCommand,
  datastoreCommand,
  versionCommand,
];

export interface Output {
  out(text: string): void;
  err(text: string): void;
}

export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

export function createProgram(handlers: Handlers, output: Output): Command {
  const program = new Command('jotasu')
    .description('A Kubernetes in TypeScript: clusters on this machine, and the parts they are made of.')
    .showSuggestionAfterError(true)
    .showHelpAfterError('Run with --help to see what there is.')
    .helpCommand(false)
    .configureOutput({
      writeOut: output.out,
      writeErr: output.err,
      outputError: (text, write) => write(`jotasu: ${text}`),
    })
    .exitOverride();
  for (const add of commands) add(program, handlers);
  // commander copies settings into commands as they are made, except this one.
  const inherit = (command: Command): void => {
    for (const sub of command.commands) {
      sub.exitOverride();
      sub.helpCommand(false);
      inherit(sub);
    }
  };
  inherit(program);
  return program;
}

/** Runs one command line (without `node` and the program's file). Resolves to the exit code; never rejects, never exits. */
export async function runProgram(
  args: readonly string[],
  handlers: Handlers,
  output: Output,
): Promise<number> {
  const program = createProgram(handlers, output);
  if (args.length === 0) {
    output.err(program.helpInformation());
    return exitCodes.usage;
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (error instanceof CommandFailure) {
      output.err(`jotasu: ${error.message}\n`);
      return error.exitCode;
    }
    // Not foreseen: whoever reports it needs the place.
    output.err(`jotasu: ${error instanceof Error ? stackWithCauses(error) : String(error)}\n`);
    return exitCodes.failed;
  }
}

function stackWithCauses(error: Error): string {
  const text = error.stack ?? error.message;
  return error.cause instanceof Error ? `${text}\ncaused by: ${stackWithCauses(error.cause)}` : text;
}
