// Steps that wait only when there is something to wait for: a value goes on at once, a promise later.

export type Waited<T> = T | Promise<T>;

/** What throws becomes a rejection. */
export function attempt<T>(make: () => Waited<T>): Waited<T> {
  try {
    return make();
  } catch (error) {
    return Promise.reject(error);
  }
}

/** What `next` throws is nobody's failure but its own: `failed` does not hear of it. */
export function settled<T>(
  value: Waited<T>,
  next: (value: T) => Waited<void>,
  failed: (error: unknown) => void,
): Waited<void> {
  return value instanceof Promise ? value.then(next, failed) : next(value);
}

/** All of them, at once. */
export function each<T>(list: readonly T[], act: (one: T) => Waited<void>): Waited<void> {
  const waiting: Promise<void>[] = [];
  for (const one of list) {
    const acted = act(one);
    if (acted !== undefined) waiting.push(acted);
  }
  return waiting.length === 0 ? undefined : Promise.all(waiting).then(() => {});
}
