// Slow start: 1, then 2, then 4 … calls at once, so that a cause that fails every call (a quota, a webhook) is met a few times
// and not five hundred times.

const maxAtOnce = 32;

/** Calls `run` `count` times. Stops after the first batch that had a failure, and returns that failure. */
export async function inBatches(
  count: number,
  signal: AbortSignal,
  run: () => Promise<void>,
): Promise<Error | undefined> {
  let done = 0;
  for (let size = 1; done < count; size = Math.min(maxAtOnce, size * 2)) {
    signal.throwIfAborted();
    const now = Math.min(size, count - done);
    const results = await Promise.allSettled(Array.from({ length: now }, run));
    const failed = results.find((r) => r.status === 'rejected');
    if (failed !== undefined)
      return failed.reason instanceof Error ? failed.reason : new Error(String(failed.reason));
    done += now;
  }
  return undefined;
}
