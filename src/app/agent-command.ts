// `jotasu agent` in the foreground: starts the node, says so, and ends without touching its containers, unless the machine is shut down.
import { type AgentFlags, CommandFailure } from '../cli/index.ts';
import { startNode } from './agent.ts';
import { agentConfig } from './agent-config.ts';
import { followLoginManager, powerSignal } from './machine-shutdown.ts';
import { endSignal, realSurroundings } from './surroundings.ts';

export async function runAgent(flags: AgentFlags, say: (line: string) => void): Promise<void> {
  const surroundings = realSurroundings(flags.logLevel);
  const ended = endSignal();
  const interrupted = new AbortController();
  void ended.then((signal) => interrupted.abort(new CommandFailure(`ended by ${signal}`)));
  const config = await agentConfig(flags, { ...surroundings, signal: interrupted.signal }).catch(
    (error: unknown) => {
      if (typeof (error as NodeJS.ErrnoException).syscall === 'string')
        throw new CommandFailure((error as Error).message, { cause: error });
      throw error;
    },
  );
  const powerFails = powerSignal();
  const node = await startNode(config, surroundings);
  const { clock, log } = surroundings;
  const graceSeconds = config.settings.shutdownGraces.reduce((sum, { seconds }) => sum + seconds, 0);
  followLoginManager({ node, graceSeconds, clock, log }, interrupted.signal);
  say(`jotasu agent is ready: node ${config.nodeName}, ${hostPort(config.nodeIps[0]!, node.port)}`);
  const signal = await Promise.race([ended, powerFails]);
  log.info('stopping', { signal });
  if (signal === 'SIGPWR') await Promise.race([node.shutdown(), ended]);
  await node.stop();
}

const hostPort = (ip: string, port: number): string => `${ip.includes(':') ? `[${ip}]` : ip}:${port}`;
