// Slow start: 1, then 2, then 4 … calls at once, so that a cause that fails every call (a quota, a webhook) is met a few times
// and not five hundred times.

const maxAtOnce = 32;

/** Calls `run` for each item. Stops after the first batch that had a failure, and returns that failure. */
export async function inBatches<T>(
  items: readonly T[],
  signal: AbortSignal,
  run: (item: T) => Promise<unknown>,
): Promise<Error | undefined> {
  for (let done = 0, size = 1; done < items.length; done += size, size = Math.min(maxAtOnce, size * 2)) {
    signal.throwIfAborted();
    const results = await Promise.allSettled(items.slice(done, done + size).map(run));
    const failed = results.find((r) => r.status === 'rejected');
    if (failed !== undefined)
      return failed.reason instanceof Error ? failed.reason : new Error(String(failed.reason));
  }
  return undefined;
}
