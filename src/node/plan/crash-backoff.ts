// Crash-loop back-off: how long a container that ended must wait. 10 s, doubled by every start up to 5 minutes, forgotten when
// the container had run for 10 minutes. In memory only, as in the kubelet: a restarted agent begins anew.

const initialMs = 10_000;
const maxMs = 300_000;

export class CrashBackoff {
  readonly #entries = new Map<string, { delayMs: number; startedMs: number }>();

  /** Milliseconds until a container that ended at `finishedAtMs` may start; 0 = now. */
  remainingMs(key: string, finishedAtMs: number, nowMs: number): number {
    const entry = this.#entries.get(key);
    if (entry === undefined || finishedAtMs - entry.startedMs > 2 * maxMs) return 0;
    return Math.max(0, finishedAtMs + entry.delayMs - nowMs);
  }

  /** The delay that is in force, for the message. */
  delayMs(key: string): number {
    return this.#entries.get(key)?.delayMs ?? initialMs;
  }

  /** A container that had ended at `finishedAtMs` is started again: the next end waits longer. */
  restarted(key: string, finishedAtMs: number, nowMs: number): void {
    const entry = this.#entries.get(key);
    const stale = entry === undefined || finishedAtMs - entry.startedMs > 2 * maxMs;
    this.#entries.set(key, {
      delayMs: stale ? initialMs : Math.min(entry.delayMs * 2, maxMs),
      startedMs: nowMs,
    });
  }

  forget(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
  }
}
