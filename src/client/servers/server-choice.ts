// Which of several API servers to go on with, from what each of them has said so far. Pure. The choice: a server that works is never left
// for another; one that does not is left only for one that says it works.

/**
 * asked: has not answered yet. ready: takes requests. alive: answers, but says that it is not ready (it starts, it ends, or its store is
 * away). silent: gave no answer in time, so that nothing is known of it. gone: cannot be reached.
 */
export type ServerHealth = 'asked' | 'ready' | 'alive' | 'silent' | 'gone';

export interface AskedServer {
  readonly server: string;
  readonly health: ServerHealth;
}

/**
 * `undefined` = wait for more answers; 'none' = none of them can be reached. `current` is the one in use, if it is still to be
 * preferred. While `isPatient` it gets the time to answer after others have. Of several others the first that is ready is taken: the
 * caller gives them in the order of their answers. When all have answered and none is ready, the best of them has to do.
 */
export function planServerChoice(
  asked: readonly AskedServer[],
  current: string | undefined,
  { isPatient }: { readonly isPatient: boolean },
): AskedServer | 'none' | undefined {
  const own = asked.find(({ server }) => server === current);
  if (own?.health === 'ready') return own;
  const ready = asked.find(({ health }) => health === 'ready');
  if (ready !== undefined && !(isPatient && own?.health === 'asked')) return ready;
  if (asked.some(({ health }) => health === 'asked')) return undefined;
  for (const rest of ['alive', 'silent'] as const)
    if (own?.health === rest) return own;
    else {
      const other = asked.find(({ health }) => health === rest);
      if (other !== undefined) return other;
    }
  return 'none';
}
