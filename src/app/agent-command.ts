// `jotasu agent` in the foreground: starts the node, says so, and ends without touching its containers.
import { type AgentFlags, CommandFailure } from '../cli/index.ts';
import { agentConfig, startNode } from './agent.ts';
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
  const node = await startNode(config, surroundings);
  say(`jotasu agent is ready: node ${config.nodeName}, ${hostPort(config.nodeIps[0]!, node.port)}`);
  const signal = await ended;
  surroundings.log.info('stopping', { signal });
  await node.stop();
}

const hostPort = (ip: string, port: number): string => `${ip.includes(':') ? `[${ip}]` : ip}:${port}`;
