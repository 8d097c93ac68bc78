// Waiting that ends with a signal.

/** Rejects with the signal's reason when that comes first. */
export async function unless<T>(signal: AbortSignal, what: Promise<T>): Promise<T> {
  const { promise, reject } = withRejection();
  const stop = (): void => reject(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([what, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function withRejection(): { promise: Promise<never>; reject: (why: unknown) => void } {
  let reject!: (why: unknown) => void;
  const promise = new Promise<never>((_, no) => {
    reject = no;
  });
  promise.catch(() => {});
  return { promise, reject };
}
