// The runtime may still be starting when the agent does.
import { type Clock, type Log, sleep } from '../base/index.ts';
import { type ContainerRuntime, RuntimeError } from '../os/index.ts';

const retryMs = 500;

export interface RuntimeWait {
  readonly runtime: Pick<ContainerRuntime, 'status'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/**
 * What `use` makes of a runtime that is ready. One that goes away meanwhile is waited for again. Rejects when the signal aborts, and with
 * whatever else goes wrong.
 */
export async function whenRuntimeAnswers<T>(wait: RuntimeWait, use: () => Promise<T>): Promise<T> {
  const { clock, signal, log } = wait;
  for (;;) {
    await waitForRuntime(wait);
    try {
      return await use();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RuntimeError)) throw error;
      log.warn('the container runtime went away again', { error });
      await sleep(clock, retryMs, signal);
    }
  }
}

async function waitForRuntime({ runtime, clock, signal, log }: RuntimeWait): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      if ((await runtime.status()).runtimeReady) return;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RuntimeError)) throw error;
      if (tries % 20 === 0) log.warn('waiting for the container runtime', { error });
    }
    await sleep(clock, retryMs, signal);
  }
}
