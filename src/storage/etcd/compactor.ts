// Forgets what is older than one to two intervals, whichever of the servers gets to it. Each remembers the revision of its last
// look. The mark in etcd counts rounds: only the server that raises the mark it saw last compacts, so there is one compaction an
// interval with any number of servers, and another takes over when that one is gone. It would do no harm if two did: each only
// ever compacts what was the present an interval ago.
import { type Clock, type Log, sleep } from '../../base/index.ts';

export interface CompactionMark {
  /** Raises the mark if it still is at `round`. Answers the round it is at now and the present revision. */
  raise(
    round: number,
  ): Promise<{ readonly raised: boolean; readonly round: number; readonly revision: number }>;
}

export interface CompactorOptions {
  readonly mark: CompactionMark;
  readonly compact: (revision: number) => Promise<void>;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Runs until the signal aborts. Failures are logged and tried again an interval later. */
export async function runCompactor(options: CompactorOptions, signal: AbortSignal): Promise<void> {
  const { mark, compact, intervalMs, clock, log } = options;
  let round = 0;
  let lastLook = 0;
  while (!signal.aborted) {
    try {
      await sleep(clock, intervalMs, signal);
    } catch {
      return;
    }
    try {
      const seen = await mark.raise(round);
      const revision = lastLook;
      round = seen.round;
      lastLook = seen.revision;
      if (!seen.raised || revision === 0) continue;
      await compact(revision);
      log.debug('compacted', { revision });
    } catch (error) {
      if (!signal.aborted) log.warn('etcd could not be compacted', { error });
    }
  }
}
