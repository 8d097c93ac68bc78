// The runtime may still be starting when the agent does.
import { type Clock, type Log, sleep } from '../base/index.ts';
import { type ContainerRuntime, RuntimeError } from '../os/index.ts';

const retryMs = 500;

/** Resolves when the runtime says that it is ready. Rejects when the signal aborts. */
export async function waitForRuntime(
  runtime: ContainerRuntime,
  { clock, signal, log }: { readonly clock: Clock; readonly signal: AbortSignal; readonly log: Log },
): Promise<void> {
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
