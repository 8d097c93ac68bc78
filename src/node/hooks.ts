// Lifecycle hooks: postStart and preStop as a command, an HTTP request or a pause.
import type { coreV1 } from '../api/index.ts';
import { type Clock, sleep } from '../base/index.ts';
import type { ContainerRuntime } from '../os/index.ts';
import { tryHttp, tryProbe } from './probes/probe.ts';

export interface HookInput {
  readonly container: coreV1.Container;
  readonly containerId: string;
  readonly podIp: string;
  readonly handler: coreV1.LifecycleHandler;
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly userAgent: string;
  /** 0 = as long as it takes */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const forEverMs = 86_400_000;

/** Resolves to why it failed, or undefined. */
export async function runHook(input: HookInput): Promise<string | undefined> {
  const { handler, runtime, container, containerId, podIp, clock, signal } = input;
  const timeoutMs = input.timeoutMs === 0 ? forEverMs : input.timeoutMs;
  const options = { runtime, timeoutMs, userAgent: input.userAgent, clock, signal };
  const target = { container, containerId, podIp };
  try {
    if (handler.exec !== undefined) {
      const command = handler.exec.command ?? [];
      const result = await runtime.execSync(containerId, command, input.timeoutMs);
      if (result.exitCode === 0) return undefined;
      const said = Buffer.concat([result.stdout, result.stderr]).subarray(0, 4096).toString('utf8');
      return `command '${command.join(' ')}' exited with ${result.exitCode}: ${said}`;
    }
    if (handler.httpGet !== undefined) {
      const outcome = await tryHttp(handler.httpGet, target, options);
      return outcome.ok ? undefined : outcome.message;
    }
    if (handler.sleep !== undefined) {
      await sleep(clock, Math.min(handler.sleep.seconds * 1000, timeoutMs), signal);
      return undefined;
    }
    if (handler.tcpSocket !== undefined) {
      const outcome = await tryProbe({ tcpSocket: handler.tcpSocket }, target, options);
      return outcome.ok ? undefined : outcome.message;
    }
    return 'invalid handler: nothing to do';
  } catch (error) {
    signal.throwIfAborted();
    return (error as Error).message;
  }
}
